"""The one optimiser that everything here is trained with."""

import math
from collections.abc import Iterable

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn


def adamw_with_cosine(
    parameters: Iterable[nn.Parameter], *, steps: int, learning_rate: float, weight_decay: float
) -> OptimizerLRScheduler:
    """AdamW, and one factor a step for its rate: a short warm-up, then cosine decay to zero.

    Args:
        parameters: What is trained.
        steps: Steps of the whole run; the first tenth of them, at most 100, warms up.
        learning_rate: Its peak.
        weight_decay: Decoupled (arXiv:1711.05101).
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    warm_up = max(1, min(100, steps // 10))

    def factor(step: int) -> float:
        progress = min(step / steps, 1.0)
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class CosineTraining(LightningModule):
    """What all trainings here share: how they are optimised.

    Args:
        steps: Of the whole run, for the decay of the learning rate.
        learning_rate: Its peak.
        weight_decay: Decoupled.
    """

    def __init__(self, steps: int, learning_rate: float, weight_decay: float) -> None:
        super().__init__()
        self.steps, self.learning_rate, self.weight_decay = steps, learning_rate, weight_decay

    def trained(self) -> Iterable[nn.Parameter]:
        """The parameters to train."""
        return self.parameters()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW on what is trained."""
        return adamw_with_cosine(
            self.trained(),
            steps=self.steps,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )
