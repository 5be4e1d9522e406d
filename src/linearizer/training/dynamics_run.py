"""`linearizer dynamics fit`: linear dynamics of the trajectories in CSV files."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from linearizer._files import sha256
from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import (
    ForecastError,
    Trajectories,
    read_trajectories,
)
from linearizer.applications.linear_dynamics.accuracy import forecast_error
from linearizer.data import read_time_series
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.runs import DynamicsRun, numbers_of
from linearizer.training.dynamics import DynamicsConfig, check_states, hold_out, run_dynamics
from linearizer.training.loop import Trained
from linearizer.training.run_folder import finish_run, open_run


class FittedDynamics(NamedTuple):
    """What a run made, and what it was measured on.

    Attributes:
        model: The dynamics, saved in the folder of the run.
        columns: Names of the coordinates.
        held_out: Trajectories that neither training nor early stopping saw, if any.
        error: Of their forecasts; None if there are none, or if they leave all numbers.
        took: Steps and seconds.
    """

    model: LinearDynamics
    columns: list[str]
    held_out: Trajectories | None
    error: ForecastError | None
    took: Trained


def train_linear_dynamics(run: DynamicsRun) -> FittedDynamics | None:
    """Train dynamics on files, measure them on what was held out, and save both.

    Nothing is returned in the processes of several that are not to save.
    """
    read = read_time_series(
        [Path(file) for file in run.files],
        run.time,
        trajectory=run.trajectory,
        columns=None if run.columns is None else run.columns.split(","),
    )
    goal = None if run.goal is None else torch.tensor(numbers_of(run.goal))
    if goal is not None and len(goal) != len(read.columns):
        raise ShapeError(
            f"expected a goal of {len(read.columns)} numbers, for {', '.join(read.columns)}, got "
            f"{len(goal)}; give one for each"
        )
    whole = Trajectories([x.float() for x in read.points], read.times)
    choices: dict[str, Any] = {"delays": run.delays, "missing": run.missing}
    _check(whole, choices)
    own = {f.name: getattr(run, f.name) for f in fields(DynamicsConfig) if hasattr(run, f.name)}
    config = replace(DynamicsConfig(), **own)
    check_states(config, len(read.columns))
    train, held = hold_out(whole, run.held_out, run.seed)
    if held is not None:
        held = _measurable(held, choices)
    settings = {**run.noted(), "data": [sha256(Path(file)) for file in run.files]}
    checkpoints = open_run(run.out, settings, overwrite=run.overwrite)
    model, took = run_dynamics(
        *train,
        config,
        goal=goal,
        missing=run.missing,
        held_out=run.held_out,
        max_minutes=run.max_minutes,
        checkpoints=checkpoints,
        logs=run.out,
        tensorboard=run.tensorboard,
    )
    if not took.is_first_process:
        return None
    error = None if held is None else _error(model, held)
    note = {
        **settings,
        "coordinates": read.columns,
        "extent": _extent(whole),
        "dates": read.dates,
        "error": None if error is None else error._asdict(),
        "steps": took.steps,
        "seconds": took.seconds,
    }
    finish_run(run.out, model, note)
    return FittedDynamics(model, read.columns, held, error, took)


def _check(data: Trajectories, choices: dict[str, Any]) -> None:
    """Tell what is wrong with the data before there is a folder, in the words of the command."""
    try:
        read_trajectories(*data, **choices)
    except NonFiniteError as error:
        raise NonFiniteError(str(error).replace("missing='skip'", "--missing skip")) from error


def _measurable(held: Trajectories, choices: dict[str, Any]) -> Trajectories:
    """What is held out, as points to forecast."""
    rows = min(map(len, held.points))
    if rows < choices["delays"] + 2:
        raise RangeError(
            f"expected {choices['delays'] + 2} rows or more to hold out, got {rows}; hold out "
            "another share by --held-out, or nothing by --held-out 0"
        )
    return read_trajectories(*held, **choices)


def _error(model: LinearDynamics, held: Trajectories) -> ForecastError | None:
    with torch.no_grad():
        try:
            return forecast_error(model.forecast, held, model.delays)
        except NonFiniteError:
            return None


def _extent(data: Trajectories) -> list[list[float]]:
    """The smallest and the largest number of each coordinate."""
    rows = torch.cat(data.points)
    low, high = rows.nan_to_num(torch.inf).amin(0), rows.nan_to_num(-torch.inf).amax(0)
    return [low.tolist(), high.tolist()]
