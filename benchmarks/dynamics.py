"""Measure linear dynamics: handwriting, known truths, times, control, speed, and what fails.

    python benchmarks/dynamics.py --data FOLDER                 # writes docs/dynamics.md
    python benchmarks/dynamics.py --data FOLDER --only planted  # one part again, the rest as it was

FOLDER holds the `.mat` files of the LASA handwriting data set. What is made is kept in the scratch
folder, so that a run that was stopped goes on; the page is written of what there is.
`pip install -r benchmarks/dynamics-peers.txt` adds peers to the same run.
"""

import argparse
import copy
import platform
import time
from collections.abc import Callable
from pathlib import Path

import dynamics_control
import dynamics_handwriting
import dynamics_planted
import numpy as np
import torch
from dynamics_handwriting import relative
from dynamics_systems import double_well, lorenz, planted, solved
from timing import seconds
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import ForecastError
from linearizer.display.tables import Page, Table, page_markdown
from linearizer.errors import LinearizerError, NonFiniteError
from linearizer.evaluation.dynamics import verdict
from linearizer.training import DynamicsConfig, train_dynamics

DOCS = Path(__file__).parent.parent / "docs"
SMALL = DynamicsConfig(steps=100, polish=600, refit=False)
"""For data without noise, where the second part of the training does most."""
LARGE = DynamicsConfig(steps=100, polish=800, depth=6, refit=False)
FREE = DynamicsConfig(kind="free", steps=100, polish=1000, depth=8, width=16)
LEAD = """# Linear dynamics, measured

Made by `python benchmarks/dynamics.py --data FOLDER`; FOLDER holds the LASA handwriting data.
PyTorch {torch}, one thread, {machine}. Errors are squared and divided by the variance of the data,
so that 1 is the error of the mean. [How to use it](how-to/dynamics.md),
[the mathematics and the limits](mathematics.md#dynamics)."""


def handwriting_section(args: argparse.Namespace) -> Page:
    """One demonstration of each shape is left out; the others train."""
    if not args.as_is:
        dynamics_handwriting.measure(args)
    return dynamics_handwriting.page(args, args.pictures)


def planted_section(args: argparse.Namespace) -> Page:
    """Eigenvalues, and forecasts ten times as long as the training, from noisy samples."""
    return dynamics_planted.section(FREE, args.scratch)


def times_section(_: argparse.Namespace) -> Page:
    """Trained at two steps; tested at times between and before."""
    errors, rows = [], []
    for system in planted()[:2]:
        random = torch.Generator().manual_seed(0)
        clocks = [step * torch.arange(30, dtype=torch.float64) for step in (0.1, 0.27)] * 6
        starts = torch.randn(len(clocks), 2, generator=random, dtype=torch.float64)
        paths = [system.trajectory(z, t) for z, t in zip(starts, clocks, strict=True)]
        model = train_dynamics(paths, clocks, SMALL).requires_grad_(False)
        start = torch.tensor([0.7, -0.4]).double()
        x0 = system.decode(start[None])[0]
        for name, low, high in (("0 to 3", 0.0, 3.0), ("-1 to 0", -1.0, 0.0)):
            t = low + (high - low) * torch.rand(200, generator=random, dtype=torch.float64)
            found = relative(model.forecast(x0, t), system.trajectory(start, t))
            errors.append([system.name, name, f"{found:.2g}"])
        x = torch.cat(paths)
        for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
            one, y = copy.deepcopy(model).to(dtype), x.to(dtype)
            for t in (0.5, 1.3, 5.0, 20.0):
                back = one.backcast(one.forecast(y, t), t)
                twice, once = (one.flow(0.3 * t) @ one.flow(0.7 * t))(y), one.flow(t)(y)
                apart = [float((a - b).norm() / b.norm()) for a, b in ((back, y), (twice, once))]
                rows.append(
                    [system.name, str(dtype).removeprefix("torch."), f"{t:g}",
                     f"{growth(model, t):.2g}",
                     *(f"{e:.1e}{'' if e <= limit else ' (missed)'}" for e in apart)]
                )  # fmt: skip
    return [
        "Trained on trajectories at steps of 0.1 and 0.27, tested at 200 random times each.",
        Table(["system", "times", "error"], errors),
        "Relative errors of a forecast and its backcast, and of two flows after each other against "
        "one; (missed) is above 1e-5 in float32 or 1e-10 in float64. The condition number of "
        "`e^{Lt}` is by how much a rounding of the points in between may grow on the way back, "
        "whatever the flow is computed in.",
        Table(
            ["system", "dtype", "time", "condition", "forwards and back",
             "flow(0.3 t) @ flow(0.7 t) = flow(t)"],
            rows,
        ),
    ]  # fmt: skip


def control_section(args: argparse.Namespace) -> Page:
    """The cost of closing the loop around the true plant."""
    return dynamics_control.section(LARGE, args.scratch)


def speed_section(args: argparse.Namespace) -> Page:
    """Forecasts against an ODE solver on the same vector field."""
    system = planted()[1]
    t = 0.1 * torch.arange(30, dtype=torch.float64)
    starts = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)).double()
    trained = train_dynamics([system.trajectory(z, t) for z in starts], t, SMALL)
    random = torch.Generator().manual_seed(1)
    x0 = torch.rand(args.forecasts, 2, generator=random).double()
    later = 3 * torch.rand(100, generator=random).double().sort().values
    rows = []
    for dtype in (torch.float64, torch.float32):
        model = copy.deepcopy(trained).requires_grad_(False).to(dtype)
        calls, made = _forecasters(model, x0.to(dtype), later.to(dtype))
        with torch.no_grad():
            took = seconds(*calls.values(), rounds=args.rounds, clock=time.process_time)
        for name, one in zip(calls, took, strict=True):
            row = [str(dtype).removeprefix("torch."), name, f"{one:.3g}", f"{one / took[0]:.2g}"]
            if name in made:
                apart = float((made[name] - made[OURS]).norm() / made[name].norm())
                row.append(f"{apart:.1e}")
            rows.append([*row, ""][:5])
            print("speed:", rows[-1], flush=True)
    return [
        f"{len(x0):,} forecasts at 100 irregular times, in one process and in turn; the solvers "
        "integrate the vector field of the same g, all starts at once. Seconds of one processor, "
        f"the median of {args.rounds} after one to warm up. Nearly all of ours is the inverse of g "
        f"at {100 * len(x0):,} points, which is a row of its own.",
        Table(["dtype", "method", "seconds", "times ours", "apart from ours"], rows),
    ]


OURS = "ours, one step"


def _forecasters(
    model: LinearDynamics, x0: Tensor, later: Tensor
) -> tuple[dict[str, Callable[[], None]], dict[str, Tensor]]:
    """Calls by name, and what they have made."""
    made: dict[str, Tensor] = {}
    latents = model.advance(model.encode(x0), later)
    clock = torch.cat([torch.zeros(1).to(later), later])

    def field(_: Tensor | float, x: Tensor) -> Tensor:
        return model.velocity(x)

    def ours() -> None:
        made[OURS] = model.forecast(x0, later)

    def scipy() -> None:
        def flat(_: float, x: np.ndarray) -> np.ndarray:
            return field(0.0, torch.from_numpy(x).to(x0).reshape(-1, 2)).flatten().numpy()

        path = solved(flat, x0.flatten().numpy(), clock.numpy(), 1e-6)[1:]
        made["SciPy, solve_ivp, 1e-6"] = path.reshape(len(later), -1, 2).movedim(0, 1)

    def inverse() -> None:
        model.decode(latents)

    calls: dict[str, Callable[[], None]] = {
        OURS: ours,
        "of which g⁻¹": inverse,
    }
    if x0.dtype == torch.float64:
        calls["SciPy, solve_ivp, 1e-6"] = scipy
    try:
        from torchdiffeq import odeint  # noqa: PLC0415  (optional)
    except ImportError:
        return calls, made
    for tolerance in (1e-6, 1e-4) if x0.dtype == torch.float64 else (1e-4,):
        name = f"torchdiffeq, dopri5, {tolerance:g}"

        def torch_ode(tolerance: float = tolerance, name: str = name) -> None:
            path = odeint(field, x0, clock, rtol=tolerance, atol=tolerance, method="dopri5")
            made[name] = path[1:].movedim(0, 1)

        calls[name] = torch_ode
    return calls, made


def limits_section(_: argparse.Namespace) -> Page:
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
        for kind in ("stable", "free"):
            model = train_dynamics(paths[2:], clock, DynamicsConfig(kind=kind))  # type: ignore[arg-type]
            error: ForecastError | None
            try:
                error = model.error(paths[:2], clock)
            except NonFiniteError:
                error = None
            page.append(f'**{name}**, `kind="{kind}"`: {verdict(error)}')
            print("limits:", page[-1], flush=True)
    return page


def bad_section(_: argparse.Namespace) -> Page:
    """What is refused, in the words that a user gets."""
    t = torch.linspace(0, 1, 6).double()
    x = torch.stack([torch.exp(-t), torch.exp(-2 * t)], 1)
    gap = x.clone()
    gap[2, 0] = torch.nan
    model = LinearDynamics.fit(_identity(), [x], [t])
    cases: dict[str, Callable[[], object]] = {
        "decreasing times": lambda: train_dynamics([x], t.flip(0)),
        "a gap (NaN)": lambda: train_dynamics([gap], t),
        "a trajectory of one point": lambda: train_dynamics([x, x[:1]], [t, t[:1]]),
        "inputs of another length": lambda: dynamics_control.ControlledDynamics.fit(
            model, [x], [t], [torch.ones(4, 1).double()]
        ),
        "growth where stability is asked for": lambda: LinearDynamics.fit(
            _identity(), [x.flip(0)], [t], stable=True
        ),
    }
    rows = []
    for name, call in cases.items():
        try:
            call()
            rows.append([name, "nothing: it is accepted"])
        except LinearizerError as error:
            rows.append([name, f"`{type(error).__name__}`: {error}"])
    whole = train_dynamics([gap, x], t, DynamicsConfig(steps=1, polish=0), missing="skip")
    rows.append(['a gap, `missing="skip"`', f"trains, on {whole.dim} coordinates"])
    return [Table(["given", "told"], rows)]


def _identity() -> torch.nn.Module:
    import linearizer as lz  # noqa: PLC0415

    return lz.Identity(2)


def growth(model: LinearDynamics, t: float) -> float:
    """The condition number of `e^{Lt}`."""
    E = model.generator.propagators(torch.tensor(t, dtype=torch.float64))
    return float(torch.linalg.cond(E))


SECTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], Page]]] = {
    "handwriting": ("Handwriting", handwriting_section),
    "planted": ("Known truths", planted_section),
    "times": ("Times that were never seen", times_section),
    "control": ("Control", control_section),
    "speed": ("Speed", speed_section),
    "limits": ("What does not fit", limits_section),
    "bad": ("Bad input", bad_section),
}


def write(args: argparse.Namespace) -> None:
    """The page of what is in the scratch folder."""
    parts = [LEAD.format(torch=torch.__version__, machine=platform.machine())]
    for name, (title, _) in SECTIONS.items():
        file = args.scratch / f"{name}.md"
        text = file.read_text(encoding="utf-8") if file.is_file() else "Not measured yet."
        parts.append(f"## {title}\n\n{text.strip()}")
    args.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the LASA .mat files")
    parser.add_argument("--shapes", type=int, default=30, help="shapes of handwriting")
    parser.add_argument("--positions-only", action="store_true", help="handwriting, no velocities")
    parser.add_argument(
        "--as-is", action="store_true", help="of handwriting only what is measured already"
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument("--scratch", type=Path, default=Path("runs/dynamics-page"))
    parser.add_argument("--forecasts", type=int, default=10_000, help="in the section on speed")
    parser.add_argument("--rounds", type=int, default=3, help="of what is timed")
    parser.add_argument("--out", type=Path, default=DOCS / "dynamics.md")
    parser.add_argument("--pictures", type=Path, default=DOCS / "images")
    args = parser.parse_args()
    if "handwriting" in args.only and not (args.data and any(args.data.glob("*.mat"))):
        parser.error("expected a folder of .mat files, got none; name it with --data")
    args.scratch.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        title, section = SECTIONS[name]
        started = time.perf_counter()
        text = page_markdown(section(args)).strip()
        print(f"## {title} ({time.perf_counter() - started:.0f} s)\n\n{text}\n", flush=True)
        (args.scratch / f"{name}.md").write_text(text, encoding="utf-8")
        write(args)


if __name__ == "__main__":
    main()
