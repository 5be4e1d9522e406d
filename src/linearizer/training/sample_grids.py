"""Pictures of what a model makes while it trains."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from linearizer.display.pictures import save_mosaic
from linearizer.training.config import TrainingBudget


class SampleGrids(Callback):
    """A picture every 250 steps.

    Args:
        draw: Makes the rows, from the same noise each time, so that pictures can be compared.
        folder: Where the pictures are written.
    """

    def __init__(self, draw: Callable[[], Sequence[Tensor]], folder: Path) -> None:
        self.draw, self.folder = draw, folder

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Draw, if it is time and this is the first process."""
        step = trainer.global_step
        if step % TrainingBudget.checkpoint_every or not trainer.is_global_zero:
            return
        self.folder.mkdir(exist_ok=True)
        save_mosaic(self.folder / f"step_{step:06d}.png", self.draw())
