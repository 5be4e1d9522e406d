"""The commands on linear dynamics: time series, forecast at any time."""

import csv
import math
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from torch import Tensor

from linearizer._checks import check_finite
from linearizer._files import atomic_write
from linearizer.applications import LinearDynamics
from linearizer.cli.options import CommandGroup, Overwrite, Picture, takes
from linearizer.data import TimeSeries, read_time_series
from linearizer.data.time_series import as_date
from linearizer.display.console import say, tell
from linearizer.errors import RangeError, ShapeError
from linearizer.runs import DynamicsRun, numbers_of
from linearizer.saving.run_information import Opened, open_model

Dynamics = Annotated[str, typer.Argument(help="Folder of trained dynamics.")]
MOST_TIMES = 100_000
AT_ONCE = 1000

dynamics = typer.Typer(
    cls=CommandGroup,
    help="Forecast time series, forwards and back, and see their modes and their stability.",
    no_args_is_help=True,
)


class _Start(NamedTuple):
    """Where a forecast begins.

    Attributes:
        point: As `LinearDynamics.forecast` takes it.
        time: Of it, on the clock of the file that it is from.
        read: That file, if it is from one.
    """

    point: Tensor
    time: float = 0.0
    read: TimeSeries | None = None


@dynamics.command()
@takes(DynamicsRun)
def fit(run: DynamicsRun) -> None:
    """Train linear dynamics on trajectories in CSV files, and measure them on some held out.

    An interrupted run goes on where it stopped when the same command is given again. Pictures of
    the held-out forecasts, of the phase plane and of the spectrum are drawn in its folder.
    """
    from linearizer.display.curves import save_forecasts, save_spectrum  # noqa: PLC0415  (slow)
    from linearizer.evaluation.dynamics import stability, verdict  # noqa: PLC0415
    from linearizer.training.dynamics_run import train_linear_dynamics  # noqa: PLC0415

    fitted = train_linear_dynamics(run)
    if fitted is None:
        return
    model, took = fitted.model, fitted.took
    say(f"{took.steps} steps in {took.seconds:.0f} s; the dynamics are in {run.out}")
    if fitted.held_out is None:
        tell("Nothing was held out, so that it is not known whether the dynamics fit.")
    else:
        tell(verdict(fitted.error))
        true = [(t, x[:, -1] if model.delays else x) for x, t in zip(*fitted.held_out, strict=True)]
        if fitted.error is not None:
            with torch.no_grad():
                made = [(t, model.forecast(x[0], t)) for x, t in zip(*fitted.held_out, strict=True)]
            save_forecasts(run.out / "forecasts.png", fitted.columns, made, true, run.time)
    tell(stability(model))
    save_spectrum(run.out / "spectrum.png", model.modes().eigenvalues)
    if _has_plane(model):
        _draw_portrait(run.out / "portrait.png", open_model(str(run.out), LinearDynamics), [])
    say(f"Look at them: linearizer dynamics modes {run.out}")


@dynamics.command()
@torch.no_grad()
def forecast(
    run: Dynamics,
    start: Annotated[
        str,
        typer.Option(
            help="Point, as 1,2; or FILE:ROW, a row of a CSV file, -1 the last; FILE is FILE:-1. "
            "With delays rows are separated by ;, the newest last."
        ),
    ],
    times: Annotated[
        str,
        typer.Option(
            help="Times after the start, FROM:TO:STEP or 1,2.5,..., negative ones too; or a CSV "
            "file of times, which are on the clock of the file that the start is from."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV file.")] = Path("forecast.csv"),
    overwrite: Overwrite = False,
) -> None:
    """Forecast from a point, at any times, into a CSV file and a picture beside it."""
    from linearizer.display.curves import save_forecasts  # noqa: PLC0415  (slow to import)
    from linearizer.display.output import new_file  # noqa: PLC0415

    if out.suffix.lower() != ".csv":
        raise RangeError(f"expected the name of a CSV file, got {str(out)!r}; name it with --out")
    new_file(out, overwrite=overwrite)
    picture = new_file(out.with_suffix(".png"), overwrite=overwrite)
    opened = open_model(run, LinearDynamics)
    model, names, clock = opened.model, _names(opened), _clock(opened)
    begin = _start(start, model, names, clock)
    later = _times(times, clock, begin)
    like = begin.point.to(model.generator.to_dense())
    made = torch.cat([model.forecast(like, t) for t in later.split(AT_ONCE)])
    shown = later + begin.time
    is_date = begin.read is not None and begin.read.dates
    with atomic_write(out) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([clock, *names])
        for t, x in zip(shown.tolist(), made.tolist(), strict=True):
            table.writerow([as_date(t) if is_date else f"{t:.12g}", *(f"{v:.9g}" for v in x)])
    true = []
    if begin.read is not None and bool((begin.read.times[0].diff() > 0).all()):
        true = [(begin.read.times[0] - begin.time, begin.read.points[0])]
    with atomic_write(picture) as path:
        save_forecasts(path, names, [(later, made)], true, f"{clock} after the start")
    say(f"{out} and {picture}")


@dynamics.command()
def modes(run: Dynamics, out: Picture = Path("spectrum.png"), overwrite: Overwrite = False) -> None:
    """Print rates, half-lives, frequencies and periods, and draw the spectrum of L.

    Per unit of the time column; of dates, per second.
    """
    from linearizer.display.curves import save_spectrum  # noqa: PLC0415  (slow to import)
    from linearizer.display.output import new_picture  # noqa: PLC0415
    from linearizer.evaluation.dynamics import modes_table, stability  # noqa: PLC0415

    picture = new_picture(out, overwrite=overwrite)
    model = open_model(run, LinearDynamics).model
    modes_table(model).show()
    tell(stability(model))
    with atomic_write(picture) as path:
        save_spectrum(path, model.modes().eigenvalues)
    say(str(picture))


@dynamics.command()
def portrait(
    run: Dynamics,
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV files, whose trajectories are drawn over it.")
    ] = None,
    out: Picture = Path("portrait.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw the flow in the plane of the first two coordinates, with level sets of stability.

    These are level sets of a Lyapunov function, which falls along every trajectory.
    """
    from linearizer.display.output import new_picture  # noqa: PLC0415  (slow to import)

    picture = new_picture(out, overwrite=overwrite)
    opened = open_model(run, LinearDynamics)
    if not _has_plane(opened.model):
        raise RangeError(
            f"expected dynamics of two coordinates or more without delays, got "
            f"{opened.model.dim} with {opened.model.delays}; a flow in a plane needs two: look "
            "at forecasts instead"
        )
    with atomic_write(picture) as path:
        _draw_portrait(path, opened, files or [])
    say(str(picture))


def _has_plane(model: LinearDynamics) -> bool:
    return model.dim > 1 and not model.delays


@torch.no_grad()
def _draw_portrait(path: Path, opened: Opened[LinearDynamics], files: list[Path]) -> None:
    from linearizer.display.curves import save_portrait  # noqa: PLC0415  (slow to import)

    model, names = opened.model, _names(opened)
    true = []
    if files:
        which = opened.note.get("trajectory")
        true = read_time_series(files, _clock(opened), trajectory=which, columns=names).points
        rows = torch.cat(true)
        extent = rows.nan_to_num(torch.inf).amin(0), rows.nan_to_num(-torch.inf).amax(0)
    else:
        extent = _extent(opened)
    save_portrait(
        path,
        names,
        extent,
        model.velocity,
        level=model.lyapunov if model.is_stable else None,
        equilibrium=model.equilibrium(),
        true=true,
    )


def _extent(opened: Opened[LinearDynamics]) -> tuple[Tensor, Tensor]:
    """The smallest and the largest number of each coordinate, which a training notes down."""
    try:
        low, high = torch.tensor(opened.note["extent"]).reshape(2, opened.model.dim)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RangeError(
            f"expected the extent of the data in {opened.folder}, got a model without; name files "
            "of trajectories"
        ) from error
    return low, high


def _names(opened: Opened[LinearDynamics]) -> list[str]:
    """The names of the coordinates, which a training notes down."""
    names = opened.note.get("coordinates")
    if isinstance(names, list) and len(names) == opened.model.dim:
        return [str(name) for name in names]
    return [f"x{i + 1}" for i in range(opened.model.dim)]


def _clock(opened: Opened[LinearDynamics]) -> str:
    return str(opened.note.get("time", "t"))


def _start(text: str, model: LinearDynamics, names: list[str], clock: str) -> _Start:
    """A start that is written as numbers, or as a row of a file."""
    rows = model.delays + 1
    if set(text) <= set("0123456789.,;+-eE "):
        given = [numbers_of(row) for row in text.split(";")]
        if [len(row) for row in given] != [model.dim] * rows:
            raise ShapeError(
                f"expected a start of {model.dim} numbers for {', '.join(names)}"
                f"{f', in {rows} rows separated by ;' if rows > 1 else ''}, got {text!r}; "
                "write that, or name a row of a file by FILE:ROW"
            )
        return _Start(torch.tensor(given if model.delays else given[0], dtype=torch.float64))
    name, colon, number = text.rpartition(":")
    has_row = bool(colon) and number.lstrip("-").isdecimal() and len(number) < 10
    read = read_time_series([Path(name if has_row else text)], clock, columns=names)
    count = len(read.points[0])
    row = int(number) if has_row else -1
    place = row - 1 if row > 0 else count + row
    if row == 0 or not rows - 1 <= place < count:
        raise RangeError(
            f"expected a row from {rows} to {count}, or from -1 backwards, got {row} of "
            f"{name if has_row else text}; each start needs {rows} rows up to it"
        )
    point = read.points[0][place - rows + 1 : place + 1]
    check_finite(point, f"row {row} of {name if has_row else text}, a start")
    return _Start(point if model.delays else point[0], float(read.times[0][place]), read)


def _times(text: str, clock: str, begin: _Start) -> Tensor:
    """Times after the start, (T,) in float64."""
    if set(text) <= set("0123456789.,:+-eE "):
        made = _range(text) if ":" in text else torch.tensor(numbers_of(text), dtype=torch.float64)
    else:
        read = read_time_series([Path(text)], clock, columns=[])
        made = read.times[0] - begin.time
        if read.dates != (begin.read is not None and begin.read.dates):
            raise RangeError(
                f"expected times of {text} on the clock of the start, got "
                f"{'dates' if read.dates else 'numbers'}; name a start from a file of such times"
            )
    check_finite(made, "the times")
    if len(made) > MOST_TIMES:
        raise RangeError(f"expected {MOST_TIMES} times at most, got {len(made)}; ask for fewer")
    return made


def _range(text: str) -> Tensor:
    """FROM:TO:STEP, with TO if a step ends there."""
    parts = [number for part in text.split(":") for number in numbers_of(part)]
    if len(parts) != 3:
        raise RangeError(f"expected FROM:TO:STEP, got {text!r}; write as 0:10:0.1")
    first, last, step = parts
    steps = (last - first) / step if step else -1.0
    if not 0 <= steps < MOST_TIMES:
        raise RangeError(
            f"expected a step that leads from {first:g} to {last:g} in less than {MOST_TIMES} "
            f"steps, got {step:g}; choose another"
        )
    return first + step * torch.arange(math.floor(steps + 1e-9) + 1, dtype=torch.float64)
