"""Random pairs of times along trajectories, which roll-outs are trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.training.batches import SeededBatches


class RollOutPairs(SeededBatches):
    """Batches (x_s, x_t, t - s): two states of one trajectory, and the time from one to the other.

    A trajectory is drawn as often as it is long. Of half of the pairs s is its start, whose
    forecasts are what is asked of a model; of the other half any pair of its rows is as likely.

    Args:
        states: (T_i, n) of each trajectory, T_i at least 2.
        times: (T_i,) of each, increasing.
        batch_size: Pairs per batch, over all processes, drawn with replacement.
        steps: Batches in all.
        seed: Seed of the batches.
    """

    def __init__(
        self,
        states: Sequence[Tensor],
        times: Sequence[Tensor],
        *,
        batch_size: int,
        steps: int,
        seed: int,
    ) -> None:
        super().__init__(batch_size=batch_size, steps=steps, seed=seed)
        self.states, self.times = torch.cat([*states]), torch.cat([*times])
        lengths = torch.tensor([len(x) for x in states])
        self.first = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
        self.length = lengths.repeat_interleave(lengths)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """The earlier and the later states, and the times between."""
        row = torch.randint(len(self.states), (self.batch_size,), generator=generator)
        first, length = self.first[row], self.length[row]
        s, t = self._ordered(length, generator)
        from_start = torch.rand(len(row), generator=generator) < 0.5
        s = torch.where(from_start, 0, s)
        s, t = first + s, first + t
        return self.states[s], self.states[t], self.times[t] - self.times[s]

    def _ordered(self, length: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two different places on axes of these lengths, the smaller one first."""
        a, b = torch.rand(2, len(length), generator=generator, dtype=torch.float64)
        one = (a * length).long()
        other = (one + 1 + (b * (length - 1)).long()) % length
        return torch.minimum(one, other), torch.maximum(one, other)
