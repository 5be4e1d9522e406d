"""Generators: what each class can be, and the group of its exact flow."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import linearizer as lz
from linearizer.errors import DtypeError, NoRealRootError, RangeError, ShapeError
from linearizer.flows import ConservativeGenerator, FreeGenerator, Generator, StableGenerator

CLASSES = (ConservativeGenerator, FreeGenerator, StableGenerator)
seeds = st.integers(0, 10**6)


def made(cls: type[Generator], n: int = 4, seed: int = 0, rate: float = 1.0) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cls.trainable(n, rate=rate).double()


def moved(generator: Generator, seed: int, size: float) -> Generator:
    """The same generator after some training, that went wrong."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in generator.parameters():
            noise = torch.randn(parameter.shape, generator=random, dtype=parameter.dtype)
            parameter.add_(size * noise)
    return generator


def rates(generator: Generator) -> Tensor:
    return torch.linalg.eigvals(generator.to_dense().detach()).real


@given(seeds, st.floats(0.01, 30.0), st.integers(1, 6))
def test_stable_generators_are_stable_whatever_they_are_trained_to(
    seed: int, size: float, n: int
) -> None:
    L = moved(made(StableGenerator, n, seed), seed, size)
    scale = float(L.to_dense().detach().norm())
    assert float(rates(L).max()) <= -L.margin + 1e-12 * scale
    z = torch.randn(5, n, dtype=torch.float64)
    assert bool((L.flow(0.7)(z).norm(dim=-1) <= z.norm(dim=-1)).all())


@given(seeds, st.floats(0.01, 30.0), st.integers(1, 6))
def test_conservative_generators_keep_the_energy(seed: int, size: float, n: int) -> None:
    L = moved(made(ConservativeGenerator, n, seed), seed, size)
    z = torch.randn(5, n, dtype=torch.float64)
    torch.testing.assert_close(L.flow(3.0)(z).norm(dim=-1), z.norm(dim=-1), rtol=1e-9, atol=0)


def test_every_stable_matrix_is_a_stable_generator_in_some_basis() -> None:
    from scipy.linalg import solve_continuous_lyapunov

    L = torch.tensor([[-1.0, 50.0], [0.0, -2.0]], dtype=torch.float64)
    assert float(torch.linalg.eigvalsh(L + L.mT).max()) > 0  # not in this one
    M = torch.as_tensor(solve_continuous_lyapunov(L.mT.numpy(), -torch.eye(2).numpy()))
    R = torch.linalg.cholesky(M).mH
    changed = R @ L @ torch.linalg.inv(R)
    margin = 1e-6
    damping = torch.linalg.cholesky(-(changed + changed.mT) / 2 - margin * torch.eye(2))
    found = StableGenerator(damping, changed / 2, margin)
    torch.testing.assert_close(found.to_dense(), changed)


@pytest.mark.parametrize("cls", CLASSES)
@given(s=st.floats(-3, 3), t=st.floats(-3, 3))
def test_the_flow_is_a_group(cls: type[Generator], s: float, t: float) -> None:
    L = moved(made(cls), 1, 0.3)
    both = (L.flow(s) @ L.flow(t)).to_dense()
    torch.testing.assert_close(both, L.flow(s + t).to_dense(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cls", CLASSES)
def test_propagators_are_the_flows(cls: type[Generator]) -> None:
    L = made(cls)
    times = torch.tensor([[0.0, 1.3, -0.4], [7.0, 1.3, 0.1]], dtype=torch.float64)
    flows = [L.flow(t).to_dense() for t in times.flatten()]
    torch.testing.assert_close(L.propagators(times).flatten(0, 1), torch.stack(flows))
    assert L.propagators(times[:0]).shape == (0, 3, 4, 4)


def test_the_flow_solves_the_equation() -> None:
    L = made(FreeGenerator)
    t = torch.tensor(0.8, dtype=torch.float64)
    value, slope = torch.func.jvp(L.propagators, (t,), (torch.ones_like(t),))
    torch.testing.assert_close(slope, L.to_dense() @ value)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_flow_has_the_right_gradient(cls: type[Generator]) -> None:
    L = made(cls)
    names = [name for name, _ in L.named_parameters()]
    times = torch.tensor([0.5, 1.0], dtype=torch.float64)

    def image(*values: Tensor) -> Tensor:
        call = torch.func.functional_call
        return call(_Propagators(L), {f"L.{n}": v for n, v in zip(names, values)}, (times,))  # noqa: B905

    assert torch.autograd.gradcheck(image, tuple(L.parameters()))


class _Propagators(nn.Module):
    def __init__(self, L: Generator) -> None:
        super().__init__()
        self.L = L

    def forward(self, times: Tensor) -> Tensor:
        return self.L.propagators(times)


@pytest.mark.parametrize("cls", CLASSES)
def test_another_unit_of_time(cls: type[Generator]) -> None:
    L = made(cls)
    per_minute = L.faster(60.0)
    assert type(per_minute) is cls
    assert [p.requires_grad for p in per_minute.parameters()] == [True] * len([*L.parameters()])
    torch.testing.assert_close(per_minute.to_dense(), 60 * L.to_dense())
    torch.testing.assert_close(per_minute.flow(0.5).to_dense(), L.flow(30.0).to_dense())


def test_half_precision() -> None:
    L = made(StableGenerator).bfloat16()
    times = torch.ones(2, dtype=torch.bfloat16)
    assert L.propagators(times).dtype == torch.bfloat16
    assert L.flow(1.0)(torch.ones(4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_what_is_refused() -> None:
    square, K = torch.zeros(3, 3), torch.zeros(2, 3)
    for cls in (FreeGenerator, ConservativeGenerator):
        with pytest.raises(ShapeError, match="expected a"):
            cls(K)
        with pytest.raises(DtypeError):
            cls(torch.zeros(3, 3, dtype=torch.int64))
        with pytest.raises(RangeError, match="rate"):
            cls.trainable(3, rate=0.0)
    with pytest.raises(ShapeError, match="as many rows"):
        StableGenerator(K, square)
    for margin in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RangeError, match="ConservativeGenerator"):
            StableGenerator(square, square, margin)
    for factor in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(RangeError, match="positive finite rate"):
            FreeGenerator(square).faster(factor)


# The logarithm of a flow -------------------------------------------------------------------


@given(seeds)
def test_the_logarithm_undoes_the_flow(seed: int) -> None:
    L = moved(made(FreeGenerator, seed=seed), seed, 0.4)
    found = lz.linalg.logm(L.flow(0.5))
    torch.testing.assert_close(found.to_dense(), 0.5 * L.to_dense(), rtol=1e-8, atol=1e-8)


def test_the_logarithm_keeps_the_structure() -> None:
    A = lz.IdentityPlusLowRank(1.0, torch.ones(5, 1).double(), torch.ones(5, 1).double())
    found = lz.linalg.logm(A)
    assert type(found) is lz.IdentityPlusLowRank
    torch.testing.assert_close(lz.linalg.expm(found).to_dense(), A.to_dense())


def test_where_there_is_no_real_logarithm() -> None:
    for diagonal in ([-1.0, 2.0], [0.0, 2.0]):
        with pytest.raises(NoRealRootError, match="logarithm"):
            lz.linalg.logm(lz.Diagonal(torch.tensor(diagonal)))


# Starts for training ---------------------------------------------------------------------------


@pytest.mark.parametrize("cls", CLASSES)
def test_near_a_generator_of_the_class_is_that_one(cls: type[Generator]) -> None:
    L = made(cls).to_dense().detach()
    near = cls.near(L, rate=0.1)
    torch.testing.assert_close(near.to_dense().detach(), L)
    assert all(p.requires_grad for p in near.parameters())
    assert [*near.parameters()]


@given(seeds)
def test_near_any_matrix_is_of_the_class(seed: int) -> None:
    M = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed)).double()
    stable = StableGenerator.near(M, rate=2.0).to_dense().detach()
    assert float(torch.linalg.eigvalsh((stable + stable.mT) / 2).max()) <= -0.04 + 1e-12
    torch.testing.assert_close(stable - stable.mT, M - M.mT)
    turning = ConservativeGenerator.near(M).to_dense().detach()
    torch.testing.assert_close(turning, (M - M.mT) / 2)
    assert torch.equal(FreeGenerator.near(M).to_dense().detach(), M)


def test_flows_of_float32_are_as_exact_as_float32_can_be() -> None:
    L = torch.tensor([[-3.0, 40.0], [-40.0, -0.1]])
    exact = torch.linalg.matrix_exp(7.3 * L.double())
    for found in (
        FreeGenerator(L).flow(7.3).to_dense(),
        FreeGenerator(L).propagators(torch.tensor(7.3, dtype=torch.float64)),
    ):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, exact.float(), rtol=1e-6, atol=0)
