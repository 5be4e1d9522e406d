"""Training g, on Lightning."""

from linearizer._extras import needs_extra

with needs_extra("lightning", "train"):
    from linearizer.training.classifier import train_classifier
    from linearizer.training.flow_matching import FlowMatching, FlowMatchingLosses
    from linearizer.training.likelihood import MaximumLikelihood
    from linearizer.training.loop import Schedule, fit
    from linearizer.training.projection import BinaryProjectionTraining, PrincipalProjection
    from linearizer.training.recipes import PRESETS, Recipe
    from linearizer.training.style_matching import HyperStyleMatching, StyleMatching

__all__ = [
    "PRESETS",
    "BinaryProjectionTraining",
    "FlowMatching",
    "FlowMatchingLosses",
    "HyperStyleMatching",
    "MaximumLikelihood",
    "PrincipalProjection",
    "Recipe",
    "Schedule",
    "StyleMatching",
    "fit",
    "train_classifier",
]
