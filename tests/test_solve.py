"""Solving with a convolution frequency by frequency, against its pseudo-inverse."""

import sys

import pytest
import torch

import linearizer as lz
from linearizer.errors import DtypeError, NonFiniteError, ShapeError
from linearizer.operators import symmetric_convolution

SIZE = (7, 6)
EVERY = torch.eye(3)[..., None, None]


def regular(C_out: int = 3, C_in: int = 3, dtype: torch.dtype = torch.float64):
    kernel = 0.05 * torch.randn(C_out, C_in, 3, 2, dtype=dtype)
    kernel[:, :, 0, 0] += torch.eye(C_out, C_in)
    return lz.SymmetricConvolution(kernel, SIZE)


def with_least(value: float) -> lz.SymmetricConvolution:
    """Singular at one frequency, but for a singular value that is so many times the tolerance."""
    response = regular().response()
    response = response / torch.linalg.matrix_norm(response, ord=2)[..., None, None]
    U, S, Vh = torch.linalg.svd(response[2, 3])
    S[-1] = value * torch.finfo(torch.float64).eps * 3 * 7 * 6
    response[2, 3] = (U * S) @ Vh
    return lz.SymmetricConvolution.from_response(response)


OPERATORS = {
    "regular": regular,
    "wide": lambda: regular(2, 3),
    "tall": lambda: regular(3, 2),
    "laplacian": lambda: lz.SymmetricConvolution(
        EVERY.double() * torch.tensor([[4.0, -1.0], [-1.0, 0.0]]).double(), SIZE
    ),
    "zero": lambda: lz.SymmetricConvolution(0 * EVERY.double(), SIZE),
    "below the tolerance": lambda: with_least(0.5),
    "above the tolerance": lambda: with_least(2.0),
    "lazy": lambda: 2 * regular() @ regular().T,
}


@pytest.fixture
def no_pinv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pseudo-inverse fail that is made as an operator."""
    monkeypatch.delattr(sys.modules["linearizer.linalg.solve"], "pinv")


@pytest.mark.parametrize("name", OPERATORS)
def test_it_is_the_pseudo_inverse(name: str, no_pinv: None) -> None:
    A = OPERATORS[name]()
    y = torch.randn(2, 4, *A.out_shape, dtype=torch.float64)
    expected = lz.linalg.pinv(A)(y)
    close = {"rtol": 1e-9, "atol": 1e-9 * float(expected.abs().max())}
    torch.testing.assert_close(lz.linalg.solve(A, y), expected, **close)


def test_the_tolerance_decides() -> None:
    y = torch.ones(3, *SIZE, dtype=torch.float64)
    sizes = {
        value: float(lz.linalg.solve(with_least(value), torch.randn_like(y)).abs().max())
        for value in (0.5, 2.0)
    }
    assert sizes[0.5] < 1e3
    assert sizes[2.0] > 1e6


def test_in_bands_and_pictures_of_their_own(no_pinv: None, monkeypatch: pytest.MonkeyPatch) -> None:
    A = OPERATORS["laplacian"]()
    y = torch.randn(5, *A.out_shape, dtype=torch.float64)
    expected = lz.linalg.solve(A, y)
    monkeypatch.setattr(symmetric_convolution, "BAND", 6 * 9 * 8 * 2)
    monkeypatch.setattr(sys.modules["linearizer.linalg.solve"], "BAND", 2 * 8 * 42)
    done: list[float] = []
    torch.testing.assert_close(lz.linalg.solve(A, y, done.append), expected)
    assert done == pytest.approx([2 / 7, 4 / 7, 6 / 7, 1.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_short_types_are_solved_in_double(dtype: torch.dtype, no_pinv: None) -> None:
    """On small images: in short types the tolerance is large, and grows with the size."""
    kernel = regular(dtype=dtype).kernel[..., :2, :2]
    A, wide = (lz.SymmetricConvolution(k, (2, 3)) for k in (kernel, kernel.double()))
    y = torch.randn(3, 2, 3, dtype=dtype)
    found = lz.linalg.solve(A, y)
    assert found.dtype == dtype
    assert torch.equal(found, lz.linalg.solve(wide, y.double()).to(dtype))
    assert lz.linalg.solve(A, y[None][:0]).shape == (0, 3, 2, 3)


@pytest.mark.parametrize("of", ["kernel", "y"])
def test_derivatives_are_those_of_the_pseudo_inverse(of: str) -> None:
    A, y = regular(), torch.randn(3, *SIZE, dtype=torch.float64)
    A.kernel.requires_grad_(of == "kernel")
    y.requires_grad_(of == "y")
    given = A.kernel if of == "kernel" else y
    found, expected = (
        torch.autograd.grad(z.square().sum(), given)
        for z in (lz.linalg.solve(A, y), lz.linalg.pinv(A)(y))
    )
    torch.testing.assert_close(found, expected)


def test_bad_input() -> None:
    A = regular()
    with pytest.raises(ShapeError, match="3, 7, 6"):
        lz.linalg.solve(A, torch.zeros(3, 6, 7).double())
    with pytest.raises(DtypeError, match="float64"):
        lz.linalg.solve(A, torch.zeros(3, 7, 6))
    with pytest.raises(NonFiniteError, match="entries"):
        lz.linalg.solve(lz.SymmetricConvolution(A.kernel / 0, SIZE), torch.zeros(3, 7, 6).double())
    done: list[float] = []
    lz.linalg.solve(lz.Diagonal(torch.ones(2)), torch.ones(2), done.append)
    assert done == [1.0]
