"""Images that are like no data, for what is to hold far from the data too."""

import torch
from torch import Tensor

from linearizer.bijections import Bijection

FARTHEST = 5.0
"""What hardly any coordinate of N(0, I) exceeds."""


def pure_noise(like: Tensor) -> Tensor:
    """Noise of the shape of a batch: its first half N(0, I), its second uniform in [-1, 1]."""
    half = len(like) // 2
    return torch.cat([torch.randn_like(like[:half]), 2 * torch.rand_like(like[half:]) - 1])


def reach(g: Bijection, like: Tensor) -> Tensor:
    """How far beyond those of N(0, I) the latents of pure noise lie: `log(1 + max|g(n)| / 5 - 1)`.

    Likelihood says nothing of what lies far from the data, and where latents grow without bound,
    g cannot be inverted in finite precision.
    """
    noise = pure_noise(like[: max(2, len(like) // 4)])
    furthest = g(noise).flatten(1).abs().amax(1)
    return torch.log1p((furthest / FARTHEST - 1).relu()).mean()
