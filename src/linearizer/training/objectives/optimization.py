"""The optimizer that every objective here is trained with."""

import math
from collections.abc import Iterable

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn


def adamw_with_cosine(
    parameters: Iterable[nn.Parameter], *, steps: int, learning_rate: float, weight_decay: float
) -> OptimizerLRScheduler:
    """AdamW, with a learning rate that warms up shortly and then decays to zero along a cosine.

    Args:
        parameters: The parameters to train.
        steps: Steps of the whole run; the first tenth of them, at most 100, warms up.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay (arXiv:1711.05101).
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    warm_up = max(1, min(100, steps // 10))

    def factor(step: int) -> float:
        progress = min(step / steps, 1.0)
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class CosineTraining(LightningModule):
    """The base of all objectives: how their parameters are optimized.

    Args:
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
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
