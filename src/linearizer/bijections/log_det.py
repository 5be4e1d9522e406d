"""The log-determinant, an interface of its own: a bijection need not have a cheap one."""

import abc
from typing import Any

import torch
from torch import Tensor


class HasLogDet(abc.ABC):
    """A bijection that knows `log|det J_g(x)|` without forming the Jacobian."""

    @abc.abstractmethod
    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `g(x)` of shape `(*batch, *out_shape)` and `log|det J_g(x)|` of `(*batch)`."""


class VolumePreserving(HasLogDet):
    """A bijection with `|det J_g| = 1` everywhere."""

    in_shape: tuple[int, ...]

    @abc.abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The map itself."""

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `g(x)` and zeros."""
        return self(x), x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])


def forward_and_log_det(g: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """`g(x)` and `log|det J_g(x)|`, by g's own way or else through the full Jacobian.

    The full Jacobian costs n backward passes an event: meant for small n and for tests.

    Args:
        g: A bijection.
        x: Points `(*batch, *in_shape)`.

    Returns:
        Latents `(*batch, *out_shape)` and log-determinants `(*batch)`.

    Example:
        >>> import torch, linearizer as lz
        >>> z, log_det = lz.forward_and_log_det(lz.Identity(3), torch.randn(5, 3))
        >>> log_det
        tensor([0., 0., 0., 0., 0.])
    """
    if isinstance(g, HasLogDet):
        return g.forward_and_log_det(x)
    batch = x.shape[: x.ndim - len(g.in_shape)]
    events = x.reshape(-1, *g.in_shape)
    n = torch.Size(g.in_shape).numel()
    jacobians = torch.vmap(torch.func.jacrev(g))(events)
    return g(x), torch.linalg.slogdet(jacobians.reshape(-1, n, n)).logabsdet.reshape(batch)
