"""Random batches that depend on the seed and the step alone, so that a run can be resumed."""

import abc
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, distributed
from torchmetrics.utilities.distributed import gather_all_tensors

from linearizer.data.images import Images, dequantize


class SeededBatches(abc.ABC):
    """A stateful loader of `steps` batches, of which each depends on the seed and its number alone.

    Lightning keeps `state_dict` in its checkpoints, so a resumed run goes on with the batch after
    the last one that it took. Of several processes each takes its share of every batch, so that
    together they train as one would.

    Args:
        batch_size: Events per batch, over all processes, drawn with replacement.
        steps: Batches in all.
        seed: Seed of the batches.
    """

    def __init__(self, *, batch_size: int, steps: int, seed: int) -> None:
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.next_step = 0

    @abc.abstractmethod
    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """A whole batch, with the draws of a generator."""

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """Batch number `step`, or this process's share of it."""
        number = (self.seed * 1_000_003 + step) % 2**64  # a generator takes no larger one
        drawn = self.draw(torch.Generator().manual_seed(number))
        share = slice(None)
        if _several():
            share = slice(distributed.get_rank(), None, distributed.get_world_size())
        return tuple(part[share] for part in drawn)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        while self.next_step < self.steps:
            self.next_step += 1
            yield self.batch(self.next_step - 1)

    def __len__(self) -> int:
        return self.steps

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go where it was."""
        self.next_step = state["next_step"]


class RandomBatches(SeededBatches):
    """Random batches of dequantized images and their labels.

    Args:
        data: The images.
        batch_size: Images per batch, over all processes, drawn with replacement.
        steps: Batches in all.
        noise: Width of the dequantization noise in gray levels.
        seed: Seed of the batches.
    """

    def __init__(
        self, data: Images, *, batch_size: int, steps: int, noise: float, seed: int
    ) -> None:
        super().__init__(batch_size=batch_size, steps=steps, seed=seed)
        self.data, self.noise = data, noise

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Images with noise, and their labels."""
        index = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        images = dequantize(
            self.data.images[index], self.noise, self.data.quantization_levels, generator
        )
        return images, self.data.labels[index]


def of_all_processes(*shares: Tensor) -> list[Tensor]:
    """What the processes that train together have of each, one after another; without gradients.

    Shares may differ in length. With one process they are returned as they are.
    """
    if not _several():
        return list(shares)
    return [torch.cat(gather_all_tensors(share.detach())) for share in shares]


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()
