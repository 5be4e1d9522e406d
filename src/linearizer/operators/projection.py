"""Orthogonal projections: idempotent by construction."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

from linearizer import _differentiable as differentiable
from linearizer._checks import check_finite
from linearizer._modes import in_dtype, wide_dtype
from linearizer._rotation import check_orthonormal, orthonormalized
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.base import LinearOperator, Symmetric, describe
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import check_real, register
from linearizer.operators.low_rank import (
    IdentityPlusLowRank,
    LowRank,
    as_columns,
    low_rank_product,
)

CURE = "use OrthogonalProjection.onto(columns), which makes them so"


class OrthogonalProjection(Symmetric):
    """`z ↦ Q (Qᵀ z)`, the orthogonal projection onto the span of orthonormal columns Q.

    `I - P` projects onto the rest. For columns that are not orthonormal use
    `OrthogonalProjection.onto`.

    Args:
        basis: Q of shape (*shape, k) with QᵀQ = I.

    Raises:
        ShapeError: If there are more columns than dimensions.
        RangeError: If the columns are not orthonormal.

    Example:
        >>> import torch, linearizer as lz
        >>> P = lz.OrthogonalProjection.onto(torch.randn(6, 2))
        >>> z = torch.randn(6)
        >>> torch.allclose(P(P(z)), P(z), atol=1e-6), lz.linalg.rank(P)
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
        check_orthonormal(as_columns(basis), CURE)
        super().__init__(basis.shape[:-1])
        register(self, "basis", basis)

    @classmethod
    def onto(cls, columns: Tensor) -> "OrthogonalProjection":
        """The projection onto the span of any columns (*shape, k).

        The basis has as many columns as the span has dimensions: singular values of the columns
        that are not above `eps · max(n, k) · σ_max` count as zero.

        Raises:
            RangeError: If all columns are zero.
            NonFiniteError: If there is NaN or infinity.
        """
        check_real(columns, "columns")
        check_finite(columns, "columns to span a space")
        N = as_columns(columns)
        Q, R = torch.linalg.qr(N.to(wide_dtype(N.dtype)))
        if not N.is_meta:
            S = torch.linalg.svdvals(R.detach())
            count = int((torch.finfo(N.dtype).eps * max(N.shape) * S.max() < S).sum())
            if not count:
                raise RangeError(
                    "expected columns that span something, got zeros alone; for the projection "
                    "onto nothing take ScaledIdentity(shape, 0.)"
                )
            if count < N.shape[1]:
                Q = differentiable.svd(N.to(Q.dtype))[0][:, :count]
        return cls(Q.to(N.dtype).unflatten(0, columns.shape[:-1]))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Columns rounded in one dtype are not orthonormal in a finer one: make them so again."""
        before = self.basis.dtype
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.basis.dtype != before:
            self.basis.data = _orthonormalized(self.basis.data)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """The same for columns that are loaded from another dtype."""
        super()._load_from_state_dict(state_dict, prefix, *rest)
        loaded = state_dict.get(prefix + "basis")
        if loaded is not None and loaded.dtype != self.basis.dtype:
            self.basis.data = _orthonormalized(self.basis.data)

    def _in_dtype(self, dtype: torch.dtype) -> LinearOperator:
        twin = in_dtype(self, dtype)
        if dtype != self.basis.dtype:
            twin._buffers["basis"] = _orthonormalized(twin.basis)
        return twin

    def _forward(self, z: Tensor) -> Tensor:
        return low_rank_product(self.basis, self.basis, z)

    def _scaled(self, factor: Tensor) -> LinearOperator:
        return LowRank(factor * self.basis, self.basis)

    def blocks(self) -> Blocks:
        """An identity block on the range and a zero one beside it: nothing is computed at all.

        Raises:
            RangeError: If the columns are not orthonormal any more, after training them, say.
        """
        check_finite(self.basis, f"the entries of {describe(self)}")
        check_orthonormal(as_columns(self.basis), CURE)
        k = self.basis.shape[-1]
        one = self.basis.new_ones(1, 1, 1)

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            inside, outside = (part.reshape(()) for part in parts)
            return IdentityPlusLowRank(outside, (inside - outside) * self.basis, self.basis)

        return Blocks((one, 0 * one), (k, self.n_in - k), rebuild)


def _orthonormalized(basis: Tensor) -> Tensor:
    return orthonormalized(as_columns(basis)).unflatten(0, basis.shape[:-1])
