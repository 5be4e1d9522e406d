"""Strokes of a hand as dynamics: what they teach, and where a point that is pushed away goes."""

import math
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.errors import RangeError

MOST_STROKES, MOST_POINTS, LEAST_POINTS = 12, 4000, 5
ROWS = 60
"""Points of a stroke that are learned from, at equal times."""
GRID, LINES = 24, 11
"""Cells of the map of the Lyapunov function along a side, and lines of the flow."""
LONG, SHORT = 1.6, 0.12
"""How long a push and a line of the flow are followed, in durations of a stroke."""


def examples() -> list[list[list[float]]]:
    """Three strokes to begin with, `[t, x, y]` in a square of side 1."""
    t = torch.linspace(0, 1, 40, dtype=torch.float64)
    eased = (1 - torch.cos(math.pi * t)) / 2
    made = []
    for shift in (-0.05, 0.0, 0.06):
        fades = shift * (1 - eased)
        x = 0.15 + 0.7 * eased + 0.12 * torch.sin(2 * math.pi * eased) + fades
        y = 0.2 + 0.55 * eased + 0.22 * torch.sin(math.pi * eased) - fades
        made.append(torch.stack([1.5 * t, x, y], 1).tolist())
    return made


def read_strokes(value: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Points (60, 2) and times (60,) of the strokes on a canvas, at equal steps of time.

    Raises:
        RangeError: If there is none that is long enough, or too many, or a crafted request holds
            something else than strokes.
    """
    found = value.get("strokes") if isinstance(value, dict) else None
    if not isinstance(found, list) or len(found) > MOST_STROKES:
        raise RangeError(f"expected up to {MOST_STROKES} strokes, got more or none; draw anew")
    points, times = [], []
    for stroke in found:
        rows = _rows(stroke)
        t = rows[:, 0] - rows[0, 0]
        later = torch.cat([torch.tensor([True]), t.diff() > 0])
        t, x = t[later], rows[later, 1:]
        if len(t) < LEAST_POINTS:
            continue  # a click
        clock = torch.linspace(0, float(t[-1]), ROWS, dtype=torch.float64)
        right = torch.searchsorted(t, clock).clamp(1, len(t) - 1)
        share = ((clock - t[right - 1]) / (t[right] - t[right - 1]))[:, None]
        points.append(x[right - 1] + share * (x[right] - x[right - 1]))
        times.append(clock)
    if not points:
        raise RangeError("expected a stroke, got none that is long enough; draw one or more")
    return points, times


def learned(points: list[Tensor], times: list[Tensor]) -> LinearDynamics:
    """Stable dynamics that come to where the strokes end, on the mean."""
    from linearizer.training import DynamicsConfig, train_dynamics  # noqa: PLC0415  (slow)

    config = DynamicsConfig(padding=2, steps=100, polish=100)
    goal = torch.stack([x[-1] for x in points]).mean(0)
    held_out = 0.2 if len(points) > 2 else 0.0
    return train_dynamics(points, times, config, goal=goal, held_out=held_out).requires_grad_(False)


@torch.no_grad()
def drawing(model: LinearDynamics, duration: float) -> dict[str, Any]:
    """What the canvas shows of dynamics: the flow as lines, a map of V, and the goal.

    Returns:
        `flow`: lines of points; `levels`: V as shares of its largest, of logarithms, row by row
        of the square; `goal`: a point.
    """
    side = (torch.arange(LINES, dtype=torch.float64) + 0.5) / LINES
    starts = torch.cartesian_prod(side, side)
    lines = model.forecast(starts, torch.linspace(0, SHORT * duration, 8))
    middle = (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    V = model.lyapunov(torch.stack([x, y], -1).reshape(-1, 2)).clamp_min(1e-12).log()
    V = (V - V.min()) / (V.max() - V.min()).clamp_min(1e-12)
    return {
        "flow": _rounded(lines),
        "levels": _rounded(V.reshape(GRID, GRID)),
        "goal": _rounded(model.equilibrium()),
    }


@torch.no_grad()
def pushed(model: LinearDynamics, point: Any, duration: float) -> list[list[float]]:
    """The way (81, 2) of a point that is put somewhere.

    Raises:
        RangeError: If it is no point of the square.
    """
    place = torch.tensor(point if _is_row(point, 2) else [-1.0, -1.0], dtype=torch.float64)
    if not bool(((place >= 0) & (place <= 1)).all()):
        raise RangeError("expected a point on the canvas, got none; click on it")
    path: list[list[float]] = _rounded(
        model.forecast(place, torch.linspace(0, LONG * duration, 81))
    )
    return path


def _rows(stroke: Any) -> Tensor:
    if (
        not isinstance(stroke, list)
        or not 0 < len(stroke) <= MOST_POINTS
        or not all(_is_row(row, 3) for row in stroke)
    ):
        raise RangeError("expected strokes of points [time, x, y], got something else; draw anew")
    return torch.tensor(stroke, dtype=torch.float64)


def _is_row(row: Any, length: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == length
        and all(isinstance(v, int | float) and math.isfinite(v) and abs(v) < 1e9 for v in row)
    )


def _rounded(x: Tensor) -> Any:
    return torch.round(x.double(), decimals=4).tolist()
