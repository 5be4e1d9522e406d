"""Many points, some at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

PIECE = 10_000
"""Points whose numbers in the layers of a small g fit into the cache of a processor."""


def in_pieces(f: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """`f(z)` of vectors (*batch, n), on a processor some at a time, which is several times faster.

    Accelerators get all at once.
    """
    if z.device.type != "cpu" or z.shape[:-1].numel() <= PIECE:
        return f(z)
    made = torch.cat([f(piece) for piece in z.reshape(-1, z.shape[-1]).split(PIECE)])
    return made.reshape(*z.shape[:-1], *made.shape[1:])
