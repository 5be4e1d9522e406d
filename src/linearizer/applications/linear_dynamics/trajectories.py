"""Trajectories as a model reads them: checked, without gaps, and with their delays."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from linearizer._arrays import Array, as_tensors
from linearizer._checks import check_between, check_finite
from linearizer.errors import NonFiniteError, RangeError, ShapeError

Missing = Literal["raise", "skip"]
UNEQUAL = 1e-3
"""Relative difference of time steps from which on delays are refused."""


class Trajectories(NamedTuple):
    """Points along the time of several runs of one system.

    Attributes:
        points: (T_i, *point_shape) of each run: (T_i, d), or histories (T_i, delays + 1, d).
        times: (T_i,) of each, increasing, in the dtype of the points; the first is zero.
    """

    points: list[Tensor]
    times: list[Tensor]


def read_trajectories(
    trajectories: Tensor | Array | Sequence[Tensor | Array],
    times: Tensor | Array | Sequence[Tensor | Array],
    *,
    delays: int = 0,
    missing: Missing = "raise",
    module: nn.Module | None = None,
) -> Trajectories:
    """Trajectories that are fit to learn from.

    With delays a point is the history `(x_{t-k}, ..., x_{t-1}, x_t)`, the newest last, at the
    time of its newest row; a trajectory then has k points less than rows.

    Args:
        trajectories: (T_i, d) each, of any lengths; or a tensor (N, T, d).
        times: (T_i,) of each, or one such tensor for all; increasing, at any distances.
        delays: k, the earlier rows that belong to a point; equal time steps are needed then.
        missing: What rows with NaN are: an error, or left out with all histories that need them.
        module: What NumPy arrays become tensors for; in their own dtype if not given.

    Raises:
        ShapeError: If there is nothing, a length or a dimension differs, or what is left of a
            trajectory is shorter than two points.
        NonFiniteError: If there is a NaN that is not to be skipped, or infinity.
        RangeError: If times do not increase, or their steps differ and there are delays.
    """
    check_between(delays, 0, float("inf"), "the number of delays")
    if missing not in ("raise", "skip"):
        raise RangeError(f"expected missing='raise' or 'skip', got '{missing}'")
    module = nn.Identity() if module is None else module
    trajectories, times = as_tensors(trajectories, module), as_tensors(times, module)
    if isinstance(trajectories, Tensor) and trajectories.ndim < 3:
        raise ShapeError(
            f"expected a list of trajectories (T, d), got a tensor {tuple(trajectories.shape)}; "
            "put a single trajectory in a list"
        )
    rows = list(trajectories)
    clocks = [times] * len(rows) if isinstance(times, Tensor) and times.ndim == 1 else list(times)
    if not rows or len(rows) != len(clocks):
        raise ShapeError(
            f"expected trajectories and the times of each, got {len(rows)} trajectories and "
            f"{len(clocks)} times"
        )
    for i, (x, t) in enumerate(zip(rows, clocks, strict=True)):
        _check_rows(x, t, rows[0], i)
    if delays:
        _check_steps(clocks)
    pairs = [
        _points(x, t, delays, missing, i) for i, (x, t) in enumerate(zip(rows, clocks, strict=True))
    ]
    return Trajectories([x for x, _ in pairs], [t for _, t in pairs])


def _check_rows(x: Tensor, t: Tensor, first: Tensor, i: int) -> None:
    if x.ndim != 2 or x.shape[1:] != first.shape[1:]:
        raise ShapeError(
            f"expected trajectories (T, d) of one dimension d, got {tuple(x.shape)} for "
            f"trajectory {i} and {tuple(first.shape)} for trajectory 0"
        )
    if t.shape != x.shape[:1]:
        raise ShapeError(
            f"expected a time for each row of trajectory {i}, got {tuple(t.shape)} times for "
            f"{len(x)} rows"
        )
    check_finite(t, f"the times of trajectory {i}")
    if bool((t.diff() <= 0).any()):
        row = int((t.diff() <= 0).nonzero()[0]) + 1
        raise RangeError(
            f"expected increasing times, got {float(t[row - 1]):g} and then {float(t[row]):g} in "
            f"trajectory {i}; sort its rows by time, and drop doubles"
        )


def _check_steps(clocks: Sequence[Tensor]) -> None:
    steps = torch.cat([t.diff() for t in clocks])
    if len(steps) and float(steps.max() - steps.min()) > UNEQUAL * float(steps.median()):
        raise RangeError(
            f"expected equal time steps for delays, got steps from {float(steps.min()):g} to "
            f"{float(steps.max()):g}; interpolate the trajectories at equal steps, or use padding "
            "in place of delays"
        )


def _points(x: Tensor, t: Tensor, delays: int, missing: Missing, i: int) -> tuple[Tensor, Tensor]:
    """The points of a trajectory that have no gap, and their times from the first one on."""
    if missing == "skip":
        check_finite(torch.where(x.isnan(), 0, x), f"trajectory {i}")  # infinity is no gap
    elif bool(x.isnan().any()):
        raise NonFiniteError(
            f"expected numbers in trajectory {i}, got NaN in {int(x.isnan().any(1).sum())} of "
            f"{len(x)} rows; leave those rows out by missing='skip', or fill them in"
        )
    else:
        check_finite(x, f"trajectory {i}")
    if delays:
        x, t = x.unfold(0, delays + 1, 1).mT if len(x) > delays else x[:0], t[delays:]
    whole = ~x.isnan().flatten(1).any(1)
    x, t = x[whole], t[whole]
    if len(x) < 2:
        raise ShapeError(
            f"expected two points or more in trajectory {i}, got {len(x)}"
            + (f" with {delays} delays" if delays else "")
            + "; leave this trajectory out"
        )
    return x, (t - t[0]).to(x)
