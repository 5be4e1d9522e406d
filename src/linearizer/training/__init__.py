"""Training g, on Lightning."""

from linearizer.training.classifier import train_classifier
from linearizer.training.likelihood import MaximumLikelihood
from linearizer.training.loop import Schedule, fit

__all__ = ["MaximumLikelihood", "Schedule", "fit", "train_classifier"]
