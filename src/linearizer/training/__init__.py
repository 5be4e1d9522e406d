"""Training g, on Lightning."""

from linearizer.training.classifier import train_classifier
from linearizer.training.flow_matching import FlowMatching, FlowMatchingLosses
from linearizer.training.likelihood import MaximumLikelihood
from linearizer.training.loop import Schedule, fit
from linearizer.training.recipes import PRESETS, Recipe

__all__ = [
    "PRESETS",
    "FlowMatching",
    "FlowMatchingLosses",
    "MaximumLikelihood",
    "Recipe",
    "Schedule",
    "fit",
    "train_classifier",
]
