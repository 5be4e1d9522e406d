"""The laws of an operator and of its algebra."""

import torch
from torch import Tensor

from linearizer import linalg
from linearizer._checks import reference
from linearizer._modes import wide_dtype
from linearizer.errors import NoRealRootError
from linearizer.laws.relative import Laws, Random, Within, length
from linearizer.operators import LinearOperator


@torch.no_grad()
def operator_laws(A: LinearOperator, *, rtol: float | None = None, seed: int = 0) -> Laws:
    """A is linear, and its algebra is that of its matrix: see `testing.check_operator`."""
    within = Within(rtol, A.dtype)
    random = Random(seed, reference(A))
    z, z2, y = random(4, *A.in_shape), random(4, *A.in_shape), random(4, *A.out_shape)
    wide = wide_dtype(A.dtype)  # half precision has no decompositions to compare with
    M = A.to_dense().to(wide)
    yield within.true("shape of the matrix", M.shape == (A.n_out, A.n_in))
    yield within.true("finite matrix", bool(torch.isfinite(M).all()))
    size = torch.linalg.matrix_norm(M, ord=2)
    image, back = A(z), A.adjoint(y)
    yield within.true("shape of forward", image.shape == y.shape)
    yield within.true("shape of adjoint", back.shape == z.shape)
    yield within.true("dtype and device", (image.dtype, image.device) == (z.dtype, z.device))
    yield within.equal("linear", A(2.5 * z - 0.75 * z2), 2.5 * image - 0.75 * A(z2), size)
    yield from within.batches(A, z, image, "")
    yield from within.batches(A.adjoint, y, back, " of the adjoint")
    transposed_twice = A.T.T(z)
    z, y, image, back = (t.to(wide) for t in (z, y, image, back))
    sides = (image * y).flatten(1).sum(1), (z * back).flatten(1).sum(1)
    yield within.equal("adjoint", *sides, size * length(z) * length(y))
    yield within.equal("matrix", image.flatten(1), z.flatten(1) @ M.mT, size)
    yield within.equal("matrix of the transpose", A.T.to_dense(), M.mT, size)
    yield within.equal("transpose of the transpose", transposed_twice, image, size)
    yield within.equal("fuse", linalg.fuse(A).to_dense(), M, size)
    yield from _combinations(within, A, M)
    yield from _pseudo_inverse(within, A, M)
    yield from _singular(within, A, M)
    if A.in_shape == A.out_shape:
        yield from _powers(within, A, M)
        yield from _exponential(within, A, M)
        yield from _root(within, A, M)
        yield from _polar(within, A, M)


def _combinations(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    """Sums and products that the blocks of A may make: if they say so, they must be right."""
    square = M.abs().max() ** 2
    yield within.equal("2 A", linalg.fuse(2 * A).to_dense(), 2 * M, M)
    yield within.equal("A + A/2", linalg.fuse(A + A / 2).to_dense(), 1.5 * M, M)
    yield within.equal("A Aᵀ", linalg.fuse(A @ A.T).to_dense(), M @ M.mT, square)
    if A.in_shape == A.out_shape:
        yield within.equal("A A/2", linalg.fuse(A @ (A / 2)).to_dense(), M @ M / 2, square)


def _pseudo_inverse(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    P = linalg.pinv(A).to_dense().to(M)
    one = torch.ones_like(M[0, 0])
    yield within.equal("A A⁺ A = A", M @ P @ M, M)
    yield within.equal("A⁺ A A⁺ = A⁺", P @ M @ P, P)
    yield within.equal("A A⁺ is symmetric", (M @ P).mT, M @ P, one)
    yield within.equal("A⁺ A is symmetric", (P @ M).mT, P @ M, one)


def _singular(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    values = torch.linalg.svdvals(M)
    U, S, V = linalg.svd(A)
    U, S, V = U.flatten(1).to(M), S.to(M), V.flatten(1).to(M)
    identity = torch.eye(len(S)).to(M)
    yield within.equal("A = U Σ Vᵀ", (U.mT * S) @ V, M, values[0])
    yield within.equal("U is orthonormal", U @ U.mT, identity)
    yield within.equal("V is orthonormal", V @ V.mT, identity)
    yield within.equal("svd's singular values", S, values[: len(S)], values[0])
    yield within.equal("singular values", linalg.singular_values(A), values)
    yield within.equal("norm", linalg.norm(A), values[0])
    zero, rank = linalg.tolerance(A), linalg.rank(A)
    surely, at_most = (int((values > factor * zero).sum()) for factor in (10.0, 0.1))
    yield within.true("rank", surely <= rank <= at_most)
    yield within.equal("cond", values[0] / linalg.cond(A), values[-1], values[0])


def _powers(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    identity = torch.eye(len(M)).to(M)
    yield within.equal("A⁰ = I", linalg.matrix_power(A, 0).to_dense(), identity)
    yield within.equal("A³ = A A A", linalg.matrix_power(A, 3).to_dense(), M @ M @ M)
    log_det = linalg.logabsdet(A).to(M)
    if linalg.rank(A) == len(M):
        yield within.equal("A⁻¹ A = I", linalg.matrix_power(A, -1).to_dense().to(M) @ M, identity)
        expected = torch.linalg.slogdet(M).logabsdet
        yield within.equal("log|det A|", log_det, expected, torch.ones_like(expected))
    elif bool(linalg.norm(A) > 0):
        relative = (log_det - len(M) * linalg.norm(A).log()).exp()
        yield within.equal(
            "det A = 0", relative, torch.zeros_like(relative), torch.ones_like(relative)
        )


def _exponential(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    s, t = (factor / max(float(linalg.norm(A)), 1e-30) for factor in (0.7, -1.1))
    first, second = (linalg.expm(A, factor).to_dense().to(M) for factor in (s, t))
    yield within.equal(
        "exp(sA) exp(tA) = exp((s+t)A)", first @ second, linalg.expm(A, s + t).to_dense()
    )
    yield within.equal("exp(sA)", first, torch.linalg.matrix_exp(s * M))


def _root(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    """A^½ A^½ = A, or a refusal exactly where an eigenvalue is negative or A is singular."""
    values, zero = torch.linalg.eigvals(M), linalg.tolerance(A)
    negative = bool(((values.real < -10 * zero) & (values.imag == 0)).any())
    clear = linalg.rank(A) == len(M) and not bool(
        ((values.real < 0) & (values.imag.abs() <= 10 * zero)).any()
    )
    try:
        root = linalg.power(A, 0.5).to_dense().to(M)
    except NoRealRootError:
        yield within.true("A^½ exists", not clear)
        return
    yield within.true("A^½ is refused", not negative)
    yield within.equal("A^½ A^½ = A", root @ root, M)


def _polar(within: Within, A: LinearOperator, M: Tensor) -> Laws:
    """W is orthogonal and WᵀA symmetric and positive, wherever A is invertible."""
    if linalg.rank(A) == len(M):
        W = linalg.polar(A).to_dense().to(M)
        H = W.mT @ M
        lowest = torch.linalg.eigvalsh((H + H.mT) / 2)[0].clamp_max(0)
        yield within.equal("W is orthogonal", W @ W.mT, torch.eye(len(M)).to(M))
        yield within.equal("(AᵀA)^½ is symmetric", H.mT, H, M)
        yield within.equal("(AᵀA)^½ is positive", lowest, torch.zeros_like(lowest), M.abs().max())
