"""The laws of an operator and of its algebra."""

import torch
from torch import Tensor

from linearizer import linalg
from linearizer._checks import reference
from linearizer._modes import wide_dtype
from linearizer.errors import NoRealRootError
from linearizer.operators import LinearOperator
from linearizer.testing.laws import Laws, Random, check_batches, length


@torch.no_grad()
def check_operator(
    A: LinearOperator, *, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that A is linear, and that its algebra is that of its matrix.

    `A(az + by) = a A z + b A y`, `⟨Az, y⟩ = ⟨z, Aᵀy⟩`, the four Penrose conditions of `pinv`,
    `A = U Σ Vᵀ` with orthonormal U and V, rank, norm, condition; and for a square A its
    powers, `exp(sA) exp(tA) = exp((s+t)A)`, `log|det A|` and, where there is one, the root.

    Args:
        A: The operator; its matrix is formed, so take a small one.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random vectors.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import check_operator
        >>> errors = check_operator(lz.LowRank(*torch.randn(2, 5, 2)))
        >>> errors["A A⁺ A = A"] < 1e-4
        True
    """
    laws = Laws(A, A.dtype, rtol)
    random = Random(seed, reference(A))
    z, z2, y = random(4, *A.in_shape), random(4, *A.in_shape), random(4, *A.out_shape)
    wide = wide_dtype(A.dtype)  # half precision has no decompositions to compare with
    M = A.to_dense().to(wide)
    laws.holds("shape of the matrix", M.shape == (A.n_out, A.n_in))
    laws.holds("finite matrix", bool(torch.isfinite(M).all()))
    size = torch.linalg.matrix_norm(M, ord=2)
    image, back = A(z), A.adjoint(y)
    laws.holds("shape of forward", image.shape == y.shape)
    laws.holds("shape of adjoint", back.shape == z.shape)
    laws.holds("dtype and device", (image.dtype, image.device) == (z.dtype, z.device))
    laws.equal("linear", A(2.5 * z - 0.75 * z2), 2.5 * image - 0.75 * A(z2), size)
    check_batches(laws, A, z, image, "")
    check_batches(laws, A.adjoint, y, back, " of the adjoint")
    transposed_twice = A.T.T(z)
    z, y, image, back = (t.to(wide) for t in (z, y, image, back))
    sides = (image * y).flatten(1).sum(1), (z * back).flatten(1).sum(1)
    laws.equal("adjoint", *sides, size * length(z) * length(y))
    laws.equal("matrix", image.flatten(1), z.flatten(1) @ M.mT, size)
    laws.equal("matrix of the transpose", A.T.to_dense(), M.mT, size)
    laws.equal("transpose of the transpose", transposed_twice, image, size)
    laws.equal("fuse", linalg.fuse(A).to_dense(), M, size)
    _check_combinations(laws, A, M)
    _check_pseudo_inverse(laws, A, M)
    _check_singular(laws, A, M)
    if A.in_shape == A.out_shape:
        _check_powers(laws, A, M)
        _check_exponential(laws, A, M)
        _check_root(laws, A, M)
    return laws.errors


def _check_combinations(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    """Sums and products that the blocks of A may make: if they say so, they must be right."""
    square = M.abs().max() ** 2
    laws.equal("2 A", linalg.fuse(2 * A).to_dense(), 2 * M, M)
    laws.equal("A + A/2", linalg.fuse(A + A / 2).to_dense(), 1.5 * M, M)
    laws.equal("A Aᵀ", linalg.fuse(A @ A.T).to_dense(), M @ M.mT, square)
    if A.in_shape == A.out_shape:
        laws.equal("A A/2", linalg.fuse(A @ (A / 2)).to_dense(), M @ M / 2, square)


def _check_pseudo_inverse(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    P = linalg.pinv(A).to_dense().to(M)
    one = torch.ones_like(M[0, 0])
    laws.equal("A A⁺ A = A", M @ P @ M, M)
    laws.equal("A⁺ A A⁺ = A⁺", P @ M @ P, P)
    laws.equal("A A⁺ is symmetric", (M @ P).mT, M @ P, one)
    laws.equal("A⁺ A is symmetric", (P @ M).mT, P @ M, one)


def _check_singular(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    values = torch.linalg.svdvals(M)
    U, S, V = linalg.svd(A)
    U, S, V = U.flatten(1).to(M), S.to(M), V.flatten(1).to(M)
    identity = torch.eye(len(S)).to(M)
    laws.equal("A = U Σ Vᵀ", (U.mT * S) @ V, M, values[0])
    laws.equal("U is orthonormal", U @ U.mT, identity)
    laws.equal("V is orthonormal", V @ V.mT, identity)
    laws.equal("svd's singular values", S, values[: len(S)], values[0])
    laws.equal("singular values", linalg.singular_values(A), values)
    laws.equal("norm", linalg.norm(A), values[0])
    zero, rank = linalg.tolerance(A), linalg.rank(A)
    surely, at_most = (int((values > factor * zero).sum()) for factor in (10.0, 0.1))
    laws.holds("rank", surely <= rank <= at_most)
    laws.equal("cond", values[0] / linalg.cond(A), values[-1], values[0])


def _check_powers(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    identity = torch.eye(len(M)).to(M)
    laws.equal("A⁰ = I", linalg.matrix_power(A, 0).to_dense(), identity)
    laws.equal("A³ = A A A", linalg.matrix_power(A, 3).to_dense(), M @ M @ M)
    log_det = linalg.logabsdet(A).to(M)
    if linalg.rank(A) == len(M):
        laws.equal("A⁻¹ A = I", linalg.matrix_power(A, -1).to_dense().to(M) @ M, identity)
        expected = torch.linalg.slogdet(M).logabsdet
        laws.equal("log|det A|", log_det, expected, torch.ones_like(expected))
    elif bool(linalg.norm(A) > 0):
        relative = (log_det - len(M) * linalg.norm(A).log()).exp()
        laws.equal("det A = 0", relative, torch.zeros_like(relative), torch.ones_like(relative))


def _check_exponential(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    s, t = (factor / max(float(linalg.norm(A)), 1e-30) for factor in (0.7, -1.1))
    first, second = (linalg.expm(A, factor).to_dense().to(M) for factor in (s, t))
    laws.equal("exp(sA) exp(tA) = exp((s+t)A)", first @ second, linalg.expm(A, s + t).to_dense())
    laws.equal("exp(sA)", first, torch.linalg.matrix_exp(s * M))


def _check_root(laws: Laws, A: LinearOperator, M: Tensor) -> None:
    """A^½ A^½ = A, or a refusal exactly where an eigenvalue is negative or A is singular."""
    values, zero = torch.linalg.eigvals(M), linalg.tolerance(A)
    negative = bool(((values.real < -10 * zero) & (values.imag == 0)).any())
    clear = linalg.rank(A) == len(M) and not bool(
        ((values.real < 0) & (values.imag.abs() <= 10 * zero)).any()
    )
    try:
        root = linalg.power(A, 0.5).to_dense().to(M)
    except NoRealRootError:
        laws.holds("A^½ exists", not clear)
        return
    laws.holds("A^½ is refused", not negative)
    laws.equal("A^½ A^½ = A", root @ root, M)
