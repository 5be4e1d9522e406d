"""The collapse of low-rank samplers: exact, structured, and without a matrix of n × n."""

import resource
import sys
import time

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.flows import Method, TimeDependentOperator
from linearizer.operators import LinearOperator

METHODS = ["euler", "midpoint", "heun", "rk4"]


class Wave(TimeDependentOperator):
    """`L(t) = a(t) I + c U(t) Vᵀ` with U(t) turning from one random basis to another."""

    def __init__(self, n: int, rank: int, dtype: torch.dtype) -> None:
        super().__init__(n)
        generator = torch.Generator().manual_seed(0)
        bases = torch.randn(3, n, rank, generator=generator, dtype=torch.float64) / n**0.5
        self.register_buffer("bases", bases.to(dtype))

    def velocity(self, t: float) -> lz.IdentityPlusLowRank:
        first, second, V = self.bases
        turn = torch.tensor(t)
        return lz.IdentityPlusLowRank(-0.3 - t, first * turn.cos() + second * turn.sin(), 0.5 * V)

    def at(self, t: float) -> LinearOperator:
        return lz.ScaledIdentity(self.shape, torch.ones_like(self.bases[0, 0, 0])) + (
            self.velocity(t) * (1 - t)
        )

    def flow(self, start: float = 0.0, end: float = 1.0) -> LinearOperator:
        raise NotImplementedError

    def end_time(self, steps: int) -> float:
        return 1.0


def dense_euler(operator: TimeDependentOperator, steps: int) -> Tensor:
    """The product of the matrices I + h L(t), in float64."""
    h, state = 1 / steps, torch.eye(*operator.shape, dtype=torch.float64)
    for i in range(steps):
        L = operator.velocity(i * h)
        U, V = L.U.double(), L.V.double()
        state = state + h * (L.scale.double() * state + U @ (V.mT @ state))
    return state


@pytest.fixture(scope="module")
def expected() -> Tensor:
    return dense_euler(Wave(1024, 8, torch.float64), 100)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-4), (torch.float64, 1e-12)])
def test_it_is_exact(dtype: torch.dtype, error: float, expected: Tensor) -> None:
    operator = Wave(1024, 8, dtype)
    collapsed = lz.flows.collapse(operator, 100)
    assert isinstance(collapsed, lz.IdentityPlusLowRank)
    assert collapsed.U.shape == (1024, 800)
    difference = collapsed.to_dense().double() - expected
    assert float(difference.norm() / expected.norm()) < error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_it_equals_the_steps_one_by_one(method: Method, steps: int) -> None:
    """Also where the rank of all steps together exceeds n: 40 steps of rk4 have 240."""
    operator = Wave(50, 2, torch.float64)
    z = torch.randn(6, 50, dtype=torch.float64)
    collapsed = lz.flows.collapse(operator, steps, method)
    expected = lz.flows.integrate(operator.velocity, z, steps, method)
    torch.testing.assert_close(collapsed(z), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("method", "rank"), [("euler", 2), ("midpoint", 4), ("heun", 4), ("rk4", 6)]
)
def test_a_step_has_the_rank_of_its_distinct_velocities(method: Method, rank: int) -> None:
    step = lz.flows.collapse(Wave(50, 2, torch.float64), 1, method)
    assert isinstance(step, lz.IdentityPlusLowRank)
    assert step.U.shape == (50, rank)


def test_it_becomes_a_matrix_when_that_is_smaller() -> None:
    operator = Wave(20, 3, torch.float64)
    assert isinstance(lz.flows.collapse(operator, 6), lz.IdentityPlusLowRank)
    assert isinstance(lz.flows.collapse(operator, 7), lz.Dense)


def test_backwards_undoes_it_in_the_limit() -> None:
    operator = Wave(30, 2, torch.float64)
    there, back = (
        lz.flows.collapse(operator, 40, "rk4"),
        lz.flows.collapse(operator, 40, "rk4", 1.0, 0.0),
    )
    torch.testing.assert_close(
        (back @ there).to_dense(), torch.eye(30, dtype=torch.float64), rtol=0, atol=1e-7
    )


def test_gradients_reach_the_family() -> None:
    operator = lz.flows.LowRankHypernetwork(8, rank=2, width=8).double()
    nn.init.normal_(operator.network[-1].weight)
    z = torch.randn(3, 8, dtype=torch.float64)
    grads = []
    for sample in (
        lz.flows.collapse(operator, 6, "heun", 0.0, 0.8)(z),
        lz.flows.integrate(operator.velocity, z, 6, "heun", 0.0, 0.8),
    ):
        grads.append(torch.autograd.grad(sample.square().sum(), list(operator.parameters())))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_images_of_64_by_64_collapse_in_seconds_and_little_memory() -> None:
    n, steps = 12288, 100
    operator = Wave(n, 8, torch.float32)
    before = _peak_bytes()
    started = time.process_time()  # of this process alone
    collapsed = lz.flows.collapse(operator, steps)
    seconds = time.process_time() - started
    assert _peak_bytes() - before < 4 * n * n  # less than one matrix in float32
    assert seconds < 20  # about one is usual
    assert collapsed.U.shape == (n, 800)
    z = torch.randn(2, n)
    expected = lz.flows.integrate(operator.velocity, z, steps)
    assert float((collapsed(z) - expected).norm() / expected.norm()) < 1e-4


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
