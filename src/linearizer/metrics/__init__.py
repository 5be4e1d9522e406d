"""Numbers that say how well a map does."""

from linearizer._extras import needs_extra

with needs_extra("torchmetrics", "train"):
    from linearizer.metrics.artifacts import border_ratio, grid_energy
    from linearizer.metrics.energy import energy_distance
    from linearizer.metrics.fidelity import linearity_error, psnr_db
    from linearizer.metrics.generation import (
        Classifier,
        confidence,
        feature_distance,
        frechet_distance,
        kernel_distance,
    )
    from linearizer.metrics.gram import gram_distance
    from linearizer.metrics.likelihood import bits_per_dimension, nats_to_bits
    from linearizer.metrics.lpips import LPIPS
    from linearizer.metrics.squeezenet import SqueezeNet
    from linearizer.metrics.strokes import slant, stroke_width

__all__ = [
    "LPIPS",
    "Classifier",
    "SqueezeNet",
    "bits_per_dimension",
    "border_ratio",
    "confidence",
    "energy_distance",
    "feature_distance",
    "frechet_distance",
    "gram_distance",
    "grid_energy",
    "kernel_distance",
    "linearity_error",
    "nats_to_bits",
    "psnr_db",
    "slant",
    "stroke_width",
]
