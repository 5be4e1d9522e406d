"""Linear algebra of operators: each function once, on the blocks of whatever structure.

One tolerance everywhere: a singular value counts as zero unless it is strictly greater than
`eps · max(m, n) · σ_max`.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from linearizer import _differentiable as differentiable
from linearizer._checks import check_finite
from linearizer._modes import exact, wide_dtype
from linearizer.errors import RangeError, ShapeError, SingularOperatorError
from linearizer.linalg.fuse import fuse
from linearizer.linalg.real_powers import matrix_log, principal_power
from linearizer.operators.base import LinearOperator, describe
from linearizer.operators.blocks import Blocks
from linearizer.operators.diagonal import ScaledIdentity


@exact
def singular_values(A: LinearOperator) -> Tensor:
    """All min(m, n) singular values, largest first.

    Raises:
        NonFiniteError: If A has NaN or infinite entries, as every function of operators does.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.singular_values(lz.LowRank(torch.eye(4)[:, :2], torch.eye(3)[:, :2]))
        tensor([1., 1., 0.])
    """
    return _singular_values(A, _blocks(A)).to(A.dtype)


@exact
def tolerance(A: LinearOperator, largest: Tensor | None = None) -> float:
    """`eps · max(m, n) · σ_max`: what is not strictly greater counts as zero."""
    if largest is None:
        largest = _singular_values(A, _blocks(A))[0]
    return torch.finfo(A.dtype).eps * max(A.n_in, A.n_out) * float(largest.detach())


@exact
def rank(A: LinearOperator) -> int:
    """The number of singular values above `tolerance`."""
    return _rank(A, _singular_values(A, _blocks(A)))


@exact
def norm(A: LinearOperator) -> Tensor:
    """The spectral norm σ_max; its gradient is that of one of them, where several are largest."""
    return _singular_values(A, _blocks(A))[0].to(A.dtype)


@exact
def cond(A: LinearOperator) -> Tensor:
    """The condition number σ_max / σ_min; infinite for a singular operator, with gradient zero."""
    values = _singular_values(A, _blocks(A))
    regular = values[-1] > tolerance(A, values[0])
    ratio = torch.where(regular, values[0], 0) / torch.where(regular, values[-1], 1)
    return torch.where(regular, ratio, torch.inf).to(A.dtype)


@exact
def logabsdet(A: LinearOperator) -> Tensor:
    """log |det A| of a square operator; -inf, or as low as rounding allows, for a singular one.

    Where it is -inf there is no derivative, and the gradient is zero.

    Example:
        >>> import torch, linearizer as lz
        >>> u = torch.full((9, 1), 1 / 3)
        >>> lz.linalg.logabsdet(lz.IdentityPlusLowRank(1., u, u))        # log 2
        tensor(0.6931)
    """
    parts = _square(A, "a determinant")
    return (
        torch.stack(
            [
                times * _log_abs_det(matrices).sum()
                for matrices, times in zip(parts.matrices, parts.multiplicities, strict=True)
                if times
            ]
        )
        .sum()
        .to(A.dtype)
    )


@exact
def pinv(A: LinearOperator) -> LinearOperator:
    """The Moore-Penrose pseudo-inverse A⁺, of the structure of A.

    Its gradient is that of operators of the same rank; where the rank changes there is none.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.pinv(lz.Diagonal(torch.tensor([4., 0.]))).diagonal
        tensor([0.2500, 0.0000])
    """
    return _pinv(A, _blocks(A))


@exact
def polar(A: LinearOperator) -> LinearOperator:
    """The orthogonal factor W of `A = W (AᵀA)^½` of a square A, of the structure of A.

    Of the singular value decomposition `A = U Σ Vᵀ` it is `U Vᵀ`, the orthogonal operator that is
    nearest to A; unique where A is invertible. Source: Higham, Functions of Matrices, 2008,
    chapter 8.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.polar(lz.Diagonal(torch.tensor([4., -3.]))).diagonal
        tensor([ 1., -1.])
    """
    _check_square(A, "a polar decomposition")
    parts = _blocks(A)
    factors = (differentiable.svd(matrices) for matrices in parts.matrices)
    return parts.rebuild(tuple(U @ Vh for U, _, Vh in factors))


@exact
def matrix_power(A: LinearOperator, n: int) -> LinearOperator:
    """Aⁿ for a whole n, of the structure of A.

    Raises:
        SingularOperatorError: If n is negative and A has no inverse.
    """
    if n == 0:
        _check_square(A, "a power")
        return ScaledIdentity(A.in_shape, torch.ones((), dtype=A.dtype, device=A.device))
    if n < 0:
        _check_square(A, "a power")
        parts = _blocks(A)
        found = _rank(A, _singular_values(A, parts))
        if found < A.n_in:
            raise SingularOperatorError(
                f"expected an invertible operator for the power {n}, got one of rank {found} "
                f"below {A.n_in}; use pinv for a pseudo-inverse"
            )
        inverse = _pinv(A, parts)
        return inverse if n == -1 else matrix_power(inverse, -n)
    return matrix_function(A, lambda M: torch.linalg.matrix_power(M, n), "a power")


@exact
def power(A: LinearOperator, exponent: float) -> LinearOperator:
    """The principal power Aˢ for a real s, of the structure of A; `power(A, 0.5)` squared is A.

    Raises:
        RangeError: If s is not finite.
        NoRealRootError: If A has a negative eigenvalue, or none at zero that allows a root.
        SingularOperatorError: If s is negative and A has no inverse.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.power(lz.Diagonal(torch.tensor([4., 9.])), 0.5).diagonal
        tensor([2., 3.])
    """
    if not math.isfinite(exponent):
        raise RangeError(f"expected a finite exponent, got {exponent}")
    if float(exponent).is_integer():
        return matrix_power(A, int(exponent))
    if exponent < 0:
        return power(matrix_power(A, -1), -exponent)
    parts = _square(A, "a power")
    zero = tolerance(A, _singular_values(A, parts)[0])
    return parts.rebuild(tuple(principal_power(M, exponent, zero) for M in parts.matrices))


@exact
def expm(A: LinearOperator, t: float | Tensor = 1.0) -> LinearOperator:
    """exp(t A), of the structure of A; the flow of dz/dt = A z."""
    return matrix_function(A, lambda M: torch.linalg.matrix_exp(t * M), "an exponential")


@exact
def logm(A: LinearOperator) -> LinearOperator:
    """The principal logarithm of A, of the structure of A: the L with `expm(L) = A`.

    Its eigenvalues have imaginary parts between -π and π: of the flow `A = e^{Lt}` it is `L t`
    where nothing turns by more than half a turn in the time t.

    Raises:
        NoRealRootError: If A has a negative eigenvalue, or is singular.
        NotConvergedError: If rounding left nothing of the logarithm.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.logm(lz.Diagonal(torch.tensor([1., torch.e]))).diagonal
        tensor([0., 1.])
    """
    parts = _square(A, "a logarithm")
    zero = tolerance(A, _singular_values(A, parts)[0])
    return parts.rebuild(tuple(matrix_log(M, zero) for M in parts.matrices))


@exact
def matrix_function(
    A: LinearOperator, function: Callable[[Tensor], Tensor], what: str = "a function"
) -> LinearOperator:
    """The operator f(A) for a matrix function f, which gets batches (..., n, n) of blocks.

    f must be a true matrix function (of the eigenvalues), so that it may act on each block
    of an orthogonal reduction by itself; blocks can be complex.
    """
    parts = _square(A, what)
    return parts.rebuild(tuple(function(matrices) for matrices in parts.matrices))


def evaluated(A: LinearOperator) -> LinearOperator:
    """A without lazy nodes, in a precision that has decompositions: what these functions take."""
    return fuse(A)._in_dtype(wide) if (wide := wide_dtype(A.dtype)) != A.dtype else fuse(A)


def finite_matrix(A: LinearOperator, what: LinearOperator) -> Tensor:
    """The matrix of an evaluated operator, if its entries are finite numbers."""
    matrix = A.to_dense()
    check_finite(matrix, f"the entries of {describe(what)}")
    return matrix


def _blocks(A: LinearOperator) -> Blocks:
    """The blocks of A, finite; what is rebuilt of others is of the dtype of A again."""
    parts = evaluated(A).blocks()
    for matrices in parts.matrices:
        check_finite(matrices, f"the entries of {describe(A)}")
    if wide_dtype(A.dtype) == A.dtype:
        return parts
    return replace(parts, rebuild=lambda new: parts.rebuild(new)._in_dtype(A.dtype))


def _singular_values(A: LinearOperator, parts: Blocks) -> Tensor:
    values = torch.cat(
        [
            torch.linalg.svdvals(matrices).flatten().repeat_interleave(times)
            for matrices, times in zip(parts.matrices, parts.multiplicities, strict=True)
        ]
    )
    count = min(A.n_in, A.n_out)
    zeros = values.new_zeros(max(count - values.numel(), 0))
    return torch.cat([values, zeros]).sort(descending=True).values[:count]


def _rank(A: LinearOperator, values: Tensor) -> int:
    return int((values > tolerance(A, values[0])).sum())


def _pinv(A: LinearOperator, parts: Blocks) -> LinearOperator:
    atol = tolerance(A, _singular_values(A, parts)[0])
    inverted = tuple(
        torch.linalg.pinv(matrices, atol=atol, rtol=0.0).mH for matrices in parts.matrices
    )
    return parts.rebuild(inverted)._transposed()  # (A⁺)ᵀ has the shape of A


def _log_abs_det(matrices: Tensor) -> Tensor:
    """log |det| of each, with gradient zero where it is -inf."""
    singular = torch.linalg.slogdet(matrices.detach()).logabsdet.isneginf()
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    regular = torch.where(singular[..., None, None], identity, matrices)
    return torch.where(singular, -torch.inf, torch.linalg.slogdet(regular).logabsdet)


def _check_square(A: LinearOperator, what: str) -> None:
    if A.in_shape != A.out_shape:
        raise ShapeError(f"expected a square operator for {what}, got {describe(A)}")


def _square(A: LinearOperator, what: str) -> Blocks:
    _check_square(A, what)
    parts = _blocks(A)
    if not parts.similar:
        raise RangeError(f"expected a similarity for {what} of {describe(A)}, got two bases")
    return parts
