"""A limit of time is kept by the learning rate too."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Timer

from linearizer.training.objectives.optimization import CosineTraining


class DecayInTime(Callback):
    """Tells what is trained how much of its time is over, so that it ends with a decayed rate.

    Args:
        timer: Of the run, the time before interruptions counted.
        seconds: That the run may take.
    """

    def __init__(self, timer: Timer, seconds: float) -> None:
        self.timer, self.seconds = timer, seconds

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """The time of the first process, so that all have one learning rate."""
        if isinstance(pl_module, CosineTraining):
            over = self.timer.time_elapsed() / self.seconds
            several = trainer.world_size > 1
            pl_module.time_over = trainer.strategy.broadcast(over) if several else over
