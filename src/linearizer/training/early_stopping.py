"""Keeping the weights that do best on what is held out, and stopping after them."""

import math
from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor


class StopEarly(Callback):
    """Measures every few steps, and leaves the weights of the least measure behind.

    Lightning's `EarlyStopping` and `ModelCheckpoint` look at the end of an epoch, and a run here
    is one epoch; they also need a folder for the weights.

    Args:
        measure: What is to be small, of the module as it is.
        every: Steps between two measures.
        patience: Measures without a new least one, after which training stops.
    """

    def __init__(self, measure: Callable[[], float], *, every: int, patience: int) -> None:
        self.measure, self.every, self.patience = measure, every, patience
        self.least, self.waited = math.inf, 0
        self.weights: dict[str, Tensor] = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Measure, if it is time."""
        if trainer.global_step % self.every:
            return
        found = self.measure()
        if found < self.least:
            self.least, self.waited = found, 0
            self.weights = {k: v.detach().clone() for k, v in pl_module.state_dict().items()}
        else:
            self.waited += 1
            trainer.should_stop = trainer.should_stop or self.waited >= self.patience

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go back to the best weights, if any were measured."""
        if self.weights:
            pl_module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"least": self.least, "waited": self.waited, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.least, self.waited = state_dict["least"], state_dict["waited"]
        self.weights = state_dict["weights"]
