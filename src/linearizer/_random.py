"""Random draws that are the same for the same seed, on every device."""

import math

import torch
from torch import Tensor

from linearizer._checks import check_between


def normal(shape: tuple[int, ...], seed: int | None, like: Tensor) -> Tensor:
    """N(0, I) draws of the dtype and device of a tensor; new ones each time without a seed."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(like)


def samples(count: int, shape: tuple[int, ...], seed: int | None, like: Tensor) -> Tensor:
    """`count` draws of N(0, I) of a shape.

    Raises:
        RangeError: If the count is not positive.
    """
    check_between(count, 1, math.inf, "the number of samples")
    return normal((count, *shape), seed, like)
