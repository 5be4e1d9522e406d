"""Least squares in closed form, against torch's solver and against brute force."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.estimation import LeastSquares

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
N, M, COUNT = 5, 4, 60


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    """Noisy pairs: no operator fits them exactly."""
    x = torch.randn(COUNT, N, dtype=torch.float64)
    return x, x @ torch.randn(N, M, dtype=torch.float64) + torch.randn(COUNT, M).double()


def fit(x: Tensor, y: Tensor, **options: float) -> Tensor:
    return LeastSquares((N,), (M,)).update(x, y).solve(**options).to_dense()


def test_against_torch(pairs: tuple[Tensor, Tensor]) -> None:
    x, y = pairs
    torch.testing.assert_close(fit(x, y), torch.linalg.lstsq(x, y).solution.mT, **CLOSE)


def test_ridge_is_extra_rows(pairs: tuple[Tensor, Tensor]) -> None:
    """Ridge regression is least squares with √ridge · I appended to x and zeros to y."""
    x, y = pairs
    rows = torch.cat([x, 2.5**0.5 * torch.eye(N, dtype=torch.float64)])
    expected = torch.linalg.lstsq(rows, torch.cat([y, y.new_zeros(N, M)])).solution.mT
    torch.testing.assert_close(fit(x, y, ridge=2.5), expected, **CLOSE)


def test_fewer_pairs_than_dimensions_gives_the_least_norm() -> None:
    x, y = torch.randn(3, N, dtype=torch.float64), torch.randn(3, M, dtype=torch.float64)
    expected = (torch.linalg.pinv(x) @ y).mT
    torch.testing.assert_close(fit(x, y), expected, **CLOSE)


@pytest.mark.parametrize("ridge", [0.0, 3.0])
@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_reduced_rank_is_optimal(pairs: tuple[Tensor, Tensor], rank: int, ridge: float) -> None:
    """With x = W R, `|x Aᵀ - y|² = |R Aᵀ - Wᵀy|² + const`: Eckart-Young on Wᵀy."""
    x, y = pairs
    rows = torch.cat([x, ridge**0.5 * torch.eye(N, dtype=torch.float64)])
    targets = torch.cat([y, y.new_zeros(N, M)])
    W, R = torch.linalg.qr(rows)
    U, S, Vh = torch.linalg.svd(W.mT @ targets, full_matrices=False)
    best = torch.linalg.solve(R, (U[:, :rank] * S[:rank]) @ Vh[:rank]).mT
    A = fit(x, y, rank=rank, ridge=ridge)
    torch.testing.assert_close(A, best, **CLOSE)
    assert torch.linalg.matrix_rank(A) == rank


def test_nothing_of_that_rank_is_better(pairs: tuple[Tensor, Tensor]) -> None:
    x, y = pairs
    A = LeastSquares((N,), (M,)).update(x, y).solve(rank=2)
    assert isinstance(A, lz.LowRank)
    least = (A(x) - y).square().sum()
    for size in (1e-3, 1e-1, 1.0):
        for _ in range(20):
            other = lz.LowRank(
                A.U + size * torch.randn_like(A.U), A.V + size * torch.randn_like(A.V)
            )
            assert (other(x) - y).square().sum() > least


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_streaming_equals_at_once(pairs: tuple[Tensor, Tensor], batch: int) -> None:
    x, y = pairs
    solver = LeastSquares((N,), (M,))
    for part in zip(x.split(batch), y.split(batch), strict=True):
        solver.update(*part)
    assert solver.count == COUNT
    torch.testing.assert_close(solver.solve(1.0).to_dense(), fit(x, y, ridge=1.0), **CLOSE)


def test_fitting_reads_an_iterable_once(pairs: tuple[Tensor, Tensor]) -> None:
    x, y = pairs
    g, h = lz.Identity(N), lz.Identity(M)
    batches = ((a, b) for a, b in zip(x.split(9), y.split(9), strict=True))
    streamed = lz.Linearizer.fit(g, h, batches)
    at_once = lz.Linearizer.fit(g, h, x, y, batch_size=7)
    torch.testing.assert_close(streamed.operator.to_dense(), at_once.operator.to_dense(), **CLOSE)


def test_a_refused_batch_changes_nothing(pairs: tuple[Tensor, Tensor]) -> None:
    x, y = pairs
    solver = LeastSquares((N,), (M,)).update(x, y)
    with pytest.raises(lz.LinearizerError):
        solver.update(x, y * torch.nan)
    assert solver.count == COUNT
    torch.testing.assert_close(solver.solve().to_dense(), fit(x, y), rtol=0, atol=0)


def test_moments_are_kept_in_float64() -> None:
    """Float32 pairs are recovered to float32's own rounding."""
    x, A = torch.randn(5000, N), torch.randn(M, N)
    fitted = fit(x, x @ A.mT)
    assert fitted.dtype == torch.float32
    assert float((fitted - A).abs().max()) < 1e-6
