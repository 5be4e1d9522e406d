"""Rows of numbers: what is held out of them, and training on the others, with noise."""

from collections.abc import Callable
from typing import Protocol

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from linearizer._checks import check_between, check_finite
from linearizer.errors import ShapeError
from linearizer.training import loop
from linearizer.training.batches import SeededBatches
from linearizer.training.config import TrainingBudget
from linearizer.training.early_stopping import StopEarly

LARGEST_HELD_OUT = 4096
"""Rows that are held out at most: more tell nothing new."""
FEWEST = 40
"""Rows below which nothing is trained: what is held out of them could not tell."""


class RowsConfig(Protocol):
    """What `train_on_rows` reads of a configuration."""

    @property
    def noise(self) -> float:
        """Standard deviation of noise on the rows."""

    @property
    def steps(self) -> int:
        """Optimizer steps at most."""

    @property
    def batch_size(self) -> int:
        """Rows per step."""

    @property
    def every(self) -> int:
        """Steps between two looks at held-out rows."""

    @property
    def patience(self) -> int:
        """Looks without a better one before the training stops."""


def check_rows(x: Tensor, held_out: float) -> None:
    """Raise unless x is rows (N, n) of numbers, and the share that is held out is one."""
    check_between(held_out, 0.01, 0.9, "the share that is held out")
    if x.ndim != 2 or not x.numel():
        raise ShapeError(f"expected rows (N, n), got {tuple(x.shape)}")
    check_finite(x, "the rows")


def split_rows(rows: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """The rows that are trained on, and those that are held out, drawn at random."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    count = min(max(round(share * len(rows)), 10), LARGEST_HELD_OUT)
    return rows[order[count:]], rows[order[:count]]


class NoisyRows(SeededBatches):
    """Random rows of a matrix, with Gaussian noise.

    Args:
        rows: (N, n).
        noise: Standard deviation of the noise.
        batch_size: Rows per batch.
        steps: Batches in all.
        seed: Of the batches.
    """

    def __init__(
        self, rows: Tensor, *, noise: float, batch_size: int, steps: int, seed: int
    ) -> None:
        super().__init__(batch_size=batch_size, steps=steps, seed=seed)
        self.rows, self.noise = rows, noise

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """A batch of rows."""
        index = torch.randint(len(self.rows), (self.batch_size,), generator=generator)
        rows = self.rows[index]
        return (rows + self.noise * torch.randn(rows.shape, generator=generator),)


def train_on_rows(
    module: LightningModule,
    rows: Tensor,
    config: RowsConfig,
    measure: Callable[[], float],
    *,
    max_minutes: float | None,
    seed: int,
    verbose: bool,
) -> loop.Trained:
    """Train on rows (N, n) with noise; of all looks the weights that measure least are kept."""
    return loop.train(
        module,
        NoisyRows(
            rows,
            noise=config.noise,
            batch_size=min(config.batch_size, len(rows)),
            steps=config.steps,
            seed=seed,
        ),
        TrainingBudget(config.steps, max_minutes=max_minutes),
        title="Training g",
        callbacks=[StopEarly(measure, every=config.every, patience=config.patience)],
        verbose=verbose,
    )
