"""Training g, on Lightning."""

from linearizer.training.classifier import train_classifier
from linearizer.training.likelihood import MaximumLikelihood
from linearizer.training.loop import CHECKPOINT, Schedule, fit

__all__ = ["CHECKPOINT", "MaximumLikelihood", "Schedule", "fit", "train_classifier"]
