"""Decompositions into vectors: SVD, eigenvectors, bases of the four subspaces."""

from functools import singledispatch
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer import _differentiable as differentiable
from linearizer._checks import check_between, check_finite
from linearizer._modes import exact
from linearizer.errors import ShapeError
from linearizer.linalg.functions import evaluated, finite_matrix, pinv, tolerance
from linearizer.operators.base import LinearOperator, describe
from linearizer.operators.circular_convolution import CircularConvolution, conjugate_frequencies
from linearizer.operators.cosine import idct2
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank, as_columns, frames
from linearizer.operators.symmetric_convolution import SymmetricConvolution


class SVD(NamedTuple):
    """`A = Σ_i σ_i u_i v_iᵀ`, largest σ first; vectors are events, stacked in front.

    Attributes:
        left: u_i, of shape (k, *out_shape), orthonormal.
        singular_values: σ_i, of shape (k,).
        right: v_i, of shape (k, *in_shape), orthonormal.
    """

    left: Tensor
    singular_values: Tensor
    right: Tensor


class Eigen(NamedTuple):
    """Real eigenvectors, and the invariant planes of conjugate pairs.

    On the plane of an eigenvalue a + bi, spanned by p and q, A acts as
    `A p = a p - b q` and `A q = b p + a q`.

    Attributes:
        values: Real eigenvalues (r,), largest modulus first.
        vectors: Their unit eigenvectors, (r, *shape).
        pair_values: Complex eigenvalues with positive imaginary part, (c,).
        planes: p and q of each, (c, 2, *shape).
    """

    values: Tensor
    vectors: Tensor
    pair_values: Tensor
    planes: Tensor


@exact
def svd(A: LinearOperator, k: int | None = None) -> SVD:
    """The k leading singular triplets; all min(m, n) if k is not given.

    A low-rank operator gives no more triplets than its factors have columns: the others are
    zero. Neither it nor the identity plus low rank makes an n × n matrix for a few triplets, and
    a convolution finds its vectors frequency by frequency. Vectors of a repeated singular value
    are any basis of their space, and have no derivative: gradients are right for what does not
    depend on that choice, and stay finite for the rest.

    Raises:
        RangeError: If k is not between 1 and min(m, n).
        NonFiniteError: If A has NaN or infinite entries.

    Example:
        >>> import torch, linearizer as lz
        >>> s = lz.linalg.svd(lz.Dense(torch.diag(torch.tensor([1., 3., 2.]))), k=2)
        >>> s.singular_values
        tensor([3., 2.])
    """
    count = min(A.n_in, A.n_out)
    if k is not None:
        check_between(k, 1, count, "the number of singular triplets")
    wide = evaluated(A)
    _check_factors(wide, A)
    parts = _svd(wide, count if k is None else k)
    return SVD(*(part.to(A.dtype) for part in parts))


@singledispatch
def _svd(A: LinearOperator, k: int) -> SVD:
    U, S, Vh = differentiable.svd(finite_matrix(A, A))
    return SVD(U.mT[:k].unflatten(1, A.out_shape), S[:k], Vh[:k].unflatten(1, A.in_shape))


@_svd.register
def _(A: LowRank, k: int) -> SVD:
    spans = frames(as_columns(A.U), as_columns(A.V))
    if spans is None:
        triplets: SVD = _svd.dispatch(object)(A, min(k, A.U.shape[-1]))
        return triplets
    (Q_u, R_u), (Q_v, R_v) = spans
    U, S, Vh = differentiable.svd(R_u @ R_v.mT)
    left, right = (Q_u @ U).mT, Vh @ Q_v.mT
    return SVD(left[:k].unflatten(1, A.out_shape), S[:k], right[:k].unflatten(1, A.in_shape))


@_svd.register
def _(A: IdentityPlusLowRank, k: int) -> SVD:
    """A small core on the span W of the factors; beside it α, for any directions there."""
    spans = frames(torch.cat([as_columns(A.U), as_columns(A.V)], dim=1))
    if spans is None:
        triplets: SVD = _svd.dispatch(object)(A, k)
        return triplets
    ((W, _),) = spans
    R_u, R_v = W.mT @ as_columns(A.U), W.mT @ as_columns(A.V)
    identity = torch.eye(W.shape[1], dtype=W.dtype, device=W.device)
    U, S, Vh = differentiable.svd(A.scale * identity + R_u @ R_v.mT)
    beside = _beside(W, min(k, A.n_in - W.shape[1]))
    left = torch.cat([(W @ U).mT, torch.where(A.scale < 0, -beside, beside)])
    right = torch.cat([Vh @ W.mT, beside])
    values, order = torch.cat([S, A.scale.abs().expand(len(beside))]).sort(
        descending=True, stable=True
    )
    left, right = left[order[:k]], right[order[:k]]
    return SVD(left.unflatten(1, A.out_shape), values[:k], right.unflatten(1, A.in_shape))


def _beside(W: Tensor, count: int) -> Tensor:
    """Unit vectors (count, n) that are orthogonal to the columns of W and to each other."""
    n = len(W)
    generator = torch.Generator().manual_seed(0)
    some = torch.randn(n, count, generator=generator, dtype=torch.float64).to(W)
    return torch.linalg.qr(torch.cat([W, some], dim=1))[0][:, W.shape[1] :].mT


@_svd.register
def _(A: CircularConvolution, k: int) -> SVD:
    """Real singular vectors are waves: u_c cos(ω·p) and u_c sin(ω·p), a pair for each ω and -ω."""
    own, half, _ = (i.to(A.device) for i in conjugate_frequencies(A.size))
    response = A.response().flatten(0, 1)
    triplets = []
    for frequencies, blocks, paired in (
        (own, response[own].real.to(response.dtype), False),
        (half, response[half], True),
    ):
        if not len(frequencies):  # images of two pixels a side have no conjugate pairs
            continue
        U, S, Vh = differentiable.svd(blocks)
        value, place = S.flatten().topk(min(k, S.numel()))
        row, column = place // S.shape[1], place % S.shape[1]
        frequency = frequencies[row]
        left = _waves(_spectrum(U.mT[row, column], frequency, A.size), paired)
        right = _waves(_spectrum(Vh.conj()[row, column], frequency, A.size), paired)
        triplets.append((left, value.repeat_interleave(2 if paired else 1), right))
    left, values, right = (torch.cat(parts) for parts in zip(*triplets, strict=True))
    values, order = values.sort(descending=True, stable=True)
    return SVD(left[order[:k]], values[:k], right[order[:k]])


@_svd.register
def _(A: SymmetricConvolution, k: int) -> SVD:
    """Singular vectors are waves of the cosine transform: `u_c cos(ω·(p + ½))`."""
    U, S, Vh = differentiable.svd(A.response().flatten(0, 1))
    values, place = S.flatten().topk(k)
    frequency, column = place // S.shape[1], place % S.shape[1]
    left = idct2(_spectrum(U.mT[frequency, column], frequency, A.size))
    return SVD(left, values, idct2(_spectrum(Vh[frequency, column], frequency, A.size)))


def _spectrum(channels: Tensor, frequency: Tensor, size: tuple[int, ...]) -> Tensor:
    """Spectra (count, C, H, W) with channels (count, C), each at one frequency, else zero."""
    H, W = size
    spectrum = channels.new_zeros(*channels.shape, H * W)
    place = frequency[:, None, None].expand(*channels.shape, 1)
    return spectrum.scatter(-1, place, channels.unsqueeze(-1)).unflatten(-1, size)


def _waves(spectrum: Tensor, paired: bool) -> Tensor:
    """The real unit vectors of complex spectra: two for a frequency and its conjugate."""
    wave = torch.fft.ifft2(spectrum, norm="ortho")
    if not paired:
        return wave.real
    return 2**0.5 * torch.stack([wave.real, wave.imag], 1).flatten(0, 1)


@exact
def eig(A: LinearOperator) -> Eigen:
    """Eigenvalues and real invariant subspaces of a square operator.

    Gradients are right where A has a basis of eigenvectors, for what does not depend on the
    choice of vectors of a repeated eigenvalue, and finite for the rest.

    Example:
        >>> import torch, linearizer as lz
        >>> e = lz.linalg.eig(lz.Dense(torch.tensor([[0., -2., 0.], [2., 0., 0.], [0., 0., 3.]])))
        >>> e.values, e.pair_values
        (tensor([3.]), tensor([0.+2.j]))
    """
    if A.in_shape != A.out_shape:
        raise ShapeError(f"expected a square operator for eigenvalues, got {describe(A)}")
    matrix = finite_matrix(evaluated(A), A)
    if torch.equal(matrix, matrix.mT):
        real, basis = differentiable.eigh(matrix)
        values, vectors = torch.complex(real, 0 * real), torch.complex(basis, 0 * basis)
    else:
        values, vectors = differentiable.eig(matrix)
    order = values.abs().argsort(descending=True)
    values, rows = values[order], vectors.mT[order].unflatten(1, A.in_shape)
    is_real, is_pair = values.imag == 0, values.imag > 0
    planes = torch.stack([rows[is_pair].real, rows[is_pair].imag], dim=1)
    values_and_vectors = (values[is_real].real, rows[is_real].real)
    own, vectors = (part.to(A.dtype) for part in values_and_vectors)
    return Eigen(own, vectors, values[is_pair], planes.to(A.dtype))


@exact
def range_basis(A: LinearOperator) -> Tensor:
    """An orthonormal basis of the range, (rank, *out_shape)."""
    U, S, _ = svd(A)
    return U[tolerance(A) < S]


@exact
def null_basis(A: LinearOperator) -> Tensor:
    """An orthonormal basis of the null space, (n - rank, *in_shape)."""
    wide = evaluated(A)
    matrix = finite_matrix(wide, A)
    _, S, Vh = torch.linalg.svd(matrix.detach(), full_matrices=True)
    count = int((tolerance(A, S[0]) < S).sum())
    basis = Vh[count:]
    if matrix.requires_grad:  # a null vector v moves by -A⁺ dA v
        moved = pinv(wide)._image((basis @ matrix.mT).unflatten(1, A.out_shape)).flatten(1)
        basis = basis - (moved - moved.detach())
    return basis.to(A.dtype).unflatten(1, A.in_shape)


def _check_factors(wide: LinearOperator, A: LinearOperator) -> None:
    """Raise for NaN and infinity in the tensors of an evaluated operator of the library."""
    for tensor in chain(wide.parameters(), wide.buffers()):
        check_finite(tensor, f"the entries of {describe(A)}")
