"""Circular convolution against the direct sum, and its algebra against the whole matrix."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

import linearizer as lz

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def convolution(
    C_out: int = 3, C_in: int = 3, kernel: tuple[int, int] = (3, 3), size: tuple[int, int] = (8, 8)
) -> lz.CircularConvolution:
    numbers = 0.15 * torch.randn(C_out, C_in, *kernel, dtype=torch.float64)
    numbers[:, :, kernel[0] // 2, kernel[1] // 2] += torch.eye(C_out, C_in)
    return lz.CircularConvolution(numbers, size)


def direct(kernel: Tensor, z: Tensor) -> Tensor:
    """The sum of the docstring by torch: correlation with the flipped kernel, wrapped around."""
    kh, kw = kernel.shape[2:]
    top, left = kh - 1 - kh // 2, kw - 1 - kw // 2
    padded = pad(z, (left, kw - 1 - left, top, kh - 1 - top), mode="circular")
    return conv2d(padded, kernel.flip(2, 3))


@pytest.mark.parametrize("kernel", [(3, 3), (2, 2), (5, 1), (1, 4), (4, 5), (1, 1)])
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (6, 5)])
def test_against_the_direct_sum(kernel: tuple[int, int], size: tuple[int, int]) -> None:
    A = convolution(2, 3, kernel, size)
    z = torch.randn(4, 3, *size, dtype=torch.float64)
    top, left = kernel[0] - 1 - kernel[0] // 2, kernel[1] - 1 - kernel[1] // 2
    assert max(top, left) < min(size)
    torch.testing.assert_close(A(z), direct(A.kernel, z), **CLOSE)


def test_delta_is_the_identity() -> None:
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[..., 1, 1] = 1
    z = torch.randn(1, 6, 5)
    torch.testing.assert_close(lz.CircularConvolution(kernel, (6, 5))(z), z)


def test_pseudo_inverse_is_a_convolution() -> None:
    A = convolution(2, 3)
    P = lz.linalg.pinv(A)
    assert isinstance(P, lz.CircularConvolution)
    torch.testing.assert_close(P.to_dense(), torch.linalg.pinv(A.to_dense()), **CLOSE)


def test_pseudo_inverse_of_a_singular_one() -> None:
    """A kernel that sums to zero forgets the mean, and its pseudo-inverse returns mean zero."""
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
    A = lz.CircularConvolution(kernel.double()[None, None], (8, 8))
    assert lz.linalg.rank(A) == 63
    torch.testing.assert_close(
        lz.linalg.pinv(A).to_dense(), torch.linalg.pinv(A.to_dense(), rtol=1e-12), **CLOSE
    )


@pytest.mark.parametrize(("C_out", "C_in"), [(3, 3), (2, 3), (3, 1)])
def test_svd(C_out: int, C_in: int) -> None:
    A = convolution(C_out, C_in)
    M = A.to_dense()
    U, S, V = lz.linalg.svd(A)
    torch.testing.assert_close(S, torch.linalg.svdvals(M), **CLOSE)
    torch.testing.assert_close((U.flatten(1).mT * S) @ V.flatten(1), M, **CLOSE)


@pytest.mark.parametrize("k", [1, 2, 5, 17, 64])
def test_truncated_svd(k: int) -> None:
    """The leading k, also where k cuts through a pair of waves: Eckart-Young's error."""
    A = convolution()
    M = A.to_dense()
    U, S, V = lz.linalg.svd(A, k)
    assert U.shape == (k, 3, 8, 8)
    values = torch.linalg.svdvals(M)
    torch.testing.assert_close(S, values[:k], **CLOSE)
    rest = torch.linalg.matrix_norm(M - (U.flatten(1).mT * S) @ V.flatten(1), ord=2)
    torch.testing.assert_close(rest, values[k], **CLOSE)


@pytest.mark.parametrize("n", [2, 3, -1, -2])
def test_whole_powers(n: int) -> None:
    A = convolution()
    P = lz.linalg.matrix_power(A, n)
    assert isinstance(P, lz.CircularConvolution)
    torch.testing.assert_close(
        P.to_dense(), torch.linalg.matrix_power(A.to_dense(), n), rtol=1e-9, atol=1e-10
    )


def test_root_and_exponential() -> None:
    """Of a blur that is positive at every frequency."""
    A = convolution()
    A = lz.linalg.fuse(A.T @ A)
    assert isinstance(A, lz.CircularConvolution)
    M = A.to_dense()
    values, Q = torch.linalg.eigh((M + M.mT) / 2)
    torch.testing.assert_close(
        lz.linalg.power(A, 0.5).to_dense(), (Q * values.sqrt()) @ Q.mT, rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(lz.linalg.expm(A, 0.3).to_dense(), torch.linalg.matrix_exp(0.3 * M))


def test_determinant() -> None:
    A = convolution()
    expected = torch.linalg.slogdet(A.to_dense()).logabsdet
    torch.testing.assert_close(lz.linalg.logabsdet(A), expected, **CLOSE)


def test_products_stay_convolutions() -> None:
    A, B = convolution(2, 3), convolution(3, 3, (2, 4))
    AB = lz.linalg.fuse(A @ B)
    assert isinstance(AB, lz.CircularConvolution)
    torch.testing.assert_close(AB.to_dense(), A.to_dense() @ B.to_dense(), **CLOSE)


def test_large_images_need_no_matrix() -> None:
    """At 3 × 128 × 128 the matrix would take 19 GB."""
    A = convolution(size=(128, 128))
    z = torch.randn(3, 128, 128, dtype=torch.float64)
    torch.testing.assert_close(lz.linalg.pinv(A)(A(z)), z, **CLOSE)
    U, S, V = lz.linalg.svd(A, k=3)
    torch.testing.assert_close(A(V), S[:, None, None, None] * U, **CLOSE)
