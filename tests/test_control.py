"""Dynamics with inputs: exact steps, their fit, and the feedback of least cost."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import ControlledDynamics, ImprovedFeedback
from linearizer.errors import DtypeError, NonFiniteError, RangeError, ShapeError
from linearizer.flows import FreeGenerator
from linearizer.testing import perturb_

L = torch.tensor([[0.3, -2.0, 0.2], [2.0, 0.1, 0.0], [0.0, 0.1, -0.8]], dtype=torch.float64)
B = torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.2, 1.0]], dtype=torch.float64)


def controlled() -> ControlledDynamics:
    torch.manual_seed(0)
    g = perturb_(lz.vector_bijection(3, depth=3, width=8).double(), seed=0).requires_grad_(False)
    return ControlledDynamics(LinearDynamics(g, FreeGenerator(L)), B)


def draws(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def test_without_inputs_a_simulation_is_a_forecast() -> None:
    model, x0 = controlled(), draws(4, 3)
    times = torch.tensor([1.0, 1.3, 1.35, 2.0]).double()
    found = model.simulate(x0, times, torch.zeros(3, 2).double())
    torch.testing.assert_close(found, model.dynamics.forecast(x0, times - 1))
    assert model.simulate(x0, times[:1], torch.zeros(0, 2).double()).shape == (4, 1, 3)


def test_a_simulation_is_what_a_solver_finds() -> None:
    from scipy.integrate import solve_ivp

    model, x0, u = controlled(), draws(3), draws(2, 2, seed=1)
    times = torch.tensor([0.0, 0.5, 1.2]).double()
    z = model.dynamics.encode(x0).numpy()
    for i in range(2):
        push = (B @ u[i]).numpy()
        span = (float(times[i]), float(times[i + 1]))
        z = solve_ivp(lambda _, z: L.numpy() @ z + push, span, z, rtol=1e-10, atol=1e-12).y[:, -1]  # noqa: B023
    expected = model.dynamics.decode(torch.from_numpy(z))
    torch.testing.assert_close(model.simulate(x0, times, u)[-1], expected, rtol=1e-7, atol=1e-7)


def test_inputs_are_found_at_any_times() -> None:
    truth = controlled()
    clocks = [draws(n, seed=n).abs().cumsum(0) / 10 for n in (20, 15)]
    inputs = [draws(len(t), 2, seed=i) for i, t in enumerate(clocks)]
    data = [
        truth.simulate(draws(3, seed=i), t, u[:-1])
        for i, (t, u) in enumerate(zip(clocks, inputs, strict=True))
    ]
    found = ControlledDynamics.fit(truth.dynamics, data, clocks, inputs)
    torch.testing.assert_close(found.inputs, B, rtol=1e-7, atol=1e-7)
    with pytest.raises(RangeError, match="2 directions"):
        ControlledDynamics.fit(truth.dynamics, data, clocks, [u[:, [0, 0]] for u in inputs])
    with pytest.raises(ShapeError, match="an input for each row"):
        ControlledDynamics.fit(truth.dynamics, data, clocks, [u[1:] for u in inputs])
    with pytest.raises(NonFiniteError, match="inputs"):
        ControlledDynamics.fit(truth.dynamics, data, clocks, [u / 0 for u in inputs])


def test_the_regulator_brings_all_points_to_the_equilibrium_at_the_cost_it_says() -> None:
    model = controlled()
    Q, R = torch.eye(3).double(), torch.diag(torch.tensor([1.0, 0.1])).double()
    regulator = model.regulator(Q, R)
    assert not model.dynamics.is_stable
    assert regulator.closed_loop.is_stable
    rest = model.dynamics.equilibrium()
    x0 = rest + 1e-3 * draws(5, 3)  # near enough that the cost of points is that of latents
    times = torch.linspace(0, 30, 6001, dtype=torch.float64)
    path = regulator.closed_loop.forecast(x0, times)
    u = regulator.input(path)
    cost = (path - rest).square().sum(-1) + ((u @ R) * u).sum(-1)
    z = model.dynamics.encode(x0)
    torch.testing.assert_close(
        torch.trapezoid(cost, times), ((z @ regulator.cost) * z).sum(-1), rtol=1e-2, atol=0
    )
    torch.testing.assert_close(regulator.closed_loop.forecast(5 * draws(5, 3), 60.0)[0], rest)


def test_feedback_in_short_steps_is_the_closed_loop() -> None:
    model = controlled()
    regulator = model.regulator(torch.eye(3).double(), torch.eye(2).double())
    x, h = draws(2, 3), torch.tensor([0.0, 0.01]).double()
    expected = regulator.closed_loop.forecast(x, 1.0)
    for _ in range(100):
        x = model.simulate(x, h, regulator.input(x)[:, None])[:, -1]
    torch.testing.assert_close(x, expected, rtol=0.1, atol=0.1)


def test_what_no_input_reaches_cannot_be_regulated() -> None:
    grows = FreeGenerator(torch.diag(torch.tensor([1.0, -1.0])))
    model = ControlledDynamics(LinearDynamics(lz.Identity(2), grows), torch.eye(2)[:, 1:])
    with pytest.raises(RangeError, match="add inputs"):
        model.regulator(torch.eye(2), torch.eye(1))


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = controlled()
    model.save_pretrained(tmp_path)
    loaded = lz.load(tmp_path)
    x0, t, u = draws(2, 3), torch.tensor([0.0, 0.1]).double(), draws(1, 2)
    assert torch.equal(loaded.simulate(x0, t, u), model.simulate(x0, t, u))


def test_what_is_refused() -> None:
    model = controlled()
    with pytest.raises(ShapeError, match=r"inputs \(3, m\)"):
        ControlledDynamics(model.dynamics, B[:2])
    with pytest.raises(DtypeError):
        ControlledDynamics(model.dynamics, B.float())
    x0, t = draws(3), torch.arange(3).double()
    with pytest.raises(ShapeError, match="simulation"):
        model.simulate(x0, t, torch.zeros(3, 2).double())
    with pytest.raises(RangeError, match="increasing"):
        model.simulate(x0, -t, torch.zeros(2, 2).double())
    with pytest.raises(ShapeError, match="of points"):
        model.regulator(torch.eye(2).double(), torch.eye(2).double())
    with pytest.raises(ShapeError, match="of inputs"):
        model.regulator(torch.eye(3).double(), torch.eye(3).double())
    with pytest.raises(DtypeError):
        model.regulator(torch.eye(3), torch.eye(2))


# Improving a feedback ------------------------------------------------------------------------

A2 = torch.tensor([[0.0, 1.0], [1.0, -0.1]], dtype=torch.float64)
B2 = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
Q2, R2 = torch.diag(torch.tensor([2.0, 1.0]).double()), torch.tensor([[0.5]]).double()


def improved(gain: Tensor) -> ImprovedFeedback:
    """Of a linear system under `u = -K x`."""
    loop = LinearDynamics(lz.Identity(2), FreeGenerator(A2 - B2 @ gain))
    return ImprovedFeedback(loop, lambda x: -x @ gain.mT, B2, Q2, R2)


def test_the_cost_of_a_feedback_is_that_of_lyapunov() -> None:
    from scipy.linalg import solve_continuous_lyapunov

    K = torch.tensor([[4.0, 3.0]]).double()
    closed = (A2 - B2 @ K).numpy()
    M = torch.from_numpy(solve_continuous_lyapunov(closed.T, -(Q2 + K.mT @ R2 @ K).numpy()).copy())
    x = draws(7, 2)
    better = improved(K)
    torch.testing.assert_close(better.cost(x), ((x @ M) * x).sum(-1), rtol=1e-5, atol=0)
    torch.testing.assert_close(better.input(x), -x @ M @ B2 / R2, rtol=1e-5, atol=1e-8)


def test_improving_again_and_again_is_optimal() -> None:
    from scipy.linalg import solve_continuous_are

    K = torch.tensor([[6.0, 1.5]]).double()
    costs = []
    x = draws(1, 2)
    for _ in range(6):
        better = improved(K)
        costs.append(float(better.cost(x)))
        K = -torch.cat([better.input(e[None]) for e in torch.eye(2).double()]).mT
    assert all(b <= a + 1e-6 for a, b in pairwise(costs))
    assert costs[-1] < 0.5 * costs[0]
    P = solve_continuous_are(A2.numpy(), B2.numpy(), Q2.numpy(), R2.numpy())
    torch.testing.assert_close(K, torch.linalg.solve(R2, B2.mT @ torch.from_numpy(P)), rtol=1e-4,
                               atol=0)  # fmt: skip


def test_a_feedback_that_is_not_to_be_improved_says_so() -> None:
    K = torch.tensor([[4.0, 3.0]]).double()
    with pytest.raises(RangeError, match="a feedback that comes to the goal"):
        improved(0 * K)
    loop = LinearDynamics(lz.Identity(2), FreeGenerator(A2 - B2 @ K))
    for wrong in ((B2.mT, Q2, R2), (B2, R2, R2), (B2, Q2, Q2)):
        with pytest.raises(ShapeError):
            ImprovedFeedback(loop, lambda x: -x @ K.mT, *wrong)
    late = LinearDynamics(lz.Identity(2), FreeGenerator(A2 - B2 @ K), delays=1)
    with pytest.raises(RangeError, match="without delays"):
        ImprovedFeedback(late, lambda x: -x @ K.mT, B2[:1], Q2[:1, :1], R2)
