"""Random batches that depend on the seed and the step alone, so that a run can be resumed."""

from collections.abc import Iterator

import torch
from torch import Tensor, distributed
from torchmetrics.utilities.distributed import gather_all_tensors

from linearizer.data.images import Images, dequantize


class RandomBatches:
    """A stateful loader of `steps` random batches of dequantized images and their labels.

    Batch i depends on the seed and i alone. Lightning keeps `state_dict` in its checkpoints, so
    a resumed run goes on with the batch after the last one that it took. Of several processes
    each takes its share of every batch, so that together they train as one would.

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
        self.data, self.batch_size, self.steps = data, batch_size, steps
        self.noise, self.seed = noise, seed
        self.next_step = 0

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch number `step`, or this process's share of it."""
        number = (self.seed * 1_000_003 + step) % 2**64  # a generator takes no larger one
        generator = torch.Generator().manual_seed(number)
        index = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        images = dequantize(
            self.data.images[index], self.noise, self.data.quantization_levels, generator
        )
        share = slice(None)
        if _several():
            share = slice(distributed.get_rank(), None, distributed.get_world_size())
        return images[share], self.data.labels[index][share]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while self.next_step < self.steps:
            self.next_step += 1
            yield self.batch(self.next_step - 1)

    def __len__(self) -> int:
        return self.steps

    def state_dict(self) -> dict[str, int]:
        """Where the loader is."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go where it was."""
        self.next_step = state["next_step"]


def of_all_processes(*shares: Tensor) -> list[Tensor]:
    """What the processes that train together have of each, one after another; without gradients.

    Shares may differ in length. With one process they are returned as they are.
    """
    if not _several():
        return list(shares)
    return [torch.cat(gather_all_tensors(share.detach())) for share in shares]


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()
