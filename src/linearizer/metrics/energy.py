"""The energy distance between two samples: 0 only if they are of one distribution."""

import torch
from torch import Tensor

from linearizer.errors import ShapeError


@torch.no_grad()
def energy_distance(x: Tensor, y: Tensor) -> float:
    """`2 E|x - y| - E|x - x'| - E|y - y'|` of rows (N, n) and (M, n), for small N and M.

    It has no parameter and needs no density, and is 0 only where both distributions are one.
    Source: Székely, Rizzo, Energy statistics, 2013.

    Raises:
        ShapeError: If the rows are not of one length, or there are fewer than two.

    Example:
        >>> import torch
        >>> from linearizer.metrics import energy_distance
        >>> x, y = torch.randn(500, 3), torch.randn(500, 3)
        >>> abs(energy_distance(x, y)) < 0.05, energy_distance(x, y + 1) > 0.3
        (True, True)
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ShapeError(
            f"expected two samples (N, n), (M, n) of at least two rows, got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )

    def within(z: Tensor) -> float:
        return float(torch.cdist(z, z).sum()) / (len(z) * (len(z) - 1))

    return 2 * float(torch.cdist(x, y).mean()) - within(x) - within(y)
