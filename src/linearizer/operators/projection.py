"""Orthogonal projections: idempotent by construction."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from linearizer.errors import RangeError, ShapeError
from linearizer.operators.base import LinearOperator, register
from linearizer.operators.blocks import Blocks, blocks
from linearizer.operators.dense import check_real
from linearizer.operators.low_rank import IdentityPlusLowRank, as_columns, low_rank_product


class Projection(LinearOperator):
    """`z ↦ Q (Qᵀ z)`, the orthogonal projection onto the span of orthonormal columns Q.

    `I - P` projects onto the rest. For columns that are not orthonormal use `Projection.onto`.

    Args:
        basis: Q of shape (*shape, k) with QᵀQ = I.

    Raises:
        ShapeError: If there are more columns than dimensions.
        RangeError: If the columns are not orthonormal.

    Example:
        >>> import torch, linearizer as lz
        >>> P = lz.Projection.onto(torch.randn(6, 2))
        >>> z = torch.randn(6)
        >>> torch.allclose(P(P(z)), P(z), atol=1e-6), lz.rank(P)
        (True, 2)
    """

    basis: Tensor

    def __init__(self, basis: Tensor) -> None:
        check_real(basis, "a basis")
        if basis.ndim < 2 or as_columns(basis).shape[0] < basis.shape[-1]:
            raise ShapeError(
                f"expected a basis (*shape, k) with k at most the dimension, got "
                f"{tuple(basis.shape)}"
            )
        _check_orthonormal(as_columns(basis))
        super().__init__(basis.shape[:-1])
        register(self, "basis", basis)

    @classmethod
    def onto(cls, columns: Tensor) -> "Projection":
        """The projection onto the span of any independent columns (*shape, k)."""
        Q, _ = torch.linalg.qr(as_columns(columns))
        return cls(Q.unflatten(0, columns.shape[:-1]))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Columns rounded in one dtype are not orthonormal in a finer one: make them so again.

        Two steps of Newton and Schulz, `Q ← Q (3 I - QᵀQ) / 2`, which keep their span.
        """
        before = self.basis.dtype
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.basis.dtype != before:
            Q = as_columns(self.basis.data)
            for _ in range(2):
                Q = 1.5 * Q - 0.5 * Q @ (Q.mT @ Q)
            self.basis.data = Q.unflatten(0, self.in_shape)
        return self

    def forward(self, z: Tensor) -> Tensor:
        """Q (Qᵀ z)."""
        return low_rank_product(self.basis, self.basis, z, self)

    def adjoint(self, y: Tensor) -> Tensor:
        """The same: P is symmetric."""
        return low_rank_product(self.basis, self.basis, y, self)

    def transpose(self) -> LinearOperator:
        """P itself."""
        return self


@blocks.register
def _(operator: Projection) -> Blocks:
    """An identity block on the range and a zero one beside it: nothing is computed at all."""
    k = operator.basis.shape[-1]
    one = operator.basis.new_ones(1, 1, 1)

    def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
        inside, outside = (part.reshape(()) for part in parts)
        return IdentityPlusLowRank(outside, (inside - outside) * operator.basis, operator.basis)

    return Blocks((one, 0 * one), (k, operator.n_in - k), rebuild)


def _check_orthonormal(Q: Tensor) -> None:
    if Q.device.type == "meta":
        return
    k = Q.shape[1]
    with torch.no_grad():
        error = float((Q.mT @ Q - torch.eye(k, dtype=Q.dtype, device=Q.device)).abs().max())
    if not error < torch.finfo(Q.dtype).eps ** 0.5:
        raise RangeError(
            f"expected orthonormal columns, got QᵀQ = I + {error:.1g}; "
            "use Projection.onto(columns), which makes them so"
        )
