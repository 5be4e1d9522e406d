"""Low-rank algebra at n = 1024 against the whole matrix."""

import pytest
import torch

import linearizer as lz
from linearizer import linalg

N, R = 1024, 4
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(scope="module")
def update() -> lz.IdentityPlusLowRank:
    random = torch.Generator().manual_seed(0)
    U, V = torch.randn(2, N, R, generator=random, dtype=torch.float64) / N**0.5
    return lz.IdentityPlusLowRank(1.5, U, V)


@pytest.fixture(scope="module")
def low_rank() -> lz.LowRank:
    random = torch.Generator().manual_seed(1)
    U = torch.randn(N, R, generator=random, dtype=torch.float64)
    V = torch.randn(N // 2, R, generator=random, dtype=torch.float64)
    return lz.LowRank(U / N**0.5, V / N**0.5)


def test_inverse(update: lz.IdentityPlusLowRank) -> None:
    inverse = lz.linalg.matrix_power(update, -1)
    assert isinstance(inverse, lz.IdentityPlusLowRank)
    product = inverse.to_dense() @ update.to_dense()
    torch.testing.assert_close(product, torch.eye(N, dtype=torch.float64), **CLOSE)


def test_determinant(update: lz.IdentityPlusLowRank) -> None:
    expected = torch.linalg.slogdet(update.to_dense()).logabsdet
    torch.testing.assert_close(lz.linalg.logabsdet(update), expected, **CLOSE)


def test_singular_values(update: lz.IdentityPlusLowRank, low_rank: lz.LowRank) -> None:
    torch.testing.assert_close(
        lz.linalg.singular_values(update), torch.linalg.svdvals(update.to_dense()), **CLOSE
    )
    torch.testing.assert_close(
        lz.linalg.singular_values(low_rank), torch.linalg.svdvals(low_rank.to_dense()), **CLOSE
    )


def test_power_and_exponential(update: lz.IdentityPlusLowRank) -> None:
    M = update.to_dense()
    assert isinstance(linalg.power(update, 0.5), lz.IdentityPlusLowRank)
    root = lz.linalg.power(update, 0.5).to_dense()
    torch.testing.assert_close(root @ root, M, **CLOSE)
    torch.testing.assert_close(
        lz.linalg.expm(update, 0.3).to_dense(), torch.linalg.matrix_exp(0.3 * M), **CLOSE
    )


def test_products_grow_by_their_ranks(update: lz.IdentityPlusLowRank) -> None:
    A = lz.linalg.fuse(update @ update @ update)
    assert isinstance(A, lz.IdentityPlusLowRank)
    assert A.U.shape == (N, 3 * R)
    torch.testing.assert_close(
        A.to_dense(), torch.linalg.matrix_power(update.to_dense(), 3), **CLOSE
    )


def test_pseudo_inverse_of_low_rank(low_rank: lz.LowRank) -> None:
    P = lz.linalg.pinv(low_rank)
    assert isinstance(P, lz.LowRank)
    M, inverse = low_rank.to_dense(), P.to_dense()
    torch.testing.assert_close(M @ inverse @ M, M, **CLOSE)
    torch.testing.assert_close(inverse @ M @ inverse, inverse, **CLOSE)
    torch.testing.assert_close((M @ inverse).mT, M @ inverse, **CLOSE)
    torch.testing.assert_close((inverse @ M).mT, inverse @ M, **CLOSE)


def test_svd_of_low_rank(low_rank: lz.LowRank) -> None:
    U, S, V = lz.linalg.svd(low_rank)
    assert len(S) == R
    torch.testing.assert_close((U.mT * S) @ V, low_rank.to_dense(), **CLOSE)


def test_where_woodbury_is_singular() -> None:
    """A = I - q qᵀ + p qᵀ swaps a direction for another; Woodbury's 2 × 2 matrix is singular."""
    q, p = torch.eye(6, dtype=torch.float64)[:, :2].mT
    A = lz.IdentityPlusLowRank(0.0, torch.eye(6).double(), torch.eye(6).double().flip(0))
    torch.testing.assert_close(
        lz.linalg.matrix_power(A, -1).to_dense(), torch.linalg.inv(A.to_dense()), **CLOSE
    )
    B = lz.IdentityPlusLowRank(1.0, torch.stack([-q, p], 1), torch.stack([q, q], 1))
    torch.testing.assert_close(
        lz.linalg.pinv(B).to_dense(), torch.linalg.pinv(B.to_dense(), rtol=1e-12), **CLOSE
    )


def test_no_columns_at_all() -> None:
    empty = torch.zeros(5, 0, dtype=torch.float64)
    A = lz.IdentityPlusLowRank(2.0, empty, empty)
    torch.testing.assert_close(lz.linalg.pinv(A).to_dense(), 0.5 * torch.eye(5).double())
    assert lz.linalg.rank(lz.LowRank(empty, empty)) == 0


@pytest.mark.parametrize("scale", [1.5, -0.4, 0.0])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_singular_triplets_of_identity_plus_low_rank(scale, k):
    """Those of the matrix, also where the multiple of the identity lies among the leading ones."""
    torch.manual_seed(0)
    A = lz.IdentityPlusLowRank(scale, *0.4 * torch.randn(2, 9, 2, dtype=torch.float64))
    left, values, right = lz.linalg.svd(A, k)
    torch.testing.assert_close(values, torch.linalg.svdvals(A.to_dense())[:k])
    torch.testing.assert_close(A(right), values[:, None] * left, rtol=0.0, atol=1e-12)
    for vectors in (left, right):
        torch.testing.assert_close(
            vectors @ vectors.mT, torch.eye(k, dtype=torch.float64), rtol=0.0, atol=1e-12
        )


def test_a_few_triplets_of_a_long_operator_make_no_matrix():
    A = lz.IdentityPlusLowRank(0.5, *torch.randn(2, 200_000, 3) / 400)
    assert lz.linalg.svd(A, 4).left.shape == (4, 200_000)
