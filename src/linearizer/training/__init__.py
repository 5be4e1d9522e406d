"""Training g, on Lightning."""

from linearizer._extras import needs_extra

with needs_extra("lightning", "train"):
    from linearizer.training.classifier import train_classifier
    from linearizer.training.components import (
        ComponentsConfig,
        TrainedComponents,
        train_components,
    )
    from linearizer.training.config import PRESETS, TrainingBudget, TrainingConfig
    from linearizer.training.density import DensityConfig, TrainedDensity, train_density
    from linearizer.training.dynamics import DynamicsConfig, train_dynamics
    from linearizer.training.loop import train
    from linearizer.training.objectives.class_moments import ClassMoments
    from linearizer.training.objectives.flow_matching import (
        FlowMatchingLosses,
        FlowMatchingTraining,
    )
    from linearizer.training.objectives.likelihood import LikelihoodTraining
    from linearizer.training.objectives.mixture_likelihood import MixtureLikelihoodTraining
    from linearizer.training.objectives.projection import (
        LearnedProjectionTraining,
        PrincipalProjectionTraining,
    )
    from linearizer.training.objectives.roll_out import RollOutTraining
    from linearizer.training.objectives.style_hypernetwork import HypernetworkStyleTraining
    from linearizer.training.objectives.style_matching import StyleTraining
    from linearizer.training.transport import TrainedTransport, train_transport

__all__ = [
    "PRESETS",
    "ClassMoments",
    "ComponentsConfig",
    "DensityConfig",
    "DynamicsConfig",
    "FlowMatchingLosses",
    "FlowMatchingTraining",
    "HypernetworkStyleTraining",
    "LearnedProjectionTraining",
    "LikelihoodTraining",
    "MixtureLikelihoodTraining",
    "PrincipalProjectionTraining",
    "RollOutTraining",
    "StyleTraining",
    "TrainedComponents",
    "TrainedDensity",
    "TrainedTransport",
    "TrainingBudget",
    "TrainingConfig",
    "train",
    "train_classifier",
    "train_components",
    "train_density",
    "train_dynamics",
    "train_transport",
]
