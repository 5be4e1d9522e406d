"""The principal real power of a matrix, where there is one."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from linearizer.errors import NoRealRootError, NotConvergedError


def principal_power(M: Tensor, exponent: float, zero: float) -> Tensor:
    """M^s for s > 0 and a batch of matrices (..., n, n), real or complex.

    By eigendecomposition; where the eigenvectors are too close to dependent for that (a shear,
    say), as exp(s log M) with the logarithm by inverse scaling and squaring.

    The gradient is that of Daleckii and Krein, in divided differences of the eigenvalues, so it
    is right for repeated ones too. At eigenvalue zero a root has no derivative: there the
    gradient is zero, and beside it that of matrices of the same rank.

    Args:
        M: The matrices.
        exponent: s.
        zero: Eigenvalues of at most this size count as zero.

    Raises:
        NoRealRootError: If an eigenvalue is negative, or zero and defective.
        NotConvergedError: If rounding left nothing of the logarithm.
    """
    if torch.equal(M, M.mH):
        values, vectors = torch.linalg.eigh(M.detach())
        return _power_by_eigenvectors(M, exponent, zero, values.to(M.dtype), vectors, vectors.mH)
    values, vectors = torch.linalg.eig(M.detach())
    good = torch.linalg.cond(vectors) < torch.finfo(M.dtype).eps ** (-1 / 3)
    if not bool(good.any()):
        return _power_by_logarithm(M, exponent, zero)
    powers = torch.empty_like(M)  # of a batch, only what needs the logarithm pays for it
    basis = vectors[good]
    powers[good] = _power_by_eigenvectors(
        M[good], exponent, zero, values[good], basis, torch.linalg.inv(basis)
    )
    if not bool(good.all()):
        powers[~good] = _power_by_logarithm(M[~good], exponent, zero)
    return powers


def _power_by_eigenvectors(
    M: Tensor, exponent: float, zero: float, values: Tensor, vectors: Tensor, inverse: Tensor
) -> Tensor:
    """`V diag(λ^s) V⁻¹`, real for a real M."""
    _check_off_negative_axis(values, zero)
    values = torch.where(values.abs() <= zero, 0, values)
    power: Tensor = _EigenPower.apply(M, exponent, values, vectors, inverse)  # type: ignore[no-untyped-call]
    return power


class _EigenPower(torch.autograd.Function):
    """`V diag(λ^s) V⁻¹` of M = V diag(λ) V⁻¹, and its derivative `V (F ∘ (V⁻¹ dM V)) V⁻¹`.

    F holds the divided differences `(λ_i^s - λ_j^s) / (λ_i - λ_j)`, and `s λ^(s-1)` for equal
    eigenvalues. Source: Daleckii and Krein; Higham, Functions of Matrices, 2008, theorem 3.11.
    """

    @staticmethod
    def forward(
        ctx: Any, M: Tensor, exponent: float, values: Tensor, vectors: Tensor, inverse: Tensor
    ) -> Tensor:
        ctx.exponent = exponent
        ctx.save_for_backward(values, vectors, inverse)
        power = vectors @ (_scalar_power(values, exponent).unsqueeze(-1) * inverse)
        return power if M.is_complex() else _real(power)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, V, inverse = ctx.saved_tensors
        F = _divided_differences(values, ctx.exponent)
        inside = V.mH @ gradient.to(V.dtype) @ inverse.mH
        result = inverse.mH @ (F.conj() * inside) @ V.mH
        return result if gradient.is_complex() else _real(result), None, None, None, None


def _scalar_power(values: Tensor, exponent: float) -> Tensor:
    """λ^s, and zero for zero, also where s is negative."""
    vanishing = values == 0
    return torch.where(vanishing, 1, values).pow(exponent) * ~vanishing


def _divided_differences(values: Tensor, exponent: float) -> Tensor:
    left, right = values.unsqueeze(-1), values.unsqueeze(-2)
    larger = torch.maximum(left.abs(), right.abs())
    close = (left - right).abs() <= torch.finfo(values.dtype).eps ** (1 / 3) * larger
    rise = _scalar_power(left, exponent) - _scalar_power(right, exponent)
    slope = exponent * _scalar_power((left + right) / 2, exponent - 1)
    return torch.where(close, slope, rise / torch.where(close, 1, left - right))


def _power_by_logarithm(M: Tensor, exponent: float, zero: float) -> Tensor:
    """`M^s = N^(s-1) M` for `N = M P + c (I - P)`, with P the orthogonal projector on the range.

    N is M on the range of M, because P x = x there, and all that M returns lies there: so
    `N^(s-1) M = M^(s-1) M`. Beside it N is c = σ_max, so that it has a logarithm also where M is
    singular, unless the eigenvalue zero is defective. N^(s-1) multiplies rounding by up to
    1 / σ_min(N), so what would lose half of the digits counts as defective.
    """
    S = torch.linalg.svdvals(M.detach())
    identity = torch.eye(M.shape[-1], dtype=M.dtype, device=M.device)
    if bool((zero < S).all()):
        return torch.linalg.matrix_exp(exponent * matrix_log(M, zero))
    P = M @ torch.linalg.pinv(M, atol=zero, rtol=0.0)
    largest = float(S.max())
    N = M @ P + largest * (identity - P)
    logarithm = matrix_log(N, torch.finfo(M.dtype).eps ** 0.5 * largest)
    return torch.linalg.matrix_exp((exponent - 1) * logarithm) @ M


def matrix_log(M: Tensor, zero: float) -> Tensor:
    """The principal logarithm of a batch of matrices (..., n, n).

    Square roots bring M near I, a Padé approximant takes the logarithm there, and doubling
    undoes the roots: `log M = 2^k log M^(1/2^k)`. The approximant is Gauss and Legendre's rule
    for `log(I + X) = ∫₀¹ (I + tX)⁻¹ X dt` (Higham, Functions of Matrices, 2008, chapter 11).

    Args:
        M: The matrices.
        zero: Singular values and negative eigenvalues of at most this size count as zero.

    Raises:
        NoRealRootError: If an eigenvalue is negative, or M is singular.
        NotConvergedError: If the exponential of the result is not M.
    """
    if bool((torch.linalg.svdvals(M) <= zero).any()):
        raise NoRealRootError(
            "expected a matrix with a real power or logarithm, got a singular one, and for a power "
            "one with a defective eigenvalue zero; project its null space away first"
        )
    _check_off_negative_axis(torch.linalg.eigvals(M), zero)
    identity = torch.eye(M.shape[-1], dtype=M.dtype, device=M.device)
    near, roots = M, 0
    while float((near - identity).detach().abs().sum(-2).max()) > 0.25:
        near, roots = _square_root(near), roots + 1
    nodes, weights = _gauss_legendre(8, identity)
    X = near - identity
    total = torch.zeros_like(X)
    for node, weight in zip(nodes, weights, strict=True):
        total = total + weight * torch.linalg.solve(identity + node * X, X)
    logarithm = 2**roots * total
    error = (torch.linalg.matrix_exp(logarithm) - M).detach().abs().max()
    residual = float(error / M.detach().abs().max())
    if not residual <= torch.finfo(M.dtype).eps ** 0.5:
        raise NotConvergedError("the logarithm of a matrix", residual, roots)
    return logarithm


def _square_root(M: Tensor, steps: int = 60) -> Tensor:
    """The principal square root by the product form of the Denman-Beavers iteration.

    Newton's iteration for X² = M with `product = X⁻¹ M X⁻¹`, which tends to I, beside X: unlike
    the plain one it is stable (Cheng, Higham, Kenney, Laub, 2001).
    """
    identity = torch.eye(M.shape[-1], dtype=M.dtype, device=M.device)
    root, product = M, M
    accuracy = 10 * M.shape[-1] * torch.finfo(M.dtype).eps
    for _ in range(steps):
        inverse = torch.linalg.inv(product)
        root = 0.5 * root @ (identity + inverse)
        product = 0.5 * identity + 0.25 * (product + inverse)
        residual = float((product - identity).detach().abs().max())
        if residual <= accuracy:
            return root
    raise NotConvergedError("the square root of a matrix", residual, steps)


def _gauss_legendre(count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights on [0, 1], as eigenvalues of the Jacobi matrix (Golub-Welsch)."""
    k = torch.arange(1, count, dtype=torch.float64)
    off = k / (4 * k**2 - 1).sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return ((nodes + 1) / 2).to(like), (vectors[0] ** 2).to(like)


def _check_off_negative_axis(values: Tensor, zero: float) -> None:
    real, imaginary = (values.real, values.imag) if values.is_complex() else (values, 0 * values)
    negative = (real < -zero) & (imaginary.abs() <= zero)
    if bool(negative.any()):
        raise NoRealRootError(
            f"expected no negative eigenvalue for a fractional power or a logarithm, got "
            f"{float(real[negative][0]):.4g}; "
            "use a whole exponent, or A.T @ A"
        )


def _real(result: Tensor) -> Tensor:
    return result.real if result.is_complex() else result
