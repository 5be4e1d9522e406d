"""Linear dynamics: any time in one step, forwards and back, with the spectrum of the system."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import linearizer as lz
from linearizer.applications import LinearDynamics
from linearizer.errors import DtypeError, NonFiniteError, RangeError, ShapeError
from linearizer.flows import ConservativeGenerator, FreeGenerator, StableGenerator
from linearizer.testing import check_linear, perturb_

N = 3
L = torch.tensor([[-0.3, -2.0, 0.2], [2.0, -0.3, 0.0], [0.0, 0.1, -0.8]], dtype=torch.float64)


def planted(
    matrix: Tensor = L, padding: int = 0, delays: int = 0, dtype: torch.dtype = torch.float64
) -> LinearDynamics:
    """A system that is conjugate to a linear one, by a random bijection."""
    torch.manual_seed(0)
    g = perturb_(lz.vector_bijection(len(matrix), depth=3, width=8).to(dtype), seed=0)
    g.requires_grad_(False)
    return LinearDynamics(g, FreeGenerator(matrix.to(dtype)), padding, delays)


def starts(count: int, model: LinearDynamics) -> Tensor:
    random = torch.Generator().manual_seed(1)
    like = model.generator.to_dense()
    return torch.randn(count, *model.point_shape, generator=random).to(like)


def runs(model: LinearDynamics, clocks: list[Tensor]) -> list[Tensor]:
    x = starts(len(clocks), model)
    return [model.forecast(x0, t - t[0]) for x0, t in zip(x, clocks, strict=True)]


IRREGULAR = [
    torch.tensor([0.0, 0.1, 0.4, 0.45, 0.9, 1.5, 1.6, 2.0, 2.1, 2.7], dtype=torch.float64) + i
    for i in range(6)
]
REGULAR = [torch.arange(n) * 0.1 for n in (30, 25, 12, 40)]
clock = st.floats(-2.0, 2.0)


# Time --------------------------------------------------------------------------------------


@given(s=clock, t=clock)
def test_the_flow_is_a_group_of_linearizers(s: float, t: float) -> None:
    model = planted()
    x = starts(5, model)
    both = model.flow(s) @ model.flow(t)
    torch.testing.assert_close(both(x), model.flow(s + t)(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        model.flow(s)(model.flow(t)(x)), model.forecast(x, s + t), rtol=1e-10, atol=1e-10
    )
    check_linear(model.flow(t), x=x)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_forwards_and_back(dtype: torch.dtype, tolerance: float) -> None:
    model = planted(dtype=dtype)
    x = starts(20, model)
    for t in (0.0, 0.3, 2.0):
        assert float((model.backcast(model.forecast(x, t), t) - x).abs().max()) <= tolerance
        assert float((model.forecast(model.forecast(x, -t), t) - x).abs().max()) <= tolerance


def test_times_for_all_starts_and_for_each() -> None:
    model = planted()
    x = starts(4, model)
    times = torch.tensor([3.0, -0.5, 0.0, 1e-3], dtype=torch.float64)
    together = model.forecast(x, times)
    assert together.shape == (4, 4, N)
    one_by_one = torch.stack([model.forecast(x, float(t)) for t in times], 1)
    torch.testing.assert_close(together, one_by_one)
    torch.testing.assert_close(model.forecast(x, times.expand(4, -1)), together)
    own = torch.rand(4, 7, dtype=torch.float64)
    each = torch.stack([model.forecast(x0, t) for x0, t in zip(x, own, strict=True)])
    torch.testing.assert_close(model.forecast(x, own), each)
    torch.testing.assert_close(model.forecast(x, [3.0, -0.5]), together[:, :2])
    torch.testing.assert_close(model.backcast(x, times), model.forecast(x, -times))
    assert model.forecast(x[0], 0.5).shape == (N,)
    assert model.forecast(x[None], own[None]).shape == (1, 4, 7, N)
    assert model.forecast(x, []).shape == (4, 0, N)


def test_many_points_are_decoded_as_few_are() -> None:
    model = LinearDynamics(lz.vector_bijection(3), FreeGenerator.trainable(3), padding=1).double()
    z = torch.randn(3, 4001, 3).double()
    whole = model.lower(model.g.inverse(z))
    assert torch.allclose(model.decode(z), whole, rtol=1e-12, atol=1e-12)
    assert model.decode(z).shape == (3, 4001, 2)


def test_the_velocity_is_that_of_the_flow() -> None:
    model = planted()
    x, h = starts(5, model), 1e-5
    slope = (model.forecast(x, h) - model.forecast(x, -h)) / (2 * h)
    torch.testing.assert_close(model.velocity(x), slope, rtol=1e-6, atol=1e-6)


# Padding and delays ------------------------------------------------------------------------


def test_padding_keeps_the_group_on_states() -> None:
    model = planted(padding=1)
    x = starts(5, model)
    assert model.point_shape == (2,)
    torch.testing.assert_close(model.forecast(x, 0.0), x)
    state = model.lift(x)
    torch.testing.assert_close(model.lower(model.flow(0.7)(state)), model.forecast(x, 0.7))
    back = model.flow(-0.7)(model.flow(0.7)(state))
    torch.testing.assert_close(back, state)
    dropped = model.backcast(model.forecast(x, 0.7), 0.7)
    assert float((dropped - x).abs().max()) > 1e-3  # as the class says


def test_delays_take_histories_with_the_newest_last() -> None:
    model = planted(delays=2)
    x = starts(5, model)
    assert x.shape == (5, 3, 1)
    torch.testing.assert_close(model.forecast(x, 0.0), x[:, -1])
    assert model.forecast(x, [0.1, 0.2]).shape == (5, 2, 1)


def test_delays_see_a_turn_in_one_coordinate() -> None:
    clocks = [0.1 * torch.arange(40).double(), 0.1 * torch.arange(25).double()]
    waves = [torch.sin(3 * t + i)[:, None] for i, t in enumerate(clocks)]
    model = LinearDynamics.fit(lz.Identity(2), waves, clocks, delays=1)
    torch.testing.assert_close(model.modes().periods, torch.full((2,), 2 * torch.pi / 3).double())
    later = torch.tensor([5.0, 50.25], dtype=torch.float64)
    found = model.forecast(waves[0][:2], later - 0.1)
    torch.testing.assert_close(found[:, 0], torch.sin(3 * later), rtol=1e-6, atol=1e-6)
    assert model.error(waves, clocks).forecast < 1e-12


# Spectrum ----------------------------------------------------------------------------------


def test_modes_and_their_eigenfunctions() -> None:
    model = planted()
    modes = model.modes()
    assert modes.rates.tolist() == sorted(modes.rates.tolist(), reverse=True)
    expected = torch.linalg.eigvals(L)
    torch.testing.assert_close(modes.rates.sort().values, expected.real.sort().values)
    assert modes.periods.isinf().sum() == 1
    x = starts(5, model)
    for t in (0.4, -0.3):
        turned = (modes.eigenvalues * t).exp() * model.eigenfunctions(x)
        torch.testing.assert_close(model.eigenfunctions(model.forecast(x, t)), turned)


def test_eigenfunctions_without_a_basis_of_eigenvectors() -> None:
    model = planted(torch.tensor([[-1.0, 1.0], [0.0, -1.0]]).double())
    x = starts(3, model)
    turned = torch.exp(torch.tensor(-0.5)) * model.eigenfunctions(x)
    torch.testing.assert_close(
        model.eigenfunctions(model.forecast(x, 0.5)), turned, rtol=1e-5, atol=1e-6
    )


# Stability ---------------------------------------------------------------------------------


def test_every_point_comes_to_the_equilibrium() -> None:
    model = planted()
    rest = model.equilibrium()
    assert model.is_stable
    torch.testing.assert_close(model.forecast(rest, [1.0, 100.0]), rest.expand(2, N))
    far = model.forecast(5 * starts(50, model), 200.0)
    torch.testing.assert_close(far, rest.expand(50, N))


def test_the_lyapunov_function_falls_along_every_trajectory() -> None:
    model = planted()
    x = 3 * starts(30, model)
    V = model.lyapunov(model.forecast(x, torch.linspace(0, 3, 10, dtype=torch.float64)))
    assert bool((V.diff() < 0).all())
    h = 1e-4
    slope = (model.lyapunov(model.forecast(x, h)) - model.lyapunov(model.forecast(x, -h))) / (2 * h)
    torch.testing.assert_close(slope, -model.encode(x).square().sum(-1), rtol=1e-5, atol=1e-5)
    assert float(model.lyapunov(model.equilibrium())) < 1e-20


def test_what_is_not_stable_says_so() -> None:
    for generator in (ConservativeGenerator(torch.randn(3, 3)), FreeGenerator(torch.eye(3))):
        model = LinearDynamics(lz.Identity(3), generator)
        if isinstance(generator, FreeGenerator):
            assert not model.is_stable
            with pytest.raises(RangeError, match="StableGenerator"):
                model.lyapunov(torch.ones(3))
    slow = StableGenerator(torch.zeros(3, 1), 100 * torch.randn(3, 3), margin=1e-3)
    assert LinearDynamics(lz.Identity(3), slow).is_stable


def test_an_anchor_is_the_equilibrium_whatever_is_trained_or_loaded() -> None:
    goal = torch.tensor([3.0, -1.0, 0.5])
    g = lz.Anchored(lz.vector_bijection(3, depth=2, width=8), goal)
    model = LinearDynamics(g, StableGenerator.trainable(3))
    torch.testing.assert_close(model.equilibrium(), goal)
    perturb_(model, seed=3)
    torch.testing.assert_close(model.equilibrium(), goal)
    torch.testing.assert_close(model.forecast(goal, 10.0), goal)
    other = LinearDynamics(
        lz.Anchored(lz.vector_bijection(3, depth=2, width=8), torch.zeros(3)),
        StableGenerator.trainable(3),
    )
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.equilibrium(), goal)


# Closed form -------------------------------------------------------------------------------


@pytest.mark.parametrize("clocks", [IRREGULAR, [t.double() for t in REGULAR]])
def test_the_planted_system_is_found(clocks: list[Tensor]) -> None:
    truth = planted()
    data = runs(truth, clocks)
    model = LinearDynamics.fit(truth.g, data, clocks, stable=True, refinement=200)
    torch.testing.assert_close(
        model.modes().eigenvalues, truth.modes().eigenvalues, rtol=1e-3, atol=1e-4
    )
    x = starts(5, truth)
    times = torch.tensor([0.05, 20.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(
        model.forecast(x, times), truth.forecast(x, times), rtol=1e-2, atol=1e-3
    )
    assert model.error(data, clocks).forecast < 1e-6


def test_an_equilibrium_that_is_known_or_found() -> None:
    truth = planted()
    data = runs(truth, IRREGULAR)
    rest = truth.equilibrium()
    moved = lz.Chain(truth.g, lz.Centering(torch.tensor([1.0, 2.0, -1.0]).double()))
    for equilibrium in (rest, "fit"):
        model = LinearDynamics.fit(moved, data, IRREGULAR, equilibrium=equilibrium, refinement=200)
        torch.testing.assert_close(model.equilibrium(), rest, rtol=1e-3, atol=1e-3)
        assert model.error(data, IRREGULAR).forecast < 1e-5
    lost = LinearDynamics.fit(moved, data, IRREGULAR)
    assert lost.error(data, IRREGULAR).forecast > 1e-3


def test_rows_with_nan_are_told_or_left_out() -> None:
    truth = planted()
    data = runs(truth, [t.double() for t in REGULAR])
    whole = LinearDynamics.fit(truth.g, data, REGULAR)
    data[1][5:8, 0] = torch.nan
    with pytest.raises(NonFiniteError, match=r"trajectory 1, got NaN in 3 of 25 rows; .*skip"):
        LinearDynamics.fit(truth.g, data, REGULAR)
    model = LinearDynamics.fit(truth.g, data, REGULAR, missing="skip")
    torch.testing.assert_close(model.generator.to_dense(), whole.generator.to_dense())
    with pytest.raises(NonFiniteError):
        model.error(data, REGULAR)
    assert model.error(data, REGULAR, missing="skip").forecast < 1e-6


def test_histories_with_a_gap_are_left_out() -> None:
    from linearizer.applications.linear_dynamics import read_trajectories

    x, t = torch.arange(8.0)[:, None], torch.arange(8.0) + 100
    x[3] = torch.nan
    points, times = read_trajectories([x], [t], delays=1, missing="skip")
    assert points[0].tolist() == [[[a], [a + 1]] for a in (0.0, 1.0, 4.0, 5.0, 6.0)]
    assert times[0].tolist() == [0.0, 1.0, 4.0, 5.0, 6.0]


def test_a_system_that_does_not_fit_says_so() -> None:
    """Two attractors: no bijection makes them one linear system."""
    t = torch.linspace(0, 6, 30).double()
    x = torch.tensor([[-1.5], [-0.2], [0.2], [1.5], [-0.05], [0.05]]).double()
    rows = [x]
    for _ in range(29):
        rows.append(rows[-1] + 6 / 29 * (rows[-1] - rows[-1] ** 3))
    data = list(torch.stack(rows, 1))
    model = LinearDynamics.fit(lz.Identity(1), data, t)
    assert not model.error(data, t).beats_trivial
    good = planted()
    assert good.error(runs(good, IRREGULAR), IRREGULAR).beats_trivial


# Uncertainty -------------------------------------------------------------------------------


def test_a_gaussian_start_is_carried_exactly() -> None:
    model = planted()
    x = starts(2, model)
    B = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    C, times = 0.01 * B @ B.mT, torch.tensor([0.0, 0.5, -0.3]).double()
    found = model.forecast_gaussian(x, times, C)
    torch.testing.assert_close(model.decode(found.mean), model.forecast(x, times))
    torch.testing.assert_close(found.covariance[0], C)
    draws = model.sample_forecast(x, times, C, 20000, seed=0)
    assert draws.shape == (20000, 2, 3, N)
    z = model.encode(draws[:, 1, 1])
    torch.testing.assert_close(torch.cov(z.mT), found.covariance[1], rtol=0.05, atol=1e-3)
    torch.testing.assert_close(z.mean(0), found.mean[1, 1], rtol=0.05, atol=0.01)
    again = model.sample_forecast(x, times, C, 20000, seed=0)
    assert torch.equal(again, draws)
    sure = model.sample_forecast(x, times, 0 * C, 2)
    torch.testing.assert_close(sure, model.forecast(x, times).expand(2, -1, -1, -1))
    own = times.expand(2, -1)
    assert model.forecast_gaussian(x, own, C).covariance.shape == (2, 3, N, N)
    assert model.sample_forecast(x, own, C, 4).shape == (4, 2, 3, N)


# Saving and precision ----------------------------------------------------------------------


@pytest.mark.parametrize("generator", [FreeGenerator, StableGenerator, ConservativeGenerator])
def test_saved_and_loaded(generator: type, tmp_path: Path) -> None:
    g = lz.Anchored(lz.vector_bijection(5, depth=2, width=8), torch.randn(5))
    model = perturb_(LinearDynamics(g, generator.trainable(5), padding=1, delays=1))
    model.save_pretrained(tmp_path)
    loaded = lz.load(tmp_path)
    x = torch.randn(4, 2, 2)
    assert torch.equal(loaded.forecast(x, [0.3, -0.1]), model.forecast(x, [0.3, -0.1]))
    assert torch.equal(loaded.equilibrium(), model.equilibrium())


def test_autocast_changes_nothing() -> None:
    model = planted(dtype=torch.float32)
    x = starts(4, model)
    expected = model.forecast(x, [0.5, 1.0])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.forecast(x, [0.5, 1.0]), expected)


# Bad input ---------------------------------------------------------------------------------

ROWS, CLOCK = torch.randn(6, N), torch.arange(6.0)
BACK = torch.tensor([0.0, 1.0, 3.0, 2.0, 4.0, 5.0])
BAD = {
    "decreasing times": ([ROWS], [BACK], {}, RangeError, "then 2 in trajectory 0; sort"),
    "a time twice": ([ROWS], [CLOCK.floor_divide(2)], {}, RangeError, "drop doubles"),
    "NaN in times": ([ROWS], [CLOCK.log() * 0], {}, NonFiniteError, "times of trajectory 0"),
    "infinity": ([ROWS / 0], [CLOCK], {"missing": "skip"}, NonFiniteError, "trajectory 0"),
    "one point": ([ROWS, ROWS[:1]], [CLOCK, CLOCK[:1]], {}, ShapeError, "1, got 1; leave"),
    "nothing": ([], [], {}, ShapeError, "got 0 trajectories"),
    "a bare trajectory": (ROWS, [CLOCK], {}, ShapeError, "in a list"),
    "fewer times": ([ROWS], [CLOCK[:5]], {}, ShapeError, "5,. times for 6 rows"),
    "a trajectory without times": ([ROWS, ROWS], [CLOCK], {}, ShapeError, "2 trajectories and 1"),
    "other dimensions": ([ROWS, ROWS[:, :2]], CLOCK, {}, ShapeError, "one dimension d"),
    "numbers g does not take": ([ROWS[:, :2]], CLOCK, {}, ShapeError, "3"),
    "a word for missing": ([ROWS], CLOCK, {"missing": "drop"}, RangeError, "'raise' or 'skip'"),
    "a word for equilibrium": ([ROWS], CLOCK, {"equilibrium": "mean"}, RangeError, "'fit' or None"),
    "unequal delays": (
        [ROWS[:, :1]],
        [CLOCK**2],
        {"delays": 2},
        RangeError,
        "equal time steps .* padding",
    ),
    "more delays than rows": (
        [ROWS[:2, :1]],
        [CLOCK[:2]],
        {"delays": 2},
        ShapeError,
        "with 2 delays",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_trajectories_are_refused(name: str) -> None:
    trajectories, times, options, error, message = BAD[name]
    with pytest.raises(error, match=message):
        LinearDynamics.fit(lz.Identity(3), trajectories, times, **options)


def test_growth_is_refused_where_stability_is_asked_for() -> None:
    grows = torch.exp(0.3 * CLOCK)[:, None] * torch.eye(3)[0]
    with pytest.raises(RangeError, match=r"rate 0\.3; train g with a StableGenerator"):
        LinearDynamics.fit(lz.Identity(3), [grows], [CLOCK], stable=True)


def test_bad_models_and_bad_times_are_refused() -> None:
    g, generator = lz.vector_bijection(3), FreeGenerator(L.float())
    for padding, delays in ((3, 0), (0, 1), (1, 2)):
        with pytest.raises(ShapeError, match="bijection of 3 numbers"):
            LinearDynamics(g, generator, padding, delays)
    with pytest.raises(RangeError, match="padding"):
        LinearDynamics(g, generator, -1)
    with pytest.raises(ShapeError, match="as long as"):
        LinearDynamics(lz.vector_bijection(4), generator)
    with pytest.raises(DtypeError):
        LinearDynamics(g, generator.double())
    model = LinearDynamics(lz.vector_bijection(3), FreeGenerator(L.float()))
    x = torch.randn(4, 3)
    with pytest.raises(ShapeError, match=r"\(4, 'T'\)"):
        model.forecast(x, torch.ones(3, 5))
    with pytest.raises(NonFiniteError, match="finite times"):
        model.forecast(x, float("nan"))
    with pytest.raises(ShapeError):
        model.forecast(x[:, :2], 1.0)
    with pytest.raises(NonFiniteError, match="shorten the times"):
        model.backcast(x, 1e4)
    for C, error in (
        (torch.eye(2), ShapeError),
        (-torch.eye(3), RangeError),
        (torch.ones(3, 3).tril() + torch.eye(3), RangeError),
        (torch.full((3, 3), torch.nan), NonFiniteError),
        (torch.eye(3).double(), DtypeError),
    ):
        with pytest.raises(error):
            model.forecast_gaussian(x, 1.0, C)
