"""Handwriting: one demonstration of each shape is left out, the others train.

Of shape number i in the alphabet that is demonstration i modulo seven, so that none is chosen.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dynamics_peers
import numpy as np
import torch
from dynamics_systems import handwriting
from matplotlib.figure import Figure
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import Trajectories
from linearizer.display.curves import save_portrait
from linearizer.display.tables import Page, Table
from linearizer.training import DynamicsConfig, train_dynamics
from linearizer.training.dynamics import hold_out

STARTS, PUSH, NEAR, DURATIONS = 1000, 0.2, 0.02, 100
"""Starts that are pushed away, how far and how near to the goal counts (shares of the extent),
and the durations of a demonstration that they get."""
CONFIG = DynamicsConfig(padding=2, steps=200, polish=200)
OURS, ODE, MEAN, FLAT = "ours", "neural ODE", "mean of the others", "ours without g"


def shapes_of(args: argparse.Namespace) -> list[str]:
    """The names of the shapes."""
    return sorted(file.stem for file in args.data.glob("*.mat"))[: args.shapes]


def measure(args: argparse.Namespace) -> None:
    """Every shape by every method, each kept in the scratch folder as soon as it is made."""
    peers = {
        MEAN: dynamics_peers.mean_of_all,
        FLAT: dynamics_peers.closed_form,
        **dynamics_peers.libraries(),
    }
    for velocity in (False,) if args.positions_only else (False, True):
        kind = args.scratch / ("velocities" if velocity else "positions")
        splits = [_split(args, shape, velocity) for shape in shapes_of(args)]
        for shape, train, new in splits:
            _once(kind / shape, OURS, lambda f=kind / shape, t=train, n=new: ours(f, t, n))
            for name, fit in peers.items():
                _once(kind / shape, name, lambda fit=fit, t=train, n=new: peer(fit, t, n))
        for shape, train, new in () if velocity else splits:
            made = _once(kind / shape, OURS, lambda: {})
            _once(kind / shape, ODE, lambda m=made, t=train, n=new: ode(m, t, n))


def _split(args: argparse.Namespace, shape: str, velocity: bool) -> tuple[str, "Runs", "New"]:
    """A shape, the demonstrations to train on, and the one that is left out."""
    points, times = handwriting(args.data, shape, velocity=velocity)
    out = shapes_of(args).index(shape) % len(points)
    others = [k for k in range(len(points)) if k != out]
    return shape, ([points[k] for k in others], [times[k] for k in others]), (
        points[out], times[out]
    )  # fmt: skip


Runs = tuple[list[Tensor], list[Tensor]]
New = tuple[Tensor, Tensor]


def ours(folder: Path, train: Runs, new: New) -> dict[str, Any]:
    """Dynamics with the goal as their equilibrium, all else as it is by default."""
    began = time.process_time()
    model = train_dynamics(*train, CONFIG, goal=torch.zeros(train[0][0].shape[1]))
    took = time.process_time() - began
    model.save_pretrained(folder / "model")
    x0, duration = pushed([*train[0], new[0]]), float(new[1][-1])
    with torch.no_grad():
        path = model.forecast(new[0][0], new[1])
        far = model.decode(model.advance(model.encode(x0), duration * far_times()))
    weights = sum(p.numel() for p in model.parameters())
    return {**judged(path, new[0]), **arrival(far, [*train[0], new[0]]), "seconds": took,
            "weights": weights}  # fmt: skip


def ode(made: dict[str, Any], train: Runs, new: New) -> dict[str, Any]:
    """A neural ODE with as many weights, for as long, that holds out the same."""
    began = time.process_time()
    held = hold_out(Trajectories(*train), 0.2, CONFIG.seed)[1]
    assert held is not None, "there are six demonstrations"
    places = [i for i, x in enumerate(train[0]) if any(x is y for y in held.points)]
    model = dynamics_peers.neural_ode(
        *train, places, seconds=made["seconds"], parameters=made["weights"]
    )
    took = time.process_time() - began
    x0, duration = pushed([*train[0], new[0]]), float(new[1][-1])
    far = model.path(x0, duration * torch.tensor([0.5, 1, 2, 5, 10]))
    return {**judged(model.path(*(new[0][0], new[1])), new[0]),
            **arrival(far, [*train[0], new[0]]), "seconds": took}  # fmt: skip


def peer(fit: dynamics_peers.Fit, train: Runs, new: New) -> dict[str, Any]:
    """A library; what fails counts as such."""
    began = time.process_time()
    try:
        path = fit(*train).path(new[0][0], new[1])
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, RuntimeError) as error:
        return {"failed": f"{type(error).__name__}: {error}"[:200]}
    return {**judged(path, new[0]), "seconds": time.process_time() - began}


def judged(path: Tensor, true: Tensor) -> dict[str, Any]:
    """The errors of positions, and the positions."""
    path, true = path.double()[:, :2], true.double()[:, :2]
    path = path.nan_to_num(1e9, 1e9, -1e9).clamp(-1e9, 1e9)
    return {"error": relative(path, true), "warped": warped(path, true), "path": path.tolist()}


def arrival(far: Tensor, points: Sequence[Tensor]) -> dict[str, Any]:
    """Of starts that are pushed away: how many diverge, and how many come to the goal."""
    x = torch.cat([*points])
    extent = x.amax(0) - x.amin(0)
    lost = ~far.isfinite().flatten(1).all(1)
    lost |= ((far - x.mean(0)).abs() > 10 * extent).flatten(1).any(1)
    near = far[:, -1, :2].norm(dim=1) <= NEAR * extent[:2].norm()
    return {"diverging": int(lost.sum()), "arrived": float((near & ~lost).double().mean())}


def pushed(points: Sequence[Tensor]) -> Tensor:
    """Starts (N, d) around those of the demonstrations."""
    x = torch.cat([*points])
    random = torch.Generator().manual_seed(0)
    firsts = torch.stack([p[0] for p in points])
    chosen = firsts[torch.randint(len(firsts), (STARTS,), generator=random)]
    push = 2 * torch.rand(chosen.shape, generator=random) - 1
    return chosen + PUSH * (x.amax(0) - x.amin(0)) * push


def far_times() -> Tensor:
    """In durations."""
    return torch.tensor([0.5, 1, 2, 5, 10, DURATIONS])


def page(args: argparse.Namespace, pictures: Path) -> Page:
    """Tables and pictures of what there is."""
    found: list[Table | str] = []
    for kind, what in (("positions", "Positions alone"), ("velocities", "Positions, velocities")):
        results = _results(args.scratch / kind, shapes_of(args))
        if not results:
            continue
        complete = {shape: r for shape, r in results.items() if OURS in r}
        names = [OURS, *sorted({n for r in complete.values() for n in r} - {OURS})]
        found += [
            f"### {what}\n\nOver {len(complete)} shapes; one demonstration of each is left out "
            "(number i modulo 7 for shape i of the alphabet) and forecast from its first row; the "
            "other six are all that a method sees. Dynamic-time-warping distance in millimetres "
            "per point, which forgives another speed. Seconds of one thread a shape. Ours has "
            f"`DynamicsConfig(padding={CONFIG.padding}, steps={CONFIG.steps}, "
            f"polish={CONFIG.polish})` for all shapes; the padding was chosen by looking at four "
            "of them (Angle, GShape, Sshape, WShape). *Mean of the others* is no model of "
            "dynamics: it forecasts the mean demonstration from wherever one starts. A neural ODE "
            "trains for as long as ours, on the shapes that are counted.",
            Table(
                ["method", "median error", "worst error", "median warped", "worst warped",
                 "shapes", "fails on", "seconds"],
                [_summary(name, [r[name] for r in complete.values() if name in r])
                 for name in names],
            ),
            f"{STARTS:,} starts lie up to {PUSH:.0%} of the extent from those of the "
            "demonstrations. Diverging: beyond ten extents at some time, over all shapes. At the "
            f"goal: within {NEAR:.0%} of the extent, after {DURATIONS} durations of ours, and ten "
            "of the neural ODE, which rests nowhere by construction.",
            Table(
                ["method", "diverging", "at the goal, mean", "at the goal, worst shape"],
                [_arrivals(name, [r[name] for r in complete.values() if name in r])
                 for name in (OURS, ODE) if any(name in r for r in complete.values())],
            ),
            "<details markdown><summary>Every shape</summary>\n",
            Table(
                ["shape", "error", "warped", "diverging", "at the goal", *names[1:]],
                [[shape, f"{r[OURS]['error']:.3g}", f"{r[OURS]['warped']:.3g}",
                  str(r[OURS]["diverging"]), f"{r[OURS]['arrived']:.1%}",
                  *(_error(r.get(name, {})) for name in names[1:])]
                 for shape, r in complete.items()],
            ),
            "</details>",
        ]  # fmt: skip
        if kind == "positions":
            save_shapes(args, pictures / "dynamics-handwriting.png", complete)
            save_flow(args, pictures / "dynamics-flow.png", next(iter(complete)))
            found += [
                "![Left-out demonstrations and their forecasts](images/dynamics-handwriting.png)",
                "*All shapes: grey the six demonstrations, black the seventh, which is left out, "
                "orange its forecast from the first row.*",
                "![The flow of the first shape](images/dynamics-flow.png)",
                "*The flow of the first shape of the alphabet where its padded entries are zero, "
                "the level sets of its Lyapunov function, and the demonstrations.*",
            ]
    return found


def save_shapes(args: argparse.Namespace, path: Path, results: dict[str, dict[str, Any]]) -> None:
    """A small picture of each shape."""
    columns = min(6, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(1.6 * columns, 1.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in grid:
        axes.set_axis_off()
    shapes = shapes_of(args)
    for axes, (shape, result) in zip(grid, results.items(), strict=False):
        points, _ = handwriting(args.data, shape, velocity=False)
        out = shapes.index(shape) % len(points)
        for k, x in enumerate(points):
            if k != out:
                axes.plot(*x.T, color="0.78", lw=0.8)
        axes.plot(*points[out].T, color="black", lw=1.1)
        axes.plot(*np.array(result[OURS]["path"]).T, color="C1", lw=1.4)
        axes.set_title(shape, fontsize=7)
        axes.set_aspect("equal", "datalim")
    figure.savefig(path, dpi=144)


def save_flow(args: argparse.Namespace, path: Path, shape: str) -> None:
    """The phase portrait of a shape."""
    model = LinearDynamics.from_pretrained(args.scratch / "positions" / shape / "model")
    points, _ = handwriting(args.data, shape, velocity=False)
    x = torch.cat(points)
    save_portrait(
        path,
        ["x, mm", "y, mm"],
        (x.amin(0), x.amax(0)),
        lambda y: model.velocity(y).detach(),
        level=lambda y: model.lyapunov(y).detach(),
        equilibrium=model.equilibrium(),
        true=points,
    )


def relative(made: Tensor, true: Tensor) -> float:
    """Squared error over the variance of what is true, both of all coordinates."""
    return float((made - true).square().sum() / (true - true.mean(0)).square().sum())


def warped(a: Tensor, b: Tensor) -> float:
    """The dynamic-time-warping distance of two paths, per point of the longer one."""
    costs = torch.cdist(a.double(), b.double()).numpy()
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            total[i + 1, j + 1] = costs[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1] / max(len(a), len(b)))


def _once(folder: Path, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is in the folder already, or made now and put there."""
    file = folder / f"{name.replace(' ', '-')}.json"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        made = {"method": name, **make()}
        file.write_text(json.dumps(made), encoding="utf-8")
        shown = made.get("error", made.get("failed"))
        print(f"{folder.name}, {name}: {shown} ({time.perf_counter() - began:.0f} s)", flush=True)
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def _results(folder: Path, shapes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By shape and method."""
    found: dict[str, dict[str, Any]] = {}
    for shape in shapes:
        for file in sorted((folder / shape).glob("*.json")):
            made = json.loads(file.read_text(encoding="utf-8"))
            found.setdefault(shape, {})[made["method"]] = made
    return found


def _summary(name: str, results: Sequence[dict[str, Any]]) -> list[str]:
    good = [r for r in results if "error" in r]
    if not good:
        return [name, "", "", "", "", "0", str(len(results)), ""]
    errors, distances = ([r[key] for r in good] for key in ("error", "warped"))
    return [
        name,
        *(f"{number:.3g}" for values in (errors, distances)
          for number in (np.median(values), max(values))),
        str(len(good)),
        str(len(results) - len(good)),
        f"{np.median([r['seconds'] for r in good]):.2g}",
    ]  # fmt: skip


def _arrivals(name: str, results: Sequence[dict[str, Any]]) -> list[str]:
    arrived = [r["arrived"] for r in results]
    lost = sum(r["diverging"] for r in results)
    total = STARTS * len(results)
    return [name, f"{lost:,} of {total:,}", f"{np.mean(arrived):.2%}", f"{min(arrived):.1%}"]


def _error(result: dict[str, Any]) -> str:
    return f"{result['error']:.3g}" if "error" in result else "fails" if result else ""
