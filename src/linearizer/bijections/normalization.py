"""Elementwise affine maps that take their numbers from data."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linearizer._checks import as_shape, check_finite, check_input
from linearizer.bijections.base import Bijection
from linearizer.bijections.log_det import VolumePreserving
from linearizer.errors import ShapeError


class Centering(VolumePreserving):
    """`x ↦ x - mean`. The mean of the data belongs in g, so that A stays linear, not affine."""

    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        check_finite(mean, "the mean")
        super().__init__(mean.shape)
        self.register_buffer("mean", mean)

    def _forward(self, x: Tensor) -> Tensor:
        return x - self.mean

    def _inverse(self, z: Tensor) -> Tensor:
        return z + self.mean


class ActNorm(Bijection):
    """`x ↦ exp(log_scale) · (x - shift)`, with two learned numbers for each channel.

    `initialize` sets them once from a batch, so that every channel leaves with mean 0 and standard
    deviation 1; that it happened is kept in a buffer and survives saving. Source: Glow,
    arXiv:1807.03039, section 3.1.

    Args:
        shape: Event shape; the channels are its first axis.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.ActNorm(3)
        >>> z = g.initialize(5 + 2 * torch.randn(1000, 3))
        >>> torch.allclose(z.std(0), torch.ones(3), atol=1e-3)
        True
    """

    initialized: Tensor

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self.shape = as_shape(shape)
        per_channel = (self.shape[0], *(1,) * (len(self.shape) - 1))
        self.log_scale = nn.Parameter(torch.zeros(per_channel))
        self.shift = nn.Parameter(torch.zeros(per_channel))
        self.register_buffer("initialized", torch.tensor(False))

    def _forward(self, x: Tensor) -> Tensor:
        return torch.exp(self.log_scale) * (x - self.shift)

    def _inverse(self, z: Tensor) -> Tensor:
        return torch.exp(-self.log_scale) * z + self.shift

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = self.log_scale.expand(self.in_shape).sum()
        return self._forward(x), log_det.expand(x.shape[: x.ndim - len(self.in_shape)])

    def resized(self, size: Sequence[int]) -> Bijection:
        """The same numbers for images of another size."""
        return self._with_shapes((self.shape[0], *size))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> Tensor:
        """Take shift and scale from the batch `x`, unless that was done before.

        Raises:
            ShapeError: If the batch is too small to have a standard deviation.
        """
        check_input(x, self.in_shape, self)
        check_finite(x, "the batch that initializes ActNorm")
        if not bool(self.initialized):
            events = x.reshape(-1, *self.in_shape).transpose(0, 1).flatten(1)
            if events.shape[1] < 2:
                raise ShapeError(
                    "expected a batch of at least 2 to take a standard deviation from, got 1"
                )
            self.shift.copy_(events.mean(1).reshape(self.shift.shape))
            std = events.std(1).clamp_min(1e-6).reshape(self.shift.shape)
            self.log_scale.copy_(-std.log())
            self.initialized.fill_(True)
        return self(x)
