"""Evaluating a lazy expression into the tightest structure that holds it."""

from functools import singledispatch

import torch
from torch import Tensor

from linearizer.operators.base import LinearOperator, Product, Scaled, Sum, Transpose
from linearizer.operators.convolution import CircularConvolution
from linearizer.operators.dense import Dense
from linearizer.operators.diagonal import Diagonal, ScaledIdentity
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank, as_columns
from linearizer.operators.projection import Projection

# Families that are closed under sums and products; a multiple of the identity is in each.
_DIAGONAL = (Diagonal, ScaledIdentity)
_CONVOLUTION = (CircularConvolution, ScaledIdentity)
_LOW_RANK = (LowRank, Projection)
_LOW_RANK_UPDATE = (IdentityPlusLowRank, ScaledIdentity, *_LOW_RANK)


def fuse(operator: LinearOperator) -> LinearOperator:
    """One operator without lazy nodes that equals `operator`.

    Sums and products of structured operators stay structured where the structure allows (a
    product of identity-plus-low-rank ones is one again, of the sum of their ranks, up to n),
    and become a matrix where it does not.

    Example:
        >>> import torch, linearizer as lz
        >>> u = torch.randn(9, 2)
        >>> A = lz.ScaledIdentity(9) + lz.LowRank(u, u)
        >>> type(lz.fuse(A @ A)).__name__, lz.fuse(A @ A).U.shape
        ('IdentityPlusLowRank', torch.Size([9, 4]))
    """
    match operator:
        case Transpose():
            return transposed(fuse(operator.operator))
        case Scaled():
            return scaled(fuse(operator.operator), operator.factor)
        case Sum():
            return _sum(fuse(operator.left), fuse(operator.right))
        case Product():
            return _product(fuse(operator.left), fuse(operator.right))
    return operator


def _sum(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    if isinstance(A, ScaledIdentity) and isinstance(B, ScaledIdentity):
        return ScaledIdentity(A.in_shape, A.scale + B.scale)
    if _both(A, B, _DIAGONAL):
        return Diagonal(_diagonal(A) + _diagonal(B))
    if _both(A, B, _CONVOLUTION):
        return CircularConvolution.from_response(_response(A, B) + _response(B, A))
    if _both(A, B, _LOW_RANK_UPDATE):
        (a, U, V), (b, S, T) = _update(A), _update(B)
        factors = torch.cat([U, S], -1), torch.cat([V, T], -1)
        return LowRank(*factors) if _both(A, B, _LOW_RANK) else IdentityPlusLowRank(a + b, *factors)
    return Dense(A.to_dense() + B.to_dense(), A.in_shape, A.out_shape)


def _product(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    if isinstance(A, ScaledIdentity) and isinstance(B, ScaledIdentity):
        return ScaledIdentity(A.in_shape, A.scale * B.scale)
    if isinstance(A, _LOW_RANK):  # U Vᵀ B = U (Bᵀ V)ᵀ
        _, U, V = _update(A)
        return LowRank(U, B.adjoint(V.movedim(-1, 0)).movedim(0, -1))
    if isinstance(B, _LOW_RANK):  # A S Tᵀ = (A S) Tᵀ
        _, S, T = _update(B)
        return LowRank(A(S.movedim(-1, 0)).movedim(0, -1), T)
    if _both(A, B, _DIAGONAL):
        return Diagonal(_diagonal(A) * _diagonal(B))
    if _both(A, B, _CONVOLUTION):
        return CircularConvolution.from_response(_response(A, B) @ _response(B, A))
    if _both(A, B, _LOW_RANK_UPDATE):  # αβ I + [U, αS + U VᵀS] [βV, T]ᵀ
        (a, U, V), (b, S, T) = _update(A), _update(B)
        if U.shape[-1] + S.shape[-1] > A.n_in:  # then a matrix is smaller
            return _matrix_product(A, B)
        left = torch.cat([U, a * S + U @ (as_columns(V).mT @ as_columns(S))], -1)
        return IdentityPlusLowRank(a * b, left, torch.cat([b * V, T], -1))
    return _matrix_product(A, B)


def _matrix_product(A: LinearOperator, B: LinearOperator) -> LinearOperator:
    """The matrix of A B, by whichever of the two is structured acting on the other's matrix."""
    if isinstance(A, Dense):
        rows = B.adjoint(A.to_dense().unflatten(-1, B.out_shape))
        return Dense(rows.flatten(1), B.in_shape, A.out_shape)
    columns = A(B.to_dense().mT.unflatten(-1, A.in_shape))
    return Dense(columns.flatten(1).mT, B.in_shape, A.out_shape)


def _both(A: LinearOperator, B: LinearOperator, family: tuple[type[LinearOperator], ...]) -> bool:
    return isinstance(A, family) and isinstance(B, family)


def _diagonal(A: LinearOperator) -> Tensor:
    match A:
        case Diagonal():
            return A.diagonal
        case ScaledIdentity():
            return A.scale.expand(A.in_shape)
    raise AssertionError(f"{type(A).__name__} is not diagonal")


def _response(A: LinearOperator, like: LinearOperator) -> Tensor:
    """The frequency matrices of a convolution, or of a multiple of the identity like one."""
    match A:
        case CircularConvolution():
            return A.response()
        case ScaledIdentity():
            channels, *size = A.in_shape
            identity = torch.eye(channels, dtype=like.dtype, device=like.device)
            return (A.scale * identity).to(like.dtype.to_complex()).expand(*size, -1, -1)
    raise AssertionError(f"{type(A).__name__} has no frequency response")


def _update(A: LinearOperator) -> tuple[Tensor, Tensor, Tensor]:
    """`(α, U, V)` with A = α I + U Vᵀ."""
    match A:
        case LowRank():
            return A.U.new_zeros(()), A.U, A.V
        case Projection():
            return A.basis.new_zeros(()), A.basis, A.basis
        case IdentityPlusLowRank():
            return A.scale, A.U, A.V
        case ScaledIdentity():
            none = A.scale.new_zeros(*A.in_shape, 0)
            return A.scale, none, none
    raise AssertionError(f"{type(A).__name__} is no low-rank update")


@singledispatch
def transposed(A: LinearOperator) -> LinearOperator:
    """Aᵀ as an operator of its own, not lazily; what a class of a user's says of itself."""
    T = A.transpose()
    return Dense(A.to_dense().mT, A.out_shape, A.in_shape) if isinstance(T, Transpose) else T


@transposed.register(Diagonal)
@transposed.register(ScaledIdentity)
@transposed.register(Projection)
def _(A: LinearOperator) -> LinearOperator:
    return A


@transposed.register
def _(A: LowRank) -> LinearOperator:
    return LowRank(A.V, A.U)


@transposed.register
def _(A: IdentityPlusLowRank) -> LinearOperator:
    return IdentityPlusLowRank(A.scale, A.V, A.U)


@transposed.register
def _(A: CircularConvolution) -> LinearOperator:
    return CircularConvolution.from_response(A.response().mH)


@singledispatch
def scaled(A: LinearOperator, factor: Tensor) -> LinearOperator:
    """c · A as an operator of its own, not lazily."""
    return Dense(factor * A.to_dense(), A.in_shape, A.out_shape)


@scaled.register
def _(A: Diagonal, factor: Tensor) -> LinearOperator:
    return Diagonal(factor * A.diagonal)


@scaled.register
def _(A: ScaledIdentity, factor: Tensor) -> LinearOperator:
    return ScaledIdentity(A.in_shape, factor * A.scale)


@scaled.register(LowRank)
@scaled.register(Projection)
def _(A: LinearOperator, factor: Tensor) -> LinearOperator:
    _, U, V = _update(A)
    return LowRank(factor * U, V)


@scaled.register
def _(A: IdentityPlusLowRank, factor: Tensor) -> LinearOperator:
    return IdentityPlusLowRank(factor * A.scale, factor * A.U, A.V)


@scaled.register
def _(A: CircularConvolution, factor: Tensor) -> LinearOperator:
    return CircularConvolution(factor * A.kernel, A.size)
