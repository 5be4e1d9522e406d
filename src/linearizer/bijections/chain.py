"""One bijection after another."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from linearizer.bijections import inner
from linearizer.bijections.base import Bijection
from linearizer.errors import ShapeError


class Chain(Bijection):
    """The composition `x ↦ g_k(... g_1(x))`, first one first.

    Raises:
        ShapeError: If it is empty, or neighboring shapes do not fit.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.Chain(lz.Flatten((1, 4, 4)), lz.AffineCoupling(16, lz.conditioners.MLP()))
        >>> g(torch.randn(2, 1, 4, 4)).shape
        torch.Size([2, 16])
    """

    def __init__(self, *bijections: Bijection) -> None:
        if not bijections:
            raise ShapeError("expected at least one bijection, got none; use Identity(shape)")
        for g, h in pairwise(bijections):
            if g.out_shape != h.in_shape:
                raise ShapeError(
                    f"expected {type(h).__name__} to take {g.out_shape}, the output of "
                    f"{type(g).__name__}, got one for {h.in_shape}; insert Flatten, Squeeze or "
                    "another rearrangement between them"
                )
        super().__init__(bijections[0].in_shape, bijections[-1].out_shape)
        self.bijections = nn.ModuleList(bijections)

    def _forward(self, x: Tensor) -> Tensor:
        for g in self.bijections:
            x = inner.forward(g, x)
        return x

    def _inverse(self, z: Tensor) -> Tensor:
        for g in reversed(self.bijections):
            z = inner.inverse(g, z)
        return z

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])
        for g in self.bijections:
            x, log_det = inner.forward_and_log_det(g, x)
            total = total + log_det
        return x, total

    def resized(self, size: Sequence[int]) -> Bijection:
        """All layers, each for the size that the ones before it leave."""
        layers: list[Bijection] = []
        for g in self.bijections:
            layers.append(g.resized(size))  # type: ignore[operator]
            size = layers[-1].out_shape[1:]
        return Chain(*layers)

    def initialize(self, x: Tensor) -> Tensor:
        """Initialize each on what the ones before it return."""
        for g in self.bijections:
            x = g.initialize(x)  # type: ignore[operator]
        return x
