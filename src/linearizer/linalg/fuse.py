"""Evaluating a lazy expression into the tightest structure that holds it."""

import torch
from torch import Tensor

from linearizer._modes import exact, wide_dtype
from linearizer.operators.base import LinearOperator, Product, Scaled, Sum, Transpose
from linearizer.operators.blocks import Blocks
from linearizer.operators.dense import Dense
from linearizer.operators.diagonal import ScaledIdentity
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank, as_columns
from linearizer.operators.projection import OrthogonalProjection

_LAZY = (Transpose, Scaled, Sum, Product)
# Closed under sums and products, with other columns each time; so is a multiple of the identity.
_LOW_RANK = (LowRank, OrthogonalProjection)
_LOW_RANK_UPDATE = (IdentityPlusLowRank, ScaledIdentity, *_LOW_RANK)


@exact
def fuse(operator: LinearOperator) -> LinearOperator:
    """One operator without lazy nodes that equals `operator`.

    Sums and products of structured operators stay structured where the structure allows, and
    become a matrix where it does not: operators that are reduced to blocks by the same maps are
    combined block by block, a multiple of the identity joins any of them, and a product of
    identity-plus-low-rank ones is one again, of the sum of their ranks, up to n. Only the
    transpose of an operator with two different maps stays a `Transpose`. A part that occurs
    more than once is evaluated once. Half precision is evaluated in float32, and rounded at the
    end.

    Example:
        >>> import torch, linearizer as lz
        >>> u = torch.randn(9, 2)
        >>> A = lz.ScaledIdentity(9) + lz.LowRank(u, u)
        >>> type(lz.linalg.fuse(A @ A)).__name__, lz.linalg.fuse(A @ A).U.shape
        ('IdentityPlusLowRank', torch.Size([9, 4]))
    """
    if not isinstance(operator, _LAZY):
        return operator
    dtype = operator.dtype
    wide = wide_dtype(dtype)
    if wide == dtype:
        return _evaluated(operator, {})
    return _evaluated(operator._in_dtype(wide), {})._in_dtype(dtype)


def _evaluated(operator: LinearOperator, known: dict[int, LinearOperator]) -> LinearOperator:
    """`operator` without lazy nodes; `known` holds the parts that are evaluated already."""
    if not isinstance(operator, _LAZY):
        return operator
    if id(operator) not in known:
        known[id(operator)] = _node(operator, known)
    return known[id(operator)]


def _node(operator: LinearOperator, known: dict[int, LinearOperator]) -> LinearOperator:
    match operator:
        case Transpose():
            return _evaluated(operator.operator, known)._transposed()
        case Scaled():
            return _evaluated(operator.operator, known)._scaled(operator.factor)
        case Sum():
            return _sum(_evaluated(operator.left, known), _evaluated(operator.right, known))
        case Product():
            return _product(_evaluated(operator.left, known), _evaluated(operator.right, known))
    raise AssertionError(f"{type(operator).__name__} is not lazy")


def _sum(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    if A is B:
        return A._scaled(torch.full((), 2.0, dtype=A.dtype, device=A.device))
    if isinstance(A, ScaledIdentity):
        A, B = B, A
    # (α I + U Vᵀ) + (β I + S Tᵀ) = (α + β) I + [U, S] [V, T]ᵀ, and no identity where both are 0.
    if _both(A, B, _LOW_RANK_UPDATE) and not isinstance(A, ScaledIdentity):
        (a, U, V), (b, S, T) = _update(A), _update(B)
        factors = torch.cat([U, S], -1), torch.cat([V, T], -1)
        return LowRank(*factors) if _both(A, B, _LOW_RANK) else IdentityPlusLowRank(a + b, *factors)
    if isinstance(B, ScaledIdentity):
        parts = A.blocks()
        if parts.similar:  # L D Lᵀ + β I = L (D + β I) Lᵀ, as L Lᵀ = I
            return parts.rebuild(tuple(M + B.scale * _identity(M) for M in parts.matrices))
    if blockwise := _blockwise(A, B):
        parts, others = blockwise  # L D Rᵀ + L E Rᵀ = L (D + E) Rᵀ
        added = zip(parts.matrices, others.matrices, strict=True)
        return parts.rebuild(tuple(M + N for M, N in added))
    return Dense(A.to_dense() + B.to_dense(), A.in_shape, A.out_shape)


def _product(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    if isinstance(A, ScaledIdentity):
        return B._scaled(A.scale)
    if isinstance(B, ScaledIdentity):
        return A._scaled(B.scale)
    if isinstance(A, _LOW_RANK):  # U Vᵀ B = U (Bᵀ V)ᵀ
        _, U, V = _update(A)
        return LowRank(U, B._adjoint_image(V.movedim(-1, 0)).movedim(0, -1))
    if isinstance(B, _LOW_RANK):  # A S Tᵀ = (A S) Tᵀ
        _, S, T = _update(B)
        return LowRank(A._image(S.movedim(-1, 0)).movedim(0, -1), T)
    # (α I + U Vᵀ) (β I + S Tᵀ) = αβ I + U (β V)ᵀ + (α S + U VᵀS) Tᵀ
    if _both(A, B, _LOW_RANK_UPDATE):
        (a, U, V), (b, S, T) = _update(A), _update(B)
        if U.shape[-1] + S.shape[-1] > A.n_in:  # then a matrix is smaller
            return _matrix_product(A, B)
        left = torch.cat([U, a * S + U @ (as_columns(V).mT @ as_columns(S))], -1)
        return IdentityPlusLowRank(a * b, left, torch.cat([b * V, T], -1))
    blockwise = _blockwise(A, B)
    if blockwise and blockwise[0].similar and blockwise[1].similar:
        parts, others = blockwise  # L D Lᵀ L E Lᵀ = L D E Lᵀ, as LᵀL = I
        multiplied = zip(parts.matrices, others.matrices, strict=True)
        return parts.rebuild(tuple(M @ N for M, N in multiplied))
    return _matrix_product(A, B)


def _blockwise(A: LinearOperator, B: LinearOperator) -> tuple[Blocks, Blocks] | None:
    """The blocks of two structured operators, if the same maps reduce both."""
    if not (A.is_structured and B.is_structured) or isinstance(A, Dense) or isinstance(B, Dense):
        return None
    parts = A.blocks()
    others = parts if A is B else B.blocks()
    return (parts, others) if parts.shares_maps_with(others) else None


def _matrix_product(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    """The matrix of A B, by whichever of the two is structured acting on the other's matrix."""
    if isinstance(A, Dense):
        rows = B._adjoint_image(A.to_dense().unflatten(-1, B.out_shape))
        return Dense(rows.flatten(1), B.in_shape, A.out_shape)
    columns = A._image(B.to_dense().mT.unflatten(-1, A.in_shape))
    return Dense(columns.flatten(1).mT, B.in_shape, A.out_shape)


def _both(A: LinearOperator, B: LinearOperator, kinds: tuple[type[LinearOperator], ...]) -> bool:
    return isinstance(A, kinds) and isinstance(B, kinds)


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _update(A: LinearOperator) -> tuple[Tensor, Tensor, Tensor]:
    """`(α, U, V)` with A = α I + U Vᵀ."""
    match A:
        case LowRank():
            return A.U.new_zeros(()), A.U, A.V
        case OrthogonalProjection():
            return A.basis.new_zeros(()), A.basis, A.basis
        case IdentityPlusLowRank():
            return A.scale, A.U, A.V
        case ScaledIdentity():
            none = A.scale.new_zeros(*A.in_shape, 0)
            return A.scale, none, none
    raise AssertionError(f"{type(A).__name__} is no low-rank update")
