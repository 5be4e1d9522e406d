"""The moving average of the weights while they are trained."""

from collections.abc import Sequence

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


def weight_averaging(decay: float) -> WeightAveraging:
    """Averages the weights of every step with this decay, but over a tenth of the steps so far.

    So a run that its time ends early is no average with the weights that it began with.
    """

    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor) -> None:
        lately = average_decay(int(count) + 1)
        get_ema_multi_avg_fn(min(decay, lately))(averages, weights, count)

    return WeightAveraging(use_buffers=False, multi_avg_fn=update)


def average_decay(steps: int) -> float:
    """Decay of the moving average of the weights: over a thousand steps, or a tenth of a run."""
    return min(0.999, 1 - 10 / steps) if steps > 10 else 0.0
