"""Training linear dynamics: pairs of times, early stopping, and systems that are known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import Trajectories
from linearizer.errors import FileFormatError, NonFiniteError, RangeError, ShapeError
from linearizer.flows import ConservativeGenerator, FreeGenerator, StableGenerator

pytest.importorskip("lightning")

from linearizer.training import DynamicsConfig, RollOutTraining, train_dynamics
from linearizer.training.dynamics import hold_out
from linearizer.training.dynamics_start import first_generator, set_matrix
from linearizer.training.early_stopping import StopEarly
from linearizer.training.roll_outs import RollOutPairs

QUICK = DynamicsConfig(depth=2, width=16, steps=100, polish=20, batch_size=64)


def bent(count: int, dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], list[Tensor]]:
    """Trajectories of the slow manifold `x' = -x, y' = -3 (y + x²)`, in odd units, at odd times."""
    random = torch.Generator().manual_seed(0)
    data, clocks = [], []
    for _ in range(count):
        t = 40 + 30 * torch.rand(25, generator=random, dtype=torch.float64).sort().values
        x0, y0 = 2 * torch.rand(2, generator=random, dtype=torch.float64) - 1
        s = (t - t[0]) / 10
        x, rest = x0 * torch.exp(-s), (y0 + 3 * x0**2) * torch.exp(-3 * s)
        data.append(torch.stack([100 * x, rest - 3 * x**2], 1).to(dtype))
        clocks.append(t)
    return data, clocks


# Pairs -------------------------------------------------------------------------------------


def test_pairs_are_of_one_trajectory_the_earlier_first() -> None:
    lengths = (2, 3, 40)
    states = [torch.stack([torch.full((n,), i), torch.arange(n)], 1) for i, n in enumerate(lengths)]
    times = [10.0 * torch.arange(n) for n in lengths]
    pairs = RollOutPairs(states, times, batch_size=5000, steps=3, seed=0)
    before, after, elapsed = pairs.batch(0)
    assert torch.equal(before[:, 0], after[:, 0])
    assert bool((before[:, 1] < after[:, 1]).all())
    assert torch.equal(elapsed, 10.0 * (after - before)[:, 1])
    share = (before[:, 1] == 0).double().mean()
    assert 0.5 < float(share) < 0.75
    assert set(before[:, 0].tolist()) == {0, 1, 2}
    seen = set(zip(before[:, 1].tolist(), after[:, 1].tolist(), strict=True))
    assert {(0, 39), (0, 1), (38, 39)} & seen


def test_batches_depend_on_seed_and_number_alone() -> None:
    states, times = [torch.randn(9, 2)], [torch.arange(9.0)]

    def pairs(seed: int) -> RollOutPairs:
        return RollOutPairs(states, times, batch_size=4, steps=3, seed=seed)

    whole = [*pairs(1)]
    resumed = pairs(1)
    resumed.load_state_dict({"next_step": 2})
    (last,) = resumed
    assert all(torch.equal(a, b) for a, b in zip(last, whole[2], strict=True))
    assert not torch.equal(pairs(2).batch(0)[0], whole[0][0])
    assert len(whole) == len(pairs(1)) == 3


# The objective -----------------------------------------------------------------------------


def test_the_loss_is_the_error_of_forecasts_in_their_units() -> None:
    model = LinearDynamics(lz.vector_bijection(3, depth=2, width=8), FreeGenerator.trainable(3))
    scale = torch.tensor([1.0, 10.0, 0.1])
    module = RollOutTraining(model, scale, steps=10)
    x, y, t = torch.randn(5, 3), torch.randn(5, 3), torch.rand(5)
    forecasts = model.forecast(x, t[:, None])[:, 0]
    expected = ((forecasts - y) / scale).square().mean()
    torch.testing.assert_close(module.loss(x, y, t), expected)
    module.loss(x, y, t).backward()
    assert all(bool(p.grad.isfinite().all()) for p in module.parameters())
    assert module.measure((x, y, t)) == pytest.approx(float(expected.detach()))
    with pytest.raises(RangeError, match="positive scales"):
        RollOutTraining(model, 0 * scale, steps=10)


class _Steps:
    """What a callback sees of a trainer."""

    def __init__(self) -> None:
        self.global_step, self.should_stop = 0, False


def watched(measures: Sequence[float], patience: int) -> tuple[float, int]:
    """The weight that is left after training with these measures, and the steps it took."""
    trainer, module, found = _Steps(), nn.Linear(1, 1), iter(measures)
    callback = StopEarly(lambda: next(found), every=2, patience=patience)
    while not trainer.should_stop and trainer.global_step < 2 * len(measures):
        trainer.global_step += 1
        nn.init.constant_(module.weight, trainer.global_step)
        callback.on_train_batch_end(trainer, module)
    callback.on_train_end(trainer, module)
    return module.weight.item(), trainer.global_step


def test_the_best_weights_are_kept() -> None:
    assert watched([3.0, 2.0, 1.0], patience=2) == (6.0, 6)
    assert watched([3.0, 1.0, 2.0, 2.5, 0.5], patience=2) == (4.0, 8)
    assert watched([3.0, 1.0, 2.0, 2.5, 0.5], patience=3) == (10.0, 10)
    nan = float("nan")
    assert watched([3.0, nan, nan], patience=9) == (2.0, 6)
    assert watched([nan, nan], patience=9) == (4.0, 4)


def test_early_stopping_resumes() -> None:
    first = StopEarly(lambda: 1.0, every=1, patience=3)
    module, trainer = nn.Linear(1, 1), _Steps()
    trainer.global_step = 1
    first.on_train_batch_end(trainer, module)
    again = StopEarly(lambda: 2.0, every=1, patience=1)
    again.load_state_dict(first.state_dict())
    weight = module.weight.detach().clone()
    nn.init.zeros_(module.weight)
    again.on_train_batch_end(trainer, module)
    assert trainer.should_stop
    again.on_train_end(trainer, module)
    assert torch.equal(module.weight, weight)


# The start -----------------------------------------------------------------------------------

TURNING = torch.tensor([[-0.1, 9.0], [-0.5, -0.4]], dtype=torch.float64)
"""Stable, but not in its basis: its symmetric part has a positive eigenvalue."""


def linear_runs(L: Tensor, count: int = 4) -> tuple[list[Tensor], list[Tensor]]:
    random = torch.Generator().manual_seed(0)
    t = torch.linspace(0, 1, 60, dtype=torch.float64)
    starts = torch.randn(count, len(L), generator=random, dtype=torch.float64)
    E = torch.linalg.matrix_exp(t[:, None, None] * L)
    return [E @ z for z in starts], [t] * count


@pytest.mark.parametrize("kind", [FreeGenerator, StableGenerator])
def test_training_begins_at_the_spectrum_of_a_linear_system(kind: type) -> None:
    basis, generator = first_generator(kind, *linear_runs(TURNING), 5.0)
    found = torch.linalg.eigvals(generator.to_dense().detach())
    expected = torch.linalg.eigvals(TURNING)
    torch.testing.assert_close(
        found.imag.sort().values, expected.imag.sort().values, rtol=1e-2, atol=0
    )
    torch.testing.assert_close(found.real, expected.real, rtol=0, atol=0.2)
    torch.testing.assert_close(basis, basis.mT)
    assert bool((torch.linalg.eigvalsh(basis) > 0).all())


def test_what_turns_without_loss_begins_as_a_turn() -> None:
    _, generator = first_generator(
        ConservativeGenerator, *linear_runs(torch.tensor([[0.0, 9.0], [-1.0, 0.0]]).double()), 5.0
    )
    found = torch.linalg.eigvals(generator.to_dense().detach())
    torch.testing.assert_close(found.imag.max(), torch.tensor(3.0).double(), rtol=1e-2, atol=0)


@pytest.mark.parametrize("kind", [FreeGenerator, StableGenerator, ConservativeGenerator])
def test_directions_without_data_begin_at_random(kind: type) -> None:
    runs, times = linear_runs(TURNING)
    padded = [torch.cat([z, torch.zeros_like(z)], 1) for z in runs]
    _, generator = first_generator(kind, padded, times, 5.0)
    assert bool((torch.linalg.eigvals(generator.to_dense().detach()).abs() > 1e-3).all())


def test_what_grows_begins_bounded() -> None:
    runs, times = linear_runs(torch.diag(torch.tensor([60.0, -900.0]).double()))
    _, free = first_generator(FreeGenerator, runs, times, 5.0)
    rates = torch.linalg.eigvals(free.to_dense().detach()).real
    assert float(rates.max()) <= 5.0 + 1e-9
    assert float(rates.min()) >= -50.0 - 1e-9
    _, stable = first_generator(StableGenerator, runs, times, 5.0)
    assert float(torch.linalg.eigvals(stable.to_dense().detach()).real.max()) < 0


def test_a_linear_layer_takes_any_positive_definite_matrix() -> None:
    layer = lz.LULinear(3, permutation=torch.arange(3), log_scale_bound=4.0).double()
    A = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    T = A @ A.mT + 0.1 * torch.eye(3)
    set_matrix(layer, T)
    x = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ T)


# Training ----------------------------------------------------------------------------------


def test_the_spectrum_of_a_bent_oscillator_is_found() -> None:
    """A system that a bijection makes linear: eigenvalues to a few thousandths, from noise."""
    L = torch.tensor([[-0.2, -2.0], [2.0, -0.2]], dtype=torch.float64)
    random = torch.Generator().manual_seed(0)
    t = 0.05 * torch.arange(40, dtype=torch.float64)
    starts = torch.randn(12, 2, generator=random, dtype=torch.float64)
    paths = [torch.linalg.matrix_exp(t[:, None, None] * L) @ z for z in starts]
    bent_paths = [torch.stack([z[:, 0], z[:, 1] + 0.5 * z[:, 0] ** 2], 1) for z in paths]
    noisy = [x + 1e-3 * torch.randn(x.shape, generator=random).double() for x in bent_paths]
    config = DynamicsConfig(kind="free", depth=2, width=16, steps=20, polish=200)
    model = train_dynamics(noisy, t, config)
    found = model.modes().eigenvalues
    assert float((found.real + 0.2).abs().max()) < 0.02
    assert float((found.imag.abs() - 2).abs().max()) < 0.02


def test_a_polish_never_makes_it_worse() -> None:
    data, clocks = bent(6)
    rough = train_dynamics(data, clocks, replace(QUICK, polish=0), held_out=0.0)
    fine = train_dynamics(data, clocks, replace(QUICK, polish=40), held_out=0.0)
    assert fine.error(data, clocks).forecast < rough.error(data, clocks).forecast


def test_a_polish_ends_on_what_was_held_out_too() -> None:
    data, clocks = bent(4, torch.float64)
    held = hold_out(Trajectories(data, clocks), 0.25, seed=0)[1]
    assert held is not None
    errors = []
    for refit in (False, True):
        config = replace(QUICK, steps=20, polish=100, refit=refit)
        model = train_dynamics(data, clocks, config, held_out=0.25)
        errors.append(model.error(*held).forecast)
    assert errors[1] < errors[0]


def test_noise_of_the_first_rows_is_not_passed_on() -> None:
    """A linear system whose first rows are off: the polish finds where they were."""
    L = torch.tensor([[-0.5, -2.0], [2.0, -0.5]], dtype=torch.float64)
    t = torch.linspace(0, 2, 30, dtype=torch.float64)
    random = torch.Generator().manual_seed(0)
    starts = torch.randn(6, 2, generator=random, dtype=torch.float64)
    paths = [torch.linalg.matrix_exp(t[:, None, None] * L) @ z for z in starts]
    for x in paths:
        x[0] += 0.2 * torch.randn(2, generator=random, dtype=torch.float64)
    config = DynamicsConfig(kind="free", depth=0, steps=10, polish=100)
    found = train_dynamics(paths, t, config, goal=torch.zeros(2).double(), held_out=0.0).modes()
    assert float((found.rates + 0.5).abs().max()) < 0.01
    assert float((found.frequencies.abs() - 2 / (2 * torch.pi)).abs().max()) < 0.01


def test_frames_are_trajectories() -> None:
    pandas = pytest.importorskip("pandas")
    data, clocks = bent(3, torch.float64)
    dates = [pandas.to_datetime(t.numpy(), unit="s", utc=True) for t in clocks]
    frames = [
        pandas.DataFrame(x.numpy(), columns=["x", "y"], index=index)
        for x, index in zip(data, dates, strict=True)
    ]
    config = replace(QUICK, steps=5)
    model = train_dynamics(frames, config=config)
    same = train_dynamics(data, [t - 0.0 for t in clocks], config)
    x0 = data[0][0]
    torch.testing.assert_close(
        model.forecast(x0, 5.0), same.forecast(x0, 5.0), rtol=1e-2, atol=1e-1
    )
    for wrong, error in (
        ([frames[0], frames[1][["x"]]], RangeError),
        ([], RangeError),
        (data, RangeError),
        (frames[0].assign(x="a"), FileFormatError),
        (frames[0].set_index(pandas.Index(["a"] * 25)), FileFormatError),
        ([frames[0], frames[1].reset_index(drop=True)], FileFormatError),
    ):
        with pytest.raises(error):
            train_dynamics(wrong, config=config)


def test_a_bent_system_is_learned() -> None:
    data, clocks = bent(22)
    config = DynamicsConfig(depth=2, width=32, steps=400, batch_size=128, learning_rate=1e-2)
    model = train_dynamics(data[2:], clocks[2:], config, goal=torch.zeros(2))
    assert model.is_stable
    assert model.error(data[:2], clocks[:2]).beats_trivial
    found = model.error(data[2:], clocks[2:])
    assert found.forecast < 0.02
    linear = replace(config, depth=0, steps=200)
    straight = train_dynamics(data[2:], clocks[2:], linear, goal=torch.zeros(2))
    assert straight.error(data[2:], clocks[2:]).forecast > 10 * found.forecast


@pytest.mark.parametrize(
    ("kind", "generator"),
    [("stable", StableGenerator), ("free", FreeGenerator), ("conservative", ConservativeGenerator)],
)
def test_kinds_padding_and_delays(kind: str, generator: type) -> None:
    t = torch.linspace(0, 5, 40)
    data = [torch.sin(2 * t + i)[:, None] for i in range(3)]
    config = DynamicsConfig(
        kind=kind, padding=1, delays=1, depth=1, width=8, steps=20, polish=20, batch_size=16
    )
    model = train_dynamics(data, t, config, goal=torch.tensor([0.5]))
    assert type(model.generator) is generator
    assert model.n == 3
    torch.testing.assert_close(model.equilibrium(), torch.tensor([0.5]))
    assert model.forecast(data[0][:2], [0.1, 0.2]).shape == (2, 1)


def test_the_unit_of_time_does_not_matter() -> None:
    data, clocks = bent(3)
    slow = train_dynamics(data, [60 * t for t in clocks], QUICK)
    quick = train_dynamics(data, clocks, QUICK)
    x0, t = data[0][0], clocks[0][1:] - clocks[0][0]
    torch.testing.assert_close(
        slow.forecast(x0, 60 * t), quick.forecast(x0, t), rtol=1e-2, atol=0.5
    )


def test_the_same_seed_gives_the_same_model_and_leaves_the_random_state() -> None:
    data, clocks = bent(3, torch.float64)
    state = torch.get_rng_state()
    a, b = (train_dynamics(data, clocks, QUICK) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    x = data[0][0]
    assert x.dtype == torch.float64
    assert torch.equal(a.forecast(x, 1.0), b.forecast(x, 1.0))


@pytest.mark.parametrize(("count", "held_out"), [(1, 0.2), (2, 0.9), (3, 0.0)])
def test_what_is_held_out(count: int, held_out: float) -> None:
    data, clocks = bent(count)
    assert train_dynamics(data, clocks, QUICK, held_out=held_out).dim == 2
    assert train_dynamics([data[0][:3]], [clocks[0][:3]], QUICK).dim == 2


def test_constant_coordinates_and_gaps() -> None:
    data, clocks = bent(3)
    data = [torch.cat([x, torch.ones(25, 1)], 1) for x in data]
    data[1][4] = torch.nan
    model = train_dynamics(data, clocks, QUICK, missing="skip")
    assert bool(model.forecast(data[0][0], 5.0).isfinite().all())
    with pytest.raises(NonFiniteError, match="skip"):
        train_dynamics(data, clocks, QUICK)


def test_training_that_diverges_says_so() -> None:
    data, clocks = bent(2)
    wild = DynamicsConfig(kind="free", depth=1, width=8, steps=30, learning_rate=1e8)
    with pytest.raises(NonFiniteError, match="lower the learning rate"):
        train_dynamics(data, clocks, wild, held_out=0.0)


def test_what_is_refused() -> None:
    data, clocks = bent(2)
    with pytest.raises(RangeError, match="stable, free, conservative"):
        train_dynamics(data, clocks, DynamicsConfig(kind="chaotic"))
    with pytest.raises(RangeError, match="held out"):
        train_dynamics(data, clocks, QUICK, held_out=1.0)
    with pytest.raises(ShapeError, match="add padding or delays"):
        train_dynamics([x[:, :1] for x in data], clocks, QUICK)
    with pytest.raises(RangeError, match="increasing"):
        train_dynamics(data, [-t for t in clocks], QUICK)
    with pytest.raises(ShapeError, match="goal"):
        train_dynamics(data, clocks, QUICK, goal=torch.zeros(3))
