"""Known truths: eigenvalues and long forecasts from noisy samples, beside what can be known."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from dynamics_bounds import bound
from dynamics_handwriting import relative
from dynamics_peers import Fit, Peer, closed_form, libraries
from dynamics_systems import Planted, planted
from torch import Tensor

from linearizer.display.tables import Page, Table
from linearizer.training import DynamicsConfig, train_dynamics

NOISE, STEP, ROWS, LONGER = 1e-3, 0.05, 40, 10
COUNT, MORE = 20, 200
"""Trajectories that all methods get, and of the bounds another number."""
DEGREES = (1, 3, 5, 8)
"""Of the bounds."""


def section(config: DynamicsConfig, scratch: Path) -> Page:
    """Every row is kept in the scratch folder as soon as it is made."""
    rows, bounds = [], []
    for system in planted():
        for count in (COUNT, MORE):
            starts, _, clock = samples(system, count)
            least = [bound(system, starts, clock, NOISE, degree) for degree in DEGREES]
            bounds.append([system.name, str(count), *(f"{b:.2g}" for b in least)])
        fits = methods(config)
        runs = [(name, fit, COUNT) for name, fit in fits.items()]
        for name, fit, count in (*runs, (f"ours, {MORE} trajectories", fits["ours"], MORE)):
            _, noisy, clock = samples(system, count)
            words = re.sub(r"[^\w.]+", "-", f"{system.name}-{name}")
            file = scratch / f"planted-{words}.json"
            if not file.is_file():
                made = [system.name, name, *measured(system, fit, noisy, clock)]
                print("planted:", made, flush=True)
                file.write_text(json.dumps(made), encoding="utf-8")
            rows.append(json.loads(file.read_text(encoding="utf-8")))
    return [
        f"Noise of standard deviation {NOISE:g}, {COUNT} trajectories of {ROWS} rows, or "
        f"{MORE} where that is said; forecasts of "
        f"{LONGER * ROWS} rows from a new start without noise. The largest relative error of an "
        "eigenvalue; of a method with more of them the nearest ones count. The farthest point is a "
        f"share of the largest norm on the way. Ours has `DynamicsConfig(kind='{config.kind}', "
        f"depth={config.depth}, width={config.width}, steps={config.steps}, "
        f"polish={config.polish})` for all systems, chosen on samples with other noise.",
        Table(
            ["system", "method", "eigenvalues, relative error", "forecast error",
             "farthest point", "seconds"],
            rows,
        ),
        "How well the eigenvalues can be known at all (Cramér-Rao): the least standard deviation "
        "of an unbiased estimate from these samples, if g is known and only L and the starts are "
        "not, and if g is known up to all monomials of its coordinates to a degree. The more g "
        "may bend, the less the samples say about L: a bijection that is smooth but for one point "
        "turns `e^{λt}` into another rate.",
        Table(
            ["system", "trajectories", "g known", *(f"to degree {d}" for d in DEGREES[1:])],
            bounds,
        ),
    ]  # fmt: skip


def methods(config: DynamicsConfig) -> dict[str, Fit]:
    """By name, ours first."""

    def ours(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
        model = train_dynamics(points, times, config)
        return Peer(model.modes().eigenvalues.numpy(), model.forecast)

    return {"ours": ours, "ours without g": closed_form, **libraries()}


def samples(system: Planted, count: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """Starts in z, noisy trajectories from there, and their times."""
    random = torch.Generator().manual_seed(0)
    starts = torch.randn(count, len(system.L), generator=random, dtype=torch.float64)
    clock = STEP * torch.arange(ROWS, dtype=torch.float64)
    paths = [system.trajectory(z, clock) for z in starts]
    noisy = [x + NOISE * torch.randn(x.shape, generator=random).double() for x in paths]
    return starts, noisy, clock


def measured(system: Planted, fit: Fit, noisy: Sequence[Tensor], clock: Tensor) -> list[str]:
    """The errors of a method, or the name of the one that it raises."""
    long = STEP * torch.arange(LONGER * ROWS, dtype=torch.float64)
    new = system.trajectory(torch.ones(len(system.L)).double(), long)
    began = time.process_time()
    try:
        peer = fit(noisy, [clock] * len(noisy))
        path = peer.path(new[0], long).detach()
    except (ValueError, ArithmeticError, TypeError, RuntimeError) as error:
        return [type(error).__name__, "", "", ""]
    worst = float((path - new).norm(dim=1).max() / new.norm(dim=1).max())
    truth = torch.linalg.eigvals(system.L).numpy()
    return [
        f"{distance(peer.eigenvalues, truth):.2g}",
        f"{relative(path, new):.2g}",
        f"{worst:.2g}",
        f"{time.process_time() - began:.2g}",
    ]


def distance(found: np.ndarray | None, truth: np.ndarray) -> float:
    """The largest relative distance of a true eigenvalue from the nearest one found."""
    if found is None or not len(found):
        return float("nan")
    return float((np.abs(found[None] - truth[:, None]).min(1) / np.abs(truth)).max())
