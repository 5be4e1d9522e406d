"""Random batches that depend on the seed and the step alone, so that a run can be resumed."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from linearizer.data.images import Images, dequantize


class _Steps(Sampler[int]):
    """The steps of one epoch after another; Lightning calls `set_epoch`."""

    def __init__(self, steps: int) -> None:
        self.steps, self.epoch = steps, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.steps, (self.epoch + 1) * self.steps))

    def __len__(self) -> int:
        return self.steps


class _RandomBatches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number i of dequantised images and their labels, drawn anew each time it is asked."""

    def __init__(self, data: Images, batch_size: int, noise: float, seed: int) -> None:
        self.data, self.batch_size, self.noise, self.seed = data, batch_size, noise, seed

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        index = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        images = dequantize(self.data.images[index], self.noise, self.data.levels, generator)
        return images, self.data.labels[index]


def random_batches(
    data: Images, *, batch_size: int, steps: int, noise: float, seed: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader of `steps` whole batches an epoch.

    Args:
        data: The images.
        batch_size: Images a batch, drawn with replacement.
        steps: Batches an epoch.
        noise: Width of the dequantisation noise in grey levels.
        seed: Batch i depends on this and i alone.
    """
    batches = _RandomBatches(data, batch_size, noise, seed)
    return DataLoader(batches, batch_size=None, sampler=_Steps(steps))
