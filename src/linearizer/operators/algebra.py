"""Linear algebra of operators: each function once, on the blocks of whatever structure.

One tolerance everywhere: a singular value counts as zero unless it is strictly greater than
`eps · max(m, n) · σ_max`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from linearizer.errors import RangeError, ShapeError, SingularOperatorError
from linearizer.operators.base import LinearOperator, describe
from linearizer.operators.blocks import Blocks, blocks
from linearizer.operators.diagonal import ScaledIdentity
from linearizer.operators.fuse import fuse, transposed
from linearizer.operators.principal_power import principal_power


def singular_values(A: LinearOperator) -> Tensor:
    """All min(m, n) singular values, largest first.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.singular_values(lz.LowRank(torch.eye(4)[:, :2], torch.eye(3)[:, :2]))
        tensor([1., 1., 0.])
    """
    parts = _blocks(A)
    values = torch.cat(
        [
            torch.linalg.svdvals(matrices).flatten().repeat_interleave(times)
            for matrices, times in zip(parts.matrices, parts.multiplicities, strict=True)
        ]
    )
    count = min(A.n_in, A.n_out)
    zeros = values.new_zeros(max(count - values.numel(), 0))
    return torch.cat([values, zeros]).sort(descending=True).values[:count]


def tolerance(A: LinearOperator, largest: Tensor | None = None) -> float:
    """`eps · max(m, n) · σ_max`: what is not strictly greater counts as zero."""
    if largest is None:
        largest = singular_values(A)[0]
    return torch.finfo(A.dtype).eps * max(A.n_in, A.n_out) * float(largest.detach())


def rank(A: LinearOperator) -> int:
    """The number of singular values above `tolerance`."""
    values = singular_values(A)
    return int((values > tolerance(A, values[0])).sum())


def norm(A: LinearOperator) -> Tensor:
    """The spectral norm σ_max."""
    return singular_values(A)[0]


def cond(A: LinearOperator) -> Tensor:
    """The condition number σ_max / σ_min; infinite for a singular operator."""
    values = singular_values(A)
    if bool(values[-1] > tolerance(A, values[0])):
        return values[0] / values[-1]
    return torch.full_like(values[0], torch.inf)


def logabsdet(A: LinearOperator) -> Tensor:
    """log |det A| of a square operator; -inf, or as low as rounding allows, for a singular one.

    Example:
        >>> import torch, linearizer as lz
        >>> u = torch.full((9, 1), 1 / 3)
        >>> lz.logabsdet(lz.IdentityPlusLowRank(1., u, u))        # log 2
        tensor(0.6931)
    """
    parts = _square(A, "a determinant")
    return torch.stack(
        [
            times * torch.linalg.slogdet(matrices).logabsdet.sum()
            for matrices, times in zip(parts.matrices, parts.multiplicities, strict=True)
            if times
        ]
    ).sum()


def pinv(A: LinearOperator) -> LinearOperator:
    """The Moore-Penrose pseudo-inverse A⁺, of the structure of A.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.pinv(lz.Diagonal(torch.tensor([4., 0.]))).diagonal
        tensor([0.2500, 0.0000])
    """
    parts = _blocks(A)
    atol = tolerance(A)
    inverted = tuple(
        torch.linalg.pinv(matrices, atol=atol, rtol=0.0).mH for matrices in parts.matrices
    )
    return transposed(parts.rebuild(inverted))  # (A⁺)ᵀ has the shape of A


def solve(A: LinearOperator, y: Tensor) -> Tensor:
    """The z of least norm among those that minimise |A z - y|, which is A⁺ y."""
    z: Tensor = pinv(A)(y)
    return z


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
        if rank(A) < A.n_in:
            raise SingularOperatorError(
                f"expected an invertible operator for the power {n}, got one of rank {rank(A)} "
                f"below {A.n_in}; use pinv for a pseudo-inverse"
            )
        return matrix_power(pinv(A), -n)
    return matrix_function(A, lambda M: torch.linalg.matrix_power(M, n), "a power")


def power(A: LinearOperator, exponent: float) -> LinearOperator:
    """The principal power Aˢ for a real s, of the structure of A; `power(A, 0.5)` squared is A.

    Raises:
        RangeError: If s is not finite.
        NoRealRootError: If A has a negative eigenvalue, or none at zero that allows a root.
        SingularOperatorError: If s is negative and A has no inverse.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.power(lz.Diagonal(torch.tensor([4., 9.])), 0.5).diagonal
        tensor([2., 3.])
    """
    if not math.isfinite(exponent):
        raise RangeError(f"expected a finite exponent, got {exponent}")
    if float(exponent).is_integer():
        return matrix_power(A, int(exponent))
    if exponent < 0:
        return power(matrix_power(A, -1), -exponent)
    _square(A, "a power")
    zero = tolerance(A)
    return matrix_function(A, lambda M: principal_power(M, exponent, zero), "a power")


def expm(A: LinearOperator, t: float | Tensor = 1.0) -> LinearOperator:
    """exp(t A), of the structure of A; the flow of dz/dt = A z."""
    return matrix_function(A, lambda M: torch.linalg.matrix_exp(t * M), "an exponential")


def matrix_function(
    A: LinearOperator, function: Callable[[Tensor], Tensor], what: str = "a function"
) -> LinearOperator:
    """The operator f(A) for a matrix function f, which gets batches (..., n, n) of blocks.

    f must be a true matrix function (of the eigenvalues), so that it may act on each block
    of an orthogonal reduction by itself; blocks can be complex.
    """
    parts = _square(A, what)
    return parts.rebuild(tuple(function(matrices) for matrices in parts.matrices))


def _blocks(A: LinearOperator) -> Blocks:
    return blocks(fuse(A))


def _check_square(A: LinearOperator, what: str) -> None:
    if A.in_shape != A.out_shape:
        raise ShapeError(f"expected a square operator for {what}, got {describe(A)}")


def _square(A: LinearOperator, what: str) -> Blocks:
    _check_square(A, what)
    parts = _blocks(A)
    if not parts.similar:
        raise RangeError(f"expected a similarity for {what} of {describe(A)}, got two bases")
    return parts
