"""Measure linear dynamics: handwriting, known truths, times, control, speed, and what fails.

    python benchmarks/dynamics.py --data FOLDER                 # writes docs/dynamics.md
    python benchmarks/dynamics.py --data FOLDER --shapes 1 --minutes 0.1 --only handwriting

FOLDER holds the `.mat` files of the LASA handwriting data set. Sections that are not run stay as
they are on the page. `pip install -r benchmarks/dynamics-peers.txt` adds peers to the same run.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dynamics_control
import numpy as np
import torch
from dynamics_peers import peers
from dynamics_systems import double_well, handwriting, lorenz, planted, solved
from timing import seconds
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import ForecastError
from linearizer.display.tables import Page, Table, page_markdown
from linearizer.errors import NonFiniteError
from linearizer.evaluation.dynamics import verdict
from linearizer.training import DynamicsConfig, train_dynamics

PAGE = Path(__file__).parent.parent / "docs" / "dynamics.md"
STARTS, PUSH, NEAR = 1000, 0.2, 0.02
"""Starts that are pushed away, how far, and how near to the goal counts: shares of the extent."""
LEAD = """# Linear dynamics, measured

Made by `python benchmarks/dynamics.py --data FOLDER`; FOLDER holds the LASA handwriting data.
Errors are squared and divided by the variance of the data, so that 1 is the error of the mean.
[How to use it](how-to/dynamics.md), [the mathematics and the limits](mathematics.md#dynamics)."""


def handwriting_section(args: argparse.Namespace) -> Page:
    """One demonstration of each shape is left out; the others train."""
    shapes = sorted(file.stem for file in args.data.glob("*.mat"))[: args.shapes]
    page: list[Table | str] = []
    for velocity in (False, True):
        rows, errors = [], []
        for shape in shapes:
            points, times = handwriting(args.data, shape, velocity=velocity)
            model = train_dynamics(
                points[1:],
                times[1:],
                goal=torch.zeros(4 if velocity else 2),
                max_minutes=args.minutes,
            )
            made = model.forecast(points[0][0], times[0]).detach()[:, :2]
            true = points[0][:, :2]
            errors.append(relative(made, true))
            diverged, arrived = pushed(model, points, float(times[0][-1]))
            rows.append(
                [
                    shape,
                    f"{errors[-1]:.3g}",
                    f"{warped(made, true):.3g}",
                    str(diverged),
                    f"{100 * arrived:.1f} %",
                ]
            )
        what = "positions and velocities" if velocity else "positions alone"
        page += [
            f"**{what.capitalize()}.** Over {len(shapes)} shapes the median error is "
            f"{np.median(errors):.3g}, the largest {max(errors):.3g}. The first demonstration of "
            f"each is left out; training took {args.minutes:g} minutes a shape at most. The "
            f"dynamic-time-warping distance is per point, in the unit of the data. {STARTS} "
            f"starts lie up to {PUSH:.0%} of the extent from those of the demonstrations.",
            Table(["shape", "error", "warped", "diverging", "at the goal"], rows),
        ]
    return page


def planted_section(args: argparse.Namespace) -> Page:
    """Eigenvalues, and forecasts ten times as long as the training, from noisy samples."""
    rows = []
    step, count = 0.05, 40
    long = step * torch.arange(10 * count, dtype=torch.float64)
    for system in planted():
        random = torch.Generator().manual_seed(0)
        starts = torch.randn(20, len(system.L), generator=random, dtype=torch.float64)
        paths = [system.trajectory(z, long[:count]) for z in starts]
        noisy = [x + 1e-3 * torch.randn(x.shape, generator=random).double() for x in paths]
        new = system.trajectory(torch.ones(len(system.L)).double(), long)
        truth = torch.linalg.eigvals(system.L).numpy()
        model = train_dynamics(
            noisy, long[:count], DynamicsConfig(kind="free"), max_minutes=args.minutes
        )
        found: dict[str, tuple[np.ndarray, Tensor]] = {
            "ours": (model.modes().eigenvalues.numpy(), model.forecast(new[0], long).detach())
        }
        for name, fit in peers().items():
            peer = fit(noisy, step)
            found[name] = peer.eigenvalues, peer.forecast(new[0], len(long))
        for name, (values, path) in found.items():
            rows.append(
                [system.name, name, f"{distance(values, truth):.2g}", f"{relative(path, new):.2g}"]
            )
    return [
        "Noise of standard deviation 0.001, 20 trajectories of 40 rows; forecasts of 400 rows "
        "from a new start. Of a peer with more eigenvalues the nearest ones count.",
        Table(["system", "method", "eigenvalues, relative error", "forecast error"], rows),
    ]


def times_section(args: argparse.Namespace) -> Page:
    """Trained at two steps; tested at times between and before."""
    system = planted()[1]
    random = torch.Generator().manual_seed(0)
    clocks = [step * torch.arange(30, dtype=torch.float64) for step in (0.1, 0.27)] * 6
    starts = torch.randn(len(clocks), 2, generator=random, dtype=torch.float64)
    paths = [system.trajectory(z, t) for z, t in zip(starts, clocks, strict=True)]
    model = train_dynamics(paths, clocks, max_minutes=args.minutes)
    start = torch.tensor([0.7, -0.4]).double()
    rows = []
    for name, low, high in (("between 0 and 3", 0.0, 3.0), ("between -1 and 0", -1.0, 0.0)):
        t = low + (high - low) * torch.rand(200, generator=random, dtype=torch.float64)
        true = system.trajectory(start, t)
        x0 = system.decode(start[None])[0]
        rows.append(
            [
                f"error at random times {name}",
                f"{relative(model.forecast(x0, t).detach(), true):.2g}",
            ]
        )
    x = torch.cat(paths)
    for dtype in (torch.float32, torch.float64):
        one, y = model.to(dtype), x.to(dtype)
        back = one.backcast(one.forecast(y, 1.3), 1.3)
        twice, once = one.flow(0.4)(one.flow(0.9)(y)), one.flow(1.3)(y)
        for what, a, b in (
            ("forwards and back", back, y),
            ("flow(s) @ flow(t) = flow(s + t)", twice, once),
        ):
            rows.append(
                [
                    f"{what}, {str(dtype).removeprefix('torch.')}",
                    f"{float((a - b).norm() / b.norm()):.1e}",
                ]
            )
    return [Table(["what", "relative error"], rows)]


def control_section(args: argparse.Namespace) -> Page:
    """The cost of closing the loop around the true plant."""
    return dynamics_control.section(args.minutes)


def speed_section(args: argparse.Namespace) -> Page:
    """Forecasts against an ODE solver on the same vector field."""
    system = planted()[1]
    t = 0.1 * torch.arange(30, dtype=torch.float64)
    starts = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)).double()
    model = train_dynamics([system.trajectory(z, t) for z in starts], t, max_minutes=args.minutes)
    x0 = torch.rand(args.forecasts, 2, generator=torch.Generator().manual_seed(1)).double()
    later = torch.sort(
        3 * torch.rand(100, generator=torch.Generator().manual_seed(2)).double()
    ).values
    made: dict[str, Tensor] = {}

    def field(_: float, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model.velocity(torch.from_numpy(x).reshape(-1, 2)).flatten().numpy()

    def ours() -> None:
        with torch.no_grad():
            made["ours"] = model.forecast(x0, later)

    def theirs() -> None:
        clock = np.concatenate([[0.0], later.numpy()])
        path = solved(field, x0.flatten().numpy(), clock)[1:]
        made["theirs"] = path.reshape(len(later), -1, 2).movedim(0, 1)

    fast, slow = seconds(ours, theirs, rounds=args.rounds)
    apart = float((made["ours"] - made["theirs"]).norm() / made["theirs"].norm())
    rows = [["ours, one step", f"{fast:.3g}"], ["scipy's solve_ivp, 1e-9", f"{slow:.3g}"]]
    return [
        f"{len(x0)} forecasts at 100 irregular times, in one process: {slow / fast:.0f} times as "
        f"fast as solve_ivp on the vector field of the same g. The two differ by {apart:.1e}.",
        Table(["method", "seconds"], rows),
    ]


def limits_section(args: argparse.Namespace) -> Page:
    """Systems that no bijection makes linear, and what a user is told."""
    page: list[Table | str] = []
    for name, field, dim, length in (
        ("Lorenz", lorenz, 3, 4.0),
        ("double well", double_well, 2, 12.0),
    ):
        random = np.random.default_rng(0)
        t = np.linspace(0, length, 120)
        paths = [solved(field, 3 * random.standard_normal(dim), t) for _ in range(12)]
        clock = torch.from_numpy(t)
        model = train_dynamics(paths[2:], clock, max_minutes=args.minutes)
        error: ForecastError | None
        try:
            error = model.error(paths[:2], clock)
        except NonFiniteError:
            error = None
        page.append(f"**{name}.** {verdict(error)}")
    return page


def relative(made: Tensor, true: Tensor) -> float:
    """Squared error over the variance of what is true, both of all coordinates."""
    return float((made - true).square().sum() / (true - true.mean(0)).square().sum())


def distance(found: np.ndarray, truth: np.ndarray) -> float:
    """The largest relative distance of a true eigenvalue from the nearest one found."""
    return float((np.abs(found[None] - truth[:, None]).min(1) / np.abs(truth)).max())


def warped(a: Tensor, b: Tensor) -> float:
    """The dynamic-time-warping distance of two paths, per point of the longer one."""
    costs = torch.cdist(a.double(), b.double()).numpy()
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            total[i + 1, j + 1] = costs[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1] / max(len(a), len(b)))


def pushed(model: LinearDynamics, points: Sequence[Tensor], duration: float) -> tuple[int, float]:
    """Of starts that are pushed away: how many diverge, and the share that comes to the goal."""
    x = torch.cat([*points])
    extent = x.amax(0) - x.amin(0)
    random = torch.Generator().manual_seed(0)
    firsts = torch.stack([p[0] for p in points])
    starts = firsts[torch.randint(len(firsts), (STARTS,), generator=random)]
    starts = starts + PUSH * extent * (2 * torch.rand(starts.shape, generator=random) - 1)
    z = model.encode(starts)
    path = model.decode(model.advance(z, torch.tensor([1.0, 2.0, 10.0, 100.0]) * duration)).detach()
    lost = ~path.isfinite().flatten(1).all(1) | ((path - x.mean(0)).abs() > 10 * extent).flatten(
        1
    ).any(1)
    near = (path[:, -1, :2] - model.equilibrium()[:2]).norm(dim=1) <= NEAR * extent[:2].norm()
    return int(lost.sum()), float(near.double().mean())


SECTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], Page]]] = {
    "handwriting": ("Handwriting", handwriting_section),
    "planted": ("Known truths", planted_section),
    "times": ("Times that were never seen", times_section),
    "control": ("Control", control_section),
    "speed": ("Speed", speed_section),
    "limits": ("What does not fit", limits_section),
}


def write(page: Path, made: dict[str, str]) -> None:
    """Replace the sections that were made."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    texts = {
        part.partition("\n")[0]: part.partition("\n")[2].strip() for part in old.split("\n## ")
    }
    parts = [
        f"## {t}\n\n{made.get(t) or texts.get(t) or 'Not measured yet.'}"
        for t, _ in SECTIONS.values()
    ]
    page.write_text("\n\n".join([LEAD, *parts]) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the LASA .mat files")
    parser.add_argument("--shapes", type=int, default=30, help="shapes of handwriting")
    parser.add_argument("--minutes", type=float, default=2.0, help="per training, at most")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument("--forecasts", type=int, default=10_000, help="in the section on speed")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed")
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args()
    if "handwriting" in args.only and not (args.data and any(args.data.glob("*.mat"))):
        parser.error("expected a folder of .mat files, got none; name it with --data")
    for name in args.only:
        title, section = SECTIONS[name]
        started = time.perf_counter()
        text = page_markdown(section(args)).strip()
        print(f"## {title} ({time.perf_counter() - started:.0f} s)\n\n{text}\n", flush=True)
        write(args.out, {title: text})


if __name__ == "__main__":
    main()
