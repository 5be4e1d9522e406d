"""Least squares over convolutions, against the same problem written out as one matrix."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.estimation import ConvolutionLeastSquares

SIZE = (6, 5)
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    x = torch.randn(40, 2, *SIZE, dtype=torch.float64)
    A = lz.CircularConvolution(torch.randn(3, 2, 5, 3, dtype=torch.float64), SIZE)
    return x, A(x) + torch.randn(40, 3, *SIZE, dtype=torch.float64)


def solver(x: Tensor, y: Tensor) -> ConvolutionLeastSquares:
    fit = ConvolutionLeastSquares((2, 3), SIZE)
    for part in range(4):
        fit.update(x[part::4], y[part::4])
    return fit


def written_out(x: Tensor, y: Tensor, side: tuple[int, int], ridge: float) -> Tensor:
    """The kernel by ordinary least squares: one column an entry of the kernel."""
    count = 2 * side[0] * side[1]
    basis = torch.eye(count, dtype=x.dtype).reshape(count, 1, 2, *side)
    columns = [lz.CircularConvolution(k, SIZE)(x).flatten() for k in basis]
    X = torch.stack(columns, 1)
    damping = ridge * x.square().sum((0, 2, 3)).mean() * torch.eye(count, dtype=x.dtype)
    solved = torch.linalg.solve(X.mT @ X + damping, X.mT @ y.movedim(1, -1).flatten(0, 2))
    return solved.mT.reshape(3, 2, *side)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_a_small_kernel_solves_the_normal_equations(
    pairs: tuple[Tensor, Tensor], ridge: float
) -> None:
    x, y = pairs
    found = solver(x, y).solve(ridge, kernel_size=3)
    torch.testing.assert_close(found.kernel, written_out(x, y, (3, 3), ridge), **CLOSE)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_a_whole_kernel_solves_every_frequency(pairs: tuple[Tensor, Tensor], ridge: float) -> None:
    x, y = pairs
    found = solver(x, y).solve(ridge)
    torch.testing.assert_close(found.kernel, written_out(x, y, SIZE, ridge), **CLOSE)


def test_fewer_pairs_than_channels_are_met_exactly() -> None:
    x = torch.randn(1, 2, *SIZE, dtype=torch.float64)
    y = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    found = ConvolutionLeastSquares((2, 3), SIZE).update(x, y).solve()
    torch.testing.assert_close(found(x), y, rtol=0.0, atol=1e-6)


def test_bad_input(pairs: tuple[Tensor, Tensor]) -> None:
    x, y = pairs
    fit = ConvolutionLeastSquares((2, 3), SIZE)
    with pytest.raises(RangeError, match="at least one pair"):
        fit.solve()
    with pytest.raises(ShapeError, match="pairs"):
        fit.update(x, y[1:])
    with pytest.raises(ShapeError, match="input"):
        fit.update(y, y)
    with pytest.raises(NonFiniteError, match="output"):
        fit.update(x, y / 0)
    fit.update(x, y)
    for side, text in ((2, "odd"), (7, "between 1 and 5"), (-1, "between")):
        with pytest.raises(RangeError, match=text):
            fit.solve(kernel_size=side)
    with pytest.raises(RangeError, match="ridge"):
        fit.solve(ridge=-1.0)
