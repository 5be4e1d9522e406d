"""The checkers find what is broken: each broken map fails at the law that it breaks."""

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.errors import LawError
from linearizer.testing import (
    check_bijection,
    check_linear,
    check_operator,
    check_vector_space,
    perturb_,
)


class NotInverted(lz.Identity):
    def _inverse(self, z: Tensor) -> Tensor:
        return 1.001 * z


class NoBatchAxes(lz.Identity):
    def _forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)

    def _inverse(self, z: Tensor) -> Tensor:
        return z


class WrongLogDet(lz.ActNorm):
    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._forward(x), self.log_scale.sum().expand(x.shape[:1]) + 0.01


class GivesNaN(lz.Identity):
    def _inverse(self, z: Tensor) -> Tensor:
        return z * torch.nan


class Float32Inside(lz.Identity):
    def _forward(self, x: Tensor) -> Tensor:
        return x.float()


class Cubic(lz.Diagonal):
    def _forward(self, z: Tensor) -> Tensor:
        return self.diagonal * z**3


class WrongAdjoint(lz.Dense):
    def _adjoint(self, y: Tensor) -> Tensor:
        return y @ self.matrix.mT


class WrongMatrix(lz.Dense):
    def to_dense(self) -> Tensor:
        return self.matrix.mT


@pytest.mark.parametrize(
    ("g", "law"),
    [
        (NotInverted(3), "inverse after forward"),
        (GivesNaN(3), "inverse after forward"),
        (NoBatchAxes(3), "inverse after forward"),
        (Float32Inside(3), "dtype and device"),
        (WrongLogDet((3, 2)).double(), "log-determinant"),
    ],
)
def test_broken_bijections(g: lz.Bijection, law: str) -> None:
    with pytest.raises(LawError, match=f"expected.*'{law}'.*got.*error of"):
        check_bijection(g, x=torch.randn(5, *g.in_shape).double())


@pytest.mark.parametrize(
    ("A", "law"),
    [
        (Cubic(torch.ones(3)), "linear"),
        (WrongAdjoint(torch.randn(3, 3)), "adjoint"),
        (WrongMatrix(torch.randn(3, 3)), "matrix"),
        (lz.Dense(torch.full((2, 2), torch.nan)), "finite matrix"),
    ],
)
def test_broken_operators(A: lz.LinearOperator, law: str) -> None:
    with pytest.raises(LawError, match=f"'{law}'"):
        check_operator(A)


def test_broken_space() -> None:
    with pytest.raises(LawError, match="'addition associates'"):
        check_vector_space(lz.InducedSpace(NotInverted(3)))


def test_broken_inner_product() -> None:
    class Signed(lz.InducedSpace):
        def inner(self, u: Tensor, v: Tensor) -> Tensor:
            return super().inner(u, v) - 2 * u[..., 0] * v[..., 0]

    with pytest.raises(LawError, match="'inner product is positive'"):
        check_vector_space(Signed(lz.Identity(2)))


def test_broken_linearizer() -> None:
    f = lz.Linearizer(lz.Identity(3), Cubic(torch.ones(3)))
    with pytest.raises(LawError, match="'additive'"):
        check_linear(f)


def test_tolerance_decides() -> None:
    with pytest.raises(LawError, match=r"hold up to 1\.0e-04"):
        check_bijection(NotInverted(3))
    errors = check_bijection(NotInverted(3), rtol=0.01)
    assert errors["inverse after forward"] == pytest.approx(1e-3, rel=1e-2)


def test_perturbation_is_seeded_and_in_place() -> None:
    def noise(seed: int, dtype: torch.dtype) -> Tensor:
        module = nn.Linear(4, 3).to(dtype)
        before = module.weight.detach().clone()
        assert perturb_(module, scale=0.5, seed=seed) is module
        return module.weight.detach() - before

    torch.testing.assert_close(noise(1, torch.float32), noise(1, torch.float64).float())
    assert not torch.equal(noise(1, torch.float64), noise(2, torch.float64))
