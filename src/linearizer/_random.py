"""Random draws that are the same for the same seed, on every device."""

import torch
from torch import Tensor


def normal(shape: tuple[int, ...], seed: int | None, like: Tensor) -> Tensor:
    """N(0, I) draws of the dtype and device of a tensor; new ones each time without a seed."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(like)
