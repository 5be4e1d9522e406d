"""Numbers that say how well a map does."""

from linearizer.metrics.fidelity import linearity_error, psnr_db
from linearizer.metrics.generation import Classifier, confidence, frechet_distance

__all__ = [
    "Classifier",
    "confidence",
    "frechet_distance",
    "linearity_error",
    "psnr_db",
]
