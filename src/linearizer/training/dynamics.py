"""Training linear dynamics on trajectories: `train_dynamics`."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import read_trajectories
from linearizer.applications.linear_dynamics.trajectories import Missing, Trajectories
from linearizer.bijections import ActNorm, AffineCoupling, Anchored, Bijection, Chain, LULinear
from linearizer.conditioners import MLP
from linearizer.data import frames_as_time_series
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.estimation.latents import latents_of
from linearizer.flows import ConservativeGenerator, FreeGenerator, Generator, StableGenerator
from linearizer.runs import DynamicsKind
from linearizer.training import loop
from linearizer.training.config import TrainingBudget
from linearizer.training.dynamics_polish import polish
from linearizer.training.dynamics_start import first_generator, set_matrix
from linearizer.training.early_stopping import StopEarly
from linearizer.training.loop import Trained
from linearizer.training.objectives.roll_out import RollOutTraining
from linearizer.training.roll_outs import RollOutPairs

KINDS: dict[str, type[Generator]] = {
    "stable": StableGenerator,
    "free": FreeGenerator,
    "conservative": ConservativeGenerator,
}
RATE = 5.0
"""Of the generator at the start, per mean duration: motions that end have come to rest by then."""
MEASURED = 2048
"""Pairs of times that are held out."""
BASIS_BOUND = 4.0
"""On the log-pivots of the last map of g, which begins as a basis that L needs, with up to 3."""
ADAM = 0.6
"""Share of a limit of time for the random pairs; the rest is for whole trajectories."""
EVERY = 50
"""Steps between two looks at them."""


@dataclass(frozen=True)
class DynamicsConfig:
    """The dynamics that are trained, and how.

    Attributes:
        kind: What L can be: stable, free, or conservative.
        padding: Zeros appended to each point, for g to have more room.
        delays: Earlier rows that belong to a point.
        depth: Couplings of g; none for a linear system.
        width: Hidden units of the perceptron in each.
        log_scale_bound: Largest absolute log-scale of one coupling.
        saturation: Bound on the inputs of the perceptrons, in standard deviations of the data,
            so that g stays tame far from them.
        steps: Steps of Adam, on random pairs of times.
        polish: Iterations of L-BFGS after them, on whole trajectories in float64.
        refit: Whether the polish is made once more in the end, on what is held out too.
        batch_size: Pairs of times per step.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
        patience: Looks at what is held out, one every 50 steps or 20 iterations, without a better
            one before either part of the training stops.
        seed: Of the initial weights, the batches and the choice of what is held out.
    """

    kind: DynamicsKind = "stable"
    padding: int = 0
    delays: int = 0
    depth: int = 4
    width: int = 32
    log_scale_bound: float = 0.5
    saturation: float | None = 3.0
    steps: int = 400
    polish: int = 300
    refit: bool = True
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    patience: int = 20
    seed: int = 0


def train_dynamics(
    trajectories: Tensor | Sequence[Tensor] | object,
    times: Tensor | Sequence[Tensor] | None = None,
    config: DynamicsConfig | None = None,
    *,
    goal: Tensor | None = None,
    missing: Missing = "raise",
    held_out: float = 0.2,
    max_minutes: float | None = None,
) -> LinearDynamics:
    """Linear dynamics whose g and L are trained to forecast trajectories at all their times.

    The points are normalized within g, and time is measured in durations of the trajectories
    while training, so that units do not matter. Of several trajectories some are held out, or else
    the end of the only one; how well these are forecast tells when to stop, and the polish is then
    made once more with them, as long as was best.

    Args:
        trajectories: (T_i, d) each, of any lengths; the model has their dtype. Or pandas data
            frames, one or several, whose index is the time (see `data.frames_as_time_series`).
        times: (T_i,) of each, or one for all; increasing, at any distances. None for frames.
        config: What is trained, and how.
        goal: A point (d,) that is to be the equilibrium, exactly; found in training if not given.
        missing: Whether rows with NaN are refused ("raise") or left out ("skip").
        held_out: Share of the trajectories to hold out, at least one; 0 trains on all, to the end.
        max_minutes: Stop after this time even if steps are left.

    Returns:
        The model, on the CPU.

    Raises:
        RangeError: If times do not increase, or an option is out of range.
        ShapeError: If the trajectories do not fit each other or the goal.
        NonFiniteError: If there are NaN that are not to be left out, or infinity, or if training
            diverges.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.training import DynamicsConfig, train_dynamics
        >>> t = torch.linspace(0, 3, 30)
        >>> path = torch.stack([torch.exp(-t), torch.exp(-2 * t)], 1)
        >>> config = DynamicsConfig(depth=2, width=8, steps=50)
        >>> model = train_dynamics([path, 2 * path, 3 * path], t, config, goal=torch.zeros(2))
        >>> model.is_stable, bool(model.equilibrium().norm() < 1e-5)
        (True, True)
    """
    if times is None:
        trajectories, times = frames_as_time_series(trajectories)[1:3]
    return run_dynamics(
        cast(Sequence[Tensor], trajectories),
        times,
        config,
        goal=goal,
        missing=missing,
        held_out=held_out,
        max_minutes=max_minutes,
    ).model


class TrainedDynamics(NamedTuple):
    """Dynamics, and what their training took."""

    model: LinearDynamics
    took: Trained


def run_dynamics(
    trajectories: Tensor | Sequence[Tensor],
    times: Tensor | Sequence[Tensor],
    config: DynamicsConfig | None = None,
    *,
    goal: Tensor | None = None,
    missing: Missing = "raise",
    held_out: float = 0.2,
    max_minutes: float | None = None,
    checkpoints: Path | None = None,
    logs: Path | None = None,
    tensorboard: bool = False,
) -> TrainedDynamics:
    """`train_dynamics` as a run: it goes on from the last of the checkpoints, and keeps logs."""
    config = DynamicsConfig() if config is None else config
    if config.kind not in KINDS:
        raise RangeError(f"expected a kind of {', '.join(KINDS)}, got '{config.kind}'")
    check_between(held_out, 0.0, 0.9, "the share that is held out")
    check_between(config.polish, 0, math.inf, "the iterations of the polish")
    check_between(config.patience, 1, math.inf, "the patience")
    data = read_trajectories(trajectories, times, delays=config.delays, missing=missing)
    unit = sum(float(t[-1]) for t in data.times) / len(data.times)
    data = Trajectories(data.points, [t / unit for t in data.times])
    train, held = hold_out(data, held_out, config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model, scale = _untrained(config, train, goal)
    module = RollOutTraining(model, scale, config.steps, config.learning_rate, config.weight_decay)
    callbacks = []
    if held is not None:
        pairs = _pairs(model, held, config, MEASURED, steps=1).batch(0)
        callbacks.append(
            StopEarly(lambda: module.measure(pairs), every=EVERY, patience=config.patience)
        )
    took = loop.train(
        module,
        _pairs(model, train, config, config.batch_size, config.steps),
        TrainingBudget(config.steps, max_minutes=max_minutes and ADAM * max_minutes),
        title="Training g and L",
        checkpoints=checkpoints,
        logs=logs,
        tensorboard=tensorboard,
        callbacks=callbacks,
    )
    model, began = module.model.cpu().eval(), time.monotonic()
    if all(bool(p.isfinite().all()) for p in model.parameters()) and config.polish:
        left = math.inf if max_minutes is None else 60 * max_minutes * (1 - ADAM)
        model = polish(
            model,
            train,
            held,
            module.scale.cpu(),
            iterations=config.polish,
            patience=config.patience,
            refit=config.refit,
            seconds=left,
        )
    took = took._replace(seconds=took.seconds + time.monotonic() - began)
    if not all(bool(p.isfinite().all()) for p in model.parameters()):
        raise NonFiniteError(
            "expected weights that are numbers after training, got NaN; lower the learning rate or "
            "log_scale_bound, and look for outliers in the trajectories"
        )
    generator = model.generator.faster(1 / unit)
    model = LinearDynamics(model.g, generator, config.padding, config.delays)
    return TrainedDynamics(model, took)


def check_states(config: DynamicsConfig, dim: int) -> int:
    """The length of the states of points (dim,).

    Raises:
        ShapeError: If it is one.
    """
    n = dim * (config.delays + 1) + config.padding
    if n < 2:
        raise ShapeError(
            f"expected states of two numbers or more, got {n}; couplings split them, so add "
            "padding or delays"
        )
    return n


def _untrained(
    config: DynamicsConfig, data: Trajectories, goal: Tensor | None
) -> tuple[LinearDynamics, Tensor]:
    """The model at the start, and the unit of each entry of its states."""
    points = torch.cat(data.points)
    flat = points.flatten(1)
    n = check_states(config, points.shape[-1])
    zeros = flat.new_zeros(config.padding)
    std = flat.std(0)
    scale = torch.cat([torch.where(std > 0, std, 1), zeros + 1])
    last = LULinear(n, permutation=torch.arange(n), log_scale_bound=BASIS_BOUND)
    first = _standardizing(torch.cat([flat.mean(0), zeros]), scale)
    g: Bijection = Chain(first, *_layers(config, n), last).to(points.dtype)
    stand_in = KINDS[config.kind].trainable(n).to(points.dtype)
    shapes = LinearDynamics(g, stand_in, config.padding, config.delays)
    if goal is not None:
        if goal.shape != (shapes.dim,):
            raise ShapeError(f"expected a goal ({shapes.dim},), got {tuple(goal.shape)}")
        g = Anchored(g, shapes.lift(goal.to(points).expand(shapes.point_shape)))
    with torch.no_grad():
        latents = [latents_of(g, shapes.lift(x)) for x in data.points]
    basis, generator = first_generator(KINDS[config.kind], latents, data.times, RATE)
    set_matrix(last, basis)
    return LinearDynamics(g, generator, config.padding, config.delays), scale


def _standardizing(mean: Tensor, scale: Tensor) -> ActNorm:
    """`(x - mean) / scale`, which training leaves as it is."""
    layer = ActNorm(len(mean))
    with torch.no_grad():
        layer.shift.copy_(mean)
        layer.log_scale.copy_(-scale.log())
        layer.initialized.fill_(True)
    return layer.requires_grad_(False)


def _layers(config: DynamicsConfig, n: int) -> list[Bijection]:
    """Couplings that move one half and the other by turns, a linear map before each.

    All begin as the identity.
    """
    conditioner = MLP(config.width, saturation=config.saturation)
    layers: list[Bijection] = []
    for i in range(config.depth):
        flip, bound = bool(i % 2), config.log_scale_bound
        layers.append(LULinear(n, permutation=torch.arange(n)))
        layers.append(AffineCoupling(n, conditioner, flip=flip, log_scale_bound=bound))
    return layers


def _pairs(
    model: LinearDynamics, data: Trajectories, config: DynamicsConfig, batch_size: int, steps: int
) -> RollOutPairs:
    states = [model.lift(x) for x in data.points]
    return RollOutPairs(states, data.times, batch_size=batch_size, steps=steps, seed=config.seed)


def hold_out(
    data: Trajectories, share: float, seed: int
) -> tuple[Trajectories, Trajectories | None]:
    """What is trained on and what is held out: whole trajectories, or the end of the only one."""
    points, times = data
    if not share:
        return data, None
    if len(points) == 1:
        first = min(max(round((1 - share) * len(points[0])), 2), len(points[0]) - 2)
        if first < 2:  # too short to hold something out
            return data, None
        end = Trajectories([points[0][first:]], [times[0][first:] - times[0][first]])
        return Trajectories([points[0][:first]], [times[0][:first]]), end
    count = min(max(round(share * len(points)), 1), len(points) - 1)
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed)).tolist()

    def chosen(indices: list[int]) -> Trajectories:
        return Trajectories([points[i] for i in indices], [times[i] for i in indices])

    return chosen(sorted(order[count:])), chosen(sorted(order[:count]))
