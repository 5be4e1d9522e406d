"""Rows of numbers: what is held out of them, and batches with noise of the others."""

import torch
from torch import Tensor

from linearizer.training.batches import SeededBatches

LARGEST_HELD_OUT = 4096
"""Rows that are held out at most: more tell nothing new."""
FEWEST = 40
"""Rows below which nothing is trained: what is held out of them could not tell."""


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
