"""Least squares over convolutions, against the same problem written out as one matrix."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.estimation import ConvolutionLeastSquares

SIZE = (6, 5)
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
KINDS = [lz.CircularConvolution, lz.SymmetricConvolution]
Kind = type[lz.operators.Convolution]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def pairs(kind: Kind) -> tuple[Tensor, Tensor]:
    x = torch.randn(40, 2, *SIZE, dtype=torch.float64)
    A = kind(torch.randn(3, 2, 5, 3, dtype=torch.float64), SIZE)
    return x, A(x) + torch.randn(40, 3, *SIZE, dtype=torch.float64)


def solver(x: Tensor, y: Tensor, kind: Kind) -> ConvolutionLeastSquares:
    fit = ConvolutionLeastSquares((2, 3), SIZE, kind)
    for part in range(4):
        fit.update(x[part::4], y[part::4])
    return fit


def written_out(
    x: Tensor, y: Tensor, shape: tuple[int, int], ridge: float, kind: Kind
) -> tuple[Tensor, Tensor]:
    """The kernel by ordinary least squares, a column for each entry; and their inner products."""
    count = 2 * shape[0] * shape[1]
    basis = torch.eye(count, dtype=x.dtype).reshape(count, 1, 2, *shape)
    operators = [kind(k, SIZE) for k in basis]
    X = torch.stack([A(x).flatten() for A in operators], 1)
    M = torch.stack([A.to_dense().flatten() for A in operators], 1)
    damping = ridge * x.square().sum((0, 2, 3)).mean() * M.mT @ M / (SIZE[0] * SIZE[1])
    solved = torch.linalg.solve(X.mT @ X + damping, X.mT @ y.movedim(1, -1).flatten(0, 2))
    return solved.mT.reshape(3, 2, *shape), X.mT @ X


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("side", [1, 3])
def test_a_small_kernel_solves_the_normal_equations(
    pairs: tuple[Tensor, Tensor], kind: Kind, ridge: float, side: int
) -> None:
    x, y = pairs
    fit = solver(x, y, kind)
    found = fit.solve(ridge, kernel_size=side)
    assert type(found) is kind
    assert found.side == side
    shape = (found.kernel.shape[2], found.kernel.shape[3])
    expected, products = written_out(x, y, shape, ridge, kind)
    torch.testing.assert_close(found.kernel, expected, **CLOSE)
    torch.testing.assert_close(fit.gram(shape), products, **CLOSE)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_a_whole_kernel_solves_every_frequency(
    pairs: tuple[Tensor, Tensor], kind: Kind, ridge: float
) -> None:
    x, y = pairs
    found = solver(x, y, kind).solve(ridge)
    torch.testing.assert_close(found.kernel, written_out(x, y, SIZE, ridge, kind)[0], **CLOSE)


def test_fewer_pairs_than_channels_are_met_exactly(kind: Kind) -> None:
    x = torch.randn(1, 2, *SIZE, dtype=torch.float64)
    y = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    found = ConvolutionLeastSquares((2, 3), SIZE, kind).update(x, y).solve()
    torch.testing.assert_close(found(x), y, rtol=0.0, atol=1e-6)


def test_bad_input() -> None:
    x, y = torch.randn(4, 2, *SIZE), torch.randn(4, 3, *SIZE)
    fit = ConvolutionLeastSquares((2, 3), SIZE, lz.CircularConvolution)
    with pytest.raises(RangeError, match="at least one pair"):
        fit.solve()
    with pytest.raises(ShapeError, match="pairs"):
        fit.update(x, y[1:])
    with pytest.raises(ShapeError, match="input"):
        fit.update(y, y)
    with pytest.raises(NonFiniteError, match="output"):
        fit.update(x, y / 0)
    fit.update(x, y)
    symmetric = ConvolutionLeastSquares((2, 3), SIZE).update(x, y)
    for moments, side, text in (
        (fit, 2, "odd"),
        (fit, 7, "between 1 and 5"),
        (fit, -1, "between"),
        (symmetric, 11, "between 1 and 9"),
    ):
        with pytest.raises(RangeError, match=text):
            moments.solve(kernel_size=side)
    with pytest.raises(RangeError, match="ridge"):
        fit.solve(ridge=-1.0)
