"""Learned linear mixings with a cheap, stable inverse."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from linearizer._checks import as_shape, check_between, check_permutation
from linearizer._modes import in_single
from linearizer._rotation import Exponential
from linearizer.bijections import inner
from linearizer.bijections.base import Bijection
from linearizer.bijections.coupling import softly_bounded
from linearizer.bijections.log_det import VolumePreserving
from linearizer.errors import ShapeError


class Orthogonal(VolumePreserving):
    """`x ↦ Q x` with Q exactly orthogonal, whatever the optimizer does to it.

    Q is the matrix exponential of a learned skew-symmetric matrix, random at the start, so both
    directions are isometries, in the full precision of whatever dtype the module is converted to.

    Example:
        >>> import torch, linearizer as lz
        >>> g, x = lz.bijections.Orthogonal(5), torch.randn(3, 5)
        >>> torch.allclose(g(x).norm(dim=-1), x.norm(dim=-1), atol=1e-5)
        True
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.features = features
        linear = nn.Linear(features, features, bias=False)
        nn.init.normal_(linear.weight)
        self.linear = parametrize.register_parametrization(linear, "weight", Exponential())

    def _forward(self, x: Tensor) -> Tensor:
        return x @ self.linear.weight.mT  # type: ignore[operator]

    def _inverse(self, z: Tensor) -> Tensor:
        return z @ self.linear.weight  # type: ignore[operator]


class LULinear(Bijection):
    """`x ↦ L U P x`: unit lower L, upper U with softly bounded log-diagonal, fixed random P.

    A whole invertible matrix up to the signs of its pivots, inverted by two triangular solves
    (Glow, arXiv:1807.03039, section 3.2). At the start it is P alone.

    Args:
        features: Length n of the vectors on the last axis.
        log_scale_bound: Largest absolute log of a pivot.
        permutation: The index that each place of P x takes its entry from; random if not given.

    Raises:
        RangeError: If `permutation` is not one, or the bound is not between 1e-3 and 5.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.LULinear(5).round_trip(torch.randn(3, 5)) < 1e-5
        True
    """

    permutation: Tensor

    def __init__(
        self, features: int, *, log_scale_bound: float = 1.0, permutation: Tensor | None = None
    ) -> None:
        check_between(log_scale_bound, 1e-3, 5.0, "the bound of the log-pivots")
        super().__init__(features)
        self.features, self.log_scale_bound = features, log_scale_bound
        self.lower = nn.Parameter(torch.zeros(features, features))
        self.upper = nn.Parameter(torch.zeros(features, features))
        if permutation is None:
            permutation = torch.randperm(features)
        check_permutation(permutation, features)
        self.register_buffer("permutation", permutation)

    def _factors(self) -> tuple[Tensor, Tensor, Tensor]:
        log_pivots = softly_bounded(self.upper.diagonal(), self.log_scale_bound)
        upper = self.upper.triu(1) + torch.diag(log_pivots.exp())
        return self.lower.tril(-1), upper, log_pivots

    def _forward(self, x: Tensor) -> Tensor:
        return self._forward_and_log_det(x)[0]

    def _inverse(self, z: Tensor) -> Tensor:
        lower, upper, _ = self._factors()
        rows = in_single(_solve_both, lower, upper, z.reshape(-1, self.features))
        return rows.index_select(-1, torch.argsort(self.permutation)).reshape(z.shape)

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper, log_pivots = self._factors()
        z = x.index_select(-1, self.permutation) @ upper.mT
        return z + z @ lower.mT, log_pivots.sum().expand(x.shape[:-1])


class Conv1x1(Bijection):
    """One mixing of the channels, the same at every pixel: an invertible 1×1 convolution.

    Args:
        shape: (C, H, W).
        linear: A bijection of channel vectors (C,); `LULinear(C)` if not given.

    Raises:
        ShapeError: If the mixing is for another number of channels.
    """

    def __init__(self, shape: Sequence[int], linear: Bijection | None = None) -> None:
        super().__init__(shape)
        self.shape = as_shape(shape)
        linear = LULinear(self.shape[0]) if linear is None else linear
        if len(self.shape) != 3 or linear.in_shape != self.shape[:1]:
            raise ShapeError(
                f"expected a shape (C, H, W) and a mixing of (C,), got {self.shape} and "
                f"{linear.in_shape}; build the mixing for {self.shape[0]} channels"
            )
        self.linear = linear

    def _forward(self, x: Tensor) -> Tensor:
        return inner.forward(self.linear, x.movedim(-3, -1)).movedim(-1, -3)

    def _inverse(self, z: Tensor) -> Tensor:
        return inner.inverse(self.linear, z.movedim(-3, -1)).movedim(-1, -3)

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = inner.forward_and_log_det(self.linear, x.movedim(-3, -1))
        return z.movedim(-1, -3), log_det.sum((-2, -1))

    def resized(self, size: Sequence[int]) -> Bijection:
        """The same mixing for images of another size."""
        return self._with_shapes((self.shape[0], *size))


def _solve_both(lower: Tensor, upper: Tensor, rows: Tensor) -> Tensor:
    """`(I + lower) upper x = z` for rows z."""
    solve = torch.linalg.solve_triangular
    rows = solve(lower.mT, rows, upper=True, left=False, unitriangular=True)
    return solve(upper.mT, rows, upper=False, left=False)
