"""Images that are like no data, for what is to hold far from the data too."""

import torch
from torch import Tensor


def pure_noise(like: Tensor) -> Tensor:
    """Noise of the shape of a batch: its first half N(0, I), its second uniform in [-1, 1]."""
    half = len(like) // 2
    return torch.cat([torch.randn_like(like[:half]), 2 * torch.rand_like(like[half:]) - 1])
