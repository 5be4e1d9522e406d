"""Trajectories from pandas data frames, whose index is the time."""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from linearizer._files import short
from linearizer.data.time_series import TimeSeries
from linearizer.errors import FileFormatError, RangeError


def frames_as_time_series(frames: object) -> TimeSeries:
    """The trajectories in pandas data frames: the index is the time, columns are coordinates.

    Args:
        frames: One frame for each trajectory, or a single one. The index holds numbers, dates
            (without a time zone in UTC) or durations; these two become seconds.

    Raises:
        RangeError: If something is no frame, frames differ in their columns, or there is none.
        FileFormatError: If a cell or the index is no number.

    Example:
        >>> import pandas as pd
        >>> from linearizer.data import frames_as_time_series
        >>> index = pd.to_timedelta([0, 500], unit="ms")
        >>> read = frames_as_time_series(pd.DataFrame({"x": [1., 3.]}, index=index))
        >>> read.columns, read.points, read.times[0]
        (['x'], [tensor([[1.],
                [3.]], dtype=torch.float64)], tensor([0.0, 0.5], dtype=torch.float64))
    """
    listed: list[Any] = [frames] if hasattr(frames, "columns") else list(cast(Any, frames))
    if not listed or not all(hasattr(f, "columns") and hasattr(f, "index") for f in listed):
        raise RangeError(
            "expected data frames with the times as their index, got none or something else; give "
            "the times of tensors too"
        )
    names = [[str(name) for name in frame.columns] for frame in listed]
    first = short(", ".join(names[0]))
    for other in names[1:]:
        if other != names[0]:
            raise RangeError(
                f"expected the columns {first} in every frame, got "
                f"{short(', '.join(other))}; choose the same of each"
            )
    clocks = [_clock_of(frame.index) for frame in listed]
    if len({is_date for _, is_date in clocks}) > 1:
        raise FileFormatError(
            "expected indices that are all numbers or all dates, got both; convert some"
        )
    try:
        points = [torch.from_numpy(np.array(frame, dtype=np.float64)) for frame in listed]
    except (TypeError, ValueError) as error:
        raise FileFormatError(
            f"expected numbers in the columns {first}, got {short(error)}; leave the other "
            "columns out"
        ) from error
    return TimeSeries(names[0], points, [clock for clock, _ in clocks], clocks[0][1])


def _clock_of(index: Any) -> tuple[Tensor, bool]:
    """Times of an index, and whether they are dates."""
    if getattr(index, "tz", None) is not None:
        index = index.tz_convert(None)
    values = index.to_numpy()
    is_date = values.dtype.kind == "M"
    try:
        if is_date:
            values = values - np.datetime64(0, "s")
        if values.dtype.kind == "m":
            values = values / np.timedelta64(1, "s")
        return torch.from_numpy(np.array(values, dtype=np.float64)), is_date
    except (TypeError, ValueError) as error:
        raise FileFormatError(
            f"expected numbers, dates or durations as the index of a frame, got {short(error)}; "
            "make the times its index by set_index"
        ) from error
