"""Taking a module away from where it starts."""

from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


@torch.no_grad()
def perturb_(module: _Module, scale: float = 0.1, seed: int = 0) -> _Module:
    """Add `scale · N(0, 1)` to every parameter, in place: g leaves the identity it starts at.

    Args:
        module: A bijection, an operator, a Linearizer or any module.
        scale: Standard standard deviation of the noise.
        seed: The same seed gives the same noise in every dtype.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import perturb_
        >>> g, x = perturb_(lz.AdditiveCoupling(4, lz.conditioners.MLP())), torch.ones(4)
        >>> torch.equal(g(x), x)
        False
    """
    random = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if not parameter.is_floating_point():  # a permutation, in other libraries
            continue
        noise = torch.randn(parameter.shape, generator=random, dtype=torch.float32, device="cpu")
        parameter.add_(scale * noise.to(parameter))
    return module
