"""How well a density describes images."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Density(Protocol):
    """Whatever has an exact log-density: a flow, or a distribution of torch."""

    def log_prob(self, x: Tensor, /) -> Tensor:
        """Log-densities (N,) of points (N, *shape)."""


@torch.no_grad()
def bits_per_dimension(
    flow: Density, x: Tensor, quantization_levels: int, batch_size: int = 500
) -> float:
    """Bits a pixel of a continuous density at dequantised images, in units of grey levels.

    `(-mean log p(x) / D + log((quantization_levels - 1) / 2)) / log 2` for images of D pixels and
    channels in [-1, 1], whose grey levels lie 2 / (quantization_levels - 1) apart. With noise of
    one grey level it bounds the bits of a lossless code from above (Theis et al.,
    arXiv:1511.01844).

    Args:
        flow: The density.
        x: Dequantised images (N, *shape).
        quantization_levels: Grey levels of the images.
        batch_size: Images at once.

    Example:
        >>> import torch
        >>> from torch.distributions import Independent, Uniform
        >>> from linearizer.metrics import bits_per_dimension
        >>> grey = Independent(Uniform(-torch.ones(6), torch.ones(6)), 1)
        >>> round(bits_per_dimension(grey, grey.sample((10,)), quantization_levels=257), 6)
        8.0
    """
    total = sum(float(flow.log_prob(batch).double().sum()) for batch in x.split(batch_size))
    return nats_to_bits(total, x.numel(), quantization_levels)


def nats_to_bits(log_density: float, dimensions: int, quantization_levels: int) -> float:
    """The log-density of points with so many numbers in all as bits for each of them.

    Example:
        >>> from linearizer.metrics import nats_to_bits
        >>> nats_to_bits(0.0, dimensions=6, quantization_levels=17)
        3.0
    """
    return (-log_density / dimensions + math.log((quantization_levels - 1) / 2)) / math.log(2)
