"""The principal power against powers found by hand."""

import math

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.errors import NoRealRootError


def power(matrix: Tensor, s: float) -> Tensor:
    return lz.linalg.power(lz.Dense(matrix.double()), s).to_dense()


def rotation(angle: float) -> Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def rotated(matrix: Tensor) -> Tensor:
    """The same map in another orthonormal basis, where no entry is exactly zero."""
    Q, _ = torch.linalg.qr(torch.randn(len(matrix), len(matrix), dtype=torch.float64))
    return Q @ matrix.double() @ Q.mT


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected.double(), rtol=1e-10, atol=1e-10)


def test_shear() -> None:
    """Defective: no basis of eigenvectors, and yet a shear by half as much."""
    shear = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    close(power(shear, 0.5), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    close(power(shear, 0.25), torch.tensor([[1.0, 0.25], [0.0, 1.0]]))
    close(power(shear, -0.5), torch.tensor([[1.0, -0.5], [0.0, 1.0]]))


@pytest.mark.parametrize("angle", [0.1, 1.5, 3.1, -2.0])
@pytest.mark.parametrize("s", [0.5, 0.3, 1.7, -0.5])
def test_rotation(angle: float, s: float) -> None:
    close(power(rotation(angle), s), rotation(s * angle))


@pytest.mark.parametrize("s", [0.5, 0.1, 2.5])
def test_projector(s: float) -> None:
    """An oblique projector is every positive power of itself."""
    oblique = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    close(power(oblique, s), oblique)


@pytest.mark.parametrize("matrix", [[[0.0, 1.0], [0.0, 0.0]], [[0.0, 5.0], [0.0, 0.0]]])
def test_nilpotent(matrix: list[list[float]]) -> None:
    """Zero as a defective eigenvalue: X² = N has no solution at all."""
    nilpotent = torch.tensor(matrix)
    for M in (nilpotent, *(rotated(nilpotent) for _ in range(20))):
        with pytest.raises(NoRealRootError):
            power(M, 0.5)


def test_nilpotent_of_three() -> None:
    nilpotent = torch.diag(torch.ones(2), 1)
    for _ in range(20):
        with pytest.raises(NoRealRootError):
            power(rotated(nilpotent), 0.5)


def test_shear_beside_zero() -> None:
    """Singular and defective, but not at zero: the root is that of the shear."""
    matrix = torch.block_diag(torch.tensor([[4.0, 1.0], [0.0, 4.0]]), torch.zeros(1, 1))
    root = torch.block_diag(torch.tensor([[2.0, 0.25], [0.0, 2.0]]), torch.zeros(1, 1))
    close(power(matrix, 0.5), root)
    half = power(rotated(matrix), 0.5)
    assert torch.linalg.matrix_rank(half, rtol=1e-10) == 2


@pytest.mark.parametrize("nearness", [1e-2, 1e-4, 1e-6, 1e-8, 1e-12])
def test_nearly_defective(nearness: float) -> None:
    """However close the eigenvectors are to dependent, the root squares to the matrix."""
    matrix = torch.tensor([[1.0, 1.0], [0.0, 1.0 + nearness]], dtype=torch.float64)
    root = power(matrix, 0.5)
    close(root @ root, matrix)


@pytest.mark.parametrize("value", [-1.0, -1e-3])
def test_negative(value: float) -> None:
    with pytest.raises(NoRealRootError, match=r"got -"):
        power(torch.diag(torch.tensor([value, 2.0])), 0.5)


def test_power_of_a_low_rank_update_that_is_all_of_space() -> None:
    """-I + 3 I Iᵀ = 2 I has a root, although its scale alone has none."""
    A = lz.IdentityPlusLowRank(-1.0, 3 * torch.eye(4), torch.eye(4))
    torch.testing.assert_close(lz.linalg.power(A, 0.5).to_dense(), 2**0.5 * torch.eye(4))


def test_float32_shear() -> None:
    root = lz.linalg.power(lz.Dense(torch.tensor([[1.0, 1.0], [0.0, 1.0]])), 0.5).to_dense()
    torch.testing.assert_close(root, torch.tensor([[1.0, 0.5], [0.0, 1.0]]), rtol=0, atol=1e-5)
