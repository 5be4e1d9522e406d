"""Symmetric convolution against numpy's padding, and its algebra against the whole matrix."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

import linearizer as lz
from linearizer.errors import ShapeError
from linearizer.operators import symmetric_convolution

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def convolution(
    C_out: int = 3, C_in: int = 3, kernel: tuple[int, int] = (3, 2), size: tuple[int, int] = (7, 6)
) -> lz.SymmetricConvolution:
    numbers = 0.1 * torch.randn(C_out, C_in, *kernel, dtype=torch.float64)
    numbers[:, :, 0, 0] += torch.eye(C_out, C_in)
    return lz.SymmetricConvolution(numbers, size)


def direct(kernel: Tensor, z: Tensor) -> Tensor:
    """The sum of the docstring, with the mirror images that numpy makes."""
    p, q = kernel.shape[2:]
    rows, columns = torch.arange(1 - p, p).abs(), torch.arange(1 - q, q).abs()
    margins = ((0, 0), (0, 0), (p - 1, p - 1), (q - 1, q - 1))
    padded = torch.from_numpy(np.pad(z.numpy(), margins, mode="symmetric"))
    return conv2d(padded, kernel[:, :, rows[:, None], columns])


@pytest.mark.parametrize("kernel", [(3, 3), (2, 1), (1, 4), (5, 5), (1, 1)])
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (6, 5)])
def test_both_ways_are_the_direct_sum(kernel: tuple[int, int], size: tuple[int, int]) -> None:
    A = convolution(2, 3, kernel, size)
    z = torch.randn(4, 3, *size, dtype=torch.float64)
    expected = direct(A.kernel, z)
    for found in (A(z), A.by_padding(z), A.by_transform(z)):
        torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-13)


def test_in_bands_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    A = convolution(2, 3, (3, 2), (9, 6))
    z = torch.randn(2, 4, 3, 9, 6, dtype=torch.float64)
    expected = A(z)
    monkeypatch.setattr(symmetric_convolution, "BAND", 6 * 3 * 2 * 8 * 4)
    assert [rows.stop - rows.start for rows in A.bands()] == [4, 4, 1]
    for found in (A.by_padding(z), A.by_transform(z)):
        torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-13)


def test_a_large_kernel_goes_through_the_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    for name in ("_by_padding", "_by_transform"):
        way = getattr(lz.SymmetricConvolution, name)
        monkeypatch.setattr(
            lz.SymmetricConvolution,
            name,
            lambda A, k, z, name=name, way=way: (used.append(name), way(A, k, z))[1],
        )
    for kernel in ((3, 3), (6, 6)):
        A = convolution(1, 1, kernel, (8, 8))
        A(torch.zeros(1, 8, 8, dtype=torch.float64))
    assert used == ["_by_padding", "_by_transform"]


@pytest.mark.parametrize("kernel", [(3, 2), (6, 6)])
def test_any_batch(kernel: tuple[int, int]) -> None:
    A = convolution(2, 3, kernel)
    for batch in ((), (0,), (2, 0), (2, 5)):
        z = torch.randn(*batch, 3, 7, 6, dtype=torch.float64)
        assert A(z).shape == (*batch, 2, 7, 6)
        assert A.adjoint(A(z)).shape == z.shape


@pytest.mark.parametrize("kernel", [(2, 2), (6, 6)])
def test_derivatives(kernel: tuple[int, int]) -> None:
    numbers = torch.randn(1, 2, *kernel, dtype=torch.float64, requires_grad=True)
    z = torch.randn(2, 2, 6, 7, dtype=torch.float64, requires_grad=True)

    def apply(k: Tensor, z: Tensor) -> Tensor:
        return lz.SymmetricConvolution(k, (6, 7))(z)

    assert torch.autograd.gradcheck(apply, (numbers, z), check_forward_ad=True, fast_mode=True)


def test_borders_do_not_meet() -> None:
    z = torch.zeros(1, 1, 8)
    z[..., 0] = 1.0
    kernel = torch.tensor([[[[1.0, 0.5]]]])
    expected = torch.tensor([[[1.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]])
    torch.testing.assert_close(lz.SymmetricConvolution(kernel, (1, 8))(z), expected)


@pytest.mark.parametrize("size", [(7, 6), (1, 5), (8, 8), (2, 1)])
def test_any_response_has_a_kernel(size: tuple[int, int]) -> None:
    response = torch.randn(*size, 2, 3, dtype=torch.float64)
    A = lz.SymmetricConvolution.from_response(response)
    assert A.kernel.shape == (2, 3, *size)
    torch.testing.assert_close(A.response(), response, **CLOSE)


def test_the_kernel_of_the_response_is_the_small_kernel() -> None:
    A = convolution(2, 3)
    found = lz.SymmetricConvolution.from_response(A.response())
    expected = A.enlarged(A.kernel, A.size)
    torch.testing.assert_close(found.kernel, expected, **CLOSE)
    torch.testing.assert_close(found.to_dense(), A.to_dense(), **CLOSE)


def test_pseudo_inverse_is_a_convolution() -> None:
    A = convolution(2, 3)
    P = lz.linalg.pinv(A)
    assert isinstance(P, lz.SymmetricConvolution)
    torch.testing.assert_close(P.to_dense(), torch.linalg.pinv(A.to_dense()), **CLOSE)


def test_pseudo_inverse_of_a_singular_one() -> None:
    """A kernel that sums to zero forgets the mean, and nothing else."""
    kernel = torch.tensor([[4.0, -1.0], [-1.0, 0.0]]).double()
    A = lz.SymmetricConvolution(kernel[None, None], (8, 8))
    assert lz.linalg.rank(A) == 63
    torch.testing.assert_close(
        lz.linalg.pinv(A).to_dense(), torch.linalg.pinv(A.to_dense(), rtol=1e-12), **CLOSE
    )


@pytest.mark.parametrize(("C_out", "C_in"), [(3, 3), (2, 3), (3, 1)])
@pytest.mark.parametrize("k", [None, 1, 5])
def test_svd(C_out: int, C_in: int, k: int | None) -> None:
    A = convolution(C_out, C_in)
    M = A.to_dense()
    U, S, V = lz.linalg.svd(A, k)
    values = torch.linalg.svdvals(M)
    torch.testing.assert_close(S, values[:k], **CLOSE)
    rest = torch.linalg.matrix_norm(M - (U.flatten(1).mT * S) @ V.flatten(1), ord=2)
    left_over = 0.0 if k is None else float(values[k])
    assert float(rest) == pytest.approx(left_over, abs=1e-10)


@pytest.mark.parametrize("n", [2, -1, -2])
def test_whole_powers(n: int) -> None:
    A = convolution()
    P = lz.linalg.matrix_power(A, n)
    assert isinstance(P, lz.SymmetricConvolution)
    torch.testing.assert_close(
        P.to_dense(), torch.linalg.matrix_power(A.to_dense(), n), rtol=1e-9, atol=1e-10
    )


def test_products_and_transposes_stay_convolutions() -> None:
    A, B = convolution(2, 3), convolution(3, 3, (2, 4))
    AB = lz.linalg.fuse(A @ B)
    assert isinstance(AB, lz.SymmetricConvolution)
    torch.testing.assert_close(AB.to_dense(), A.to_dense() @ B.to_dense(), **CLOSE)
    T = lz.linalg.fuse(A.T)
    assert isinstance(T, lz.SymmetricConvolution)
    assert T.kernel.shape == (3, 2, 3, 2)
    torch.testing.assert_close(T.to_dense(), A.to_dense().mT, **CLOSE)


def test_another_size_has_the_same_kernel() -> None:
    A = convolution()
    A = lz.SymmetricConvolution(torch.nn.Parameter(A.kernel), A.size)
    assert A.resized((7, 6)) is A
    B = A.resized((9, 4))
    assert B.size == (9, 4)
    assert B.kernel is A.kernel
    with pytest.raises(ShapeError, match="p, q"):
        A.resized((2, 9))
