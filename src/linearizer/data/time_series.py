"""Trajectories from CSV files: a column of times, and columns of coordinates."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._files import short
from linearizer.errors import FileFormatError, RangeError

DELIMITERS = ",;\t"
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


class TimeSeries(NamedTuple):
    """What CSV files say of one system.

    Attributes:
        columns: Names of the d coordinates.
        points: (T_i, d) of each trajectory, float64; NaN where a cell is empty.
        times: (T_i,) of each, float64; dates are seconds since 1970, without a time zone in UTC.
        dates: Whether the times were dates.
    """

    columns: list[str]
    points: list[Tensor]
    times: list[Tensor]
    dates: bool


def read_time_series(
    files: Sequence[Path],
    time: str,
    *,
    trajectory: str | None = None,
    columns: Sequence[str] | None = None,
) -> TimeSeries:
    r"""The trajectories in CSV files with a line of names, separated by commas, semicolons or tabs.

    Args:
        files: One trajectory each, or several that a column tells apart.
        time: Name of the column of times: numbers, or dates in ISO 8601.
        trajectory: Name of a column that says which trajectory a row is of.
        columns: Names of the coordinates, which may be none; all other columns by default.

    Raises:
        FileFormatError: If a file is no such table, or a cell is no number.
        RangeError: If a column is missing, or files differ in their columns.
        OSError: If a file cannot be read.

    Example:
        >>> import tempfile, pathlib
        >>> from linearizer.data import read_time_series
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "run.csv"
        >>> _ = file.write_text("t,x,y\n0,1,2\n.5,3,\n")
        >>> read = read_time_series([file], "t")
        >>> read.columns, read.times
        (['x', 'y'], [tensor([0.0, 0.5], dtype=torch.float64)])
    """
    if not files:
        raise RangeError("expected a CSV file, got none; name one or more")
    points, times, dates = [], [], set()
    names = None if columns is None else list(columns)
    for file in files:
        header, rows = _table(file)
        besides = {time, trajectory}
        if names is None:
            names = [name for name in header if name not in besides]
        if columns is None and {*names} != {*header} - besides:
            raise RangeError(
                f"expected the coordinates {_listed(names)} in every file, got {_listed(header)} "
                f"in {file}; choose some by --columns"
            )
        places = [_place(file, header, name, "--columns") for name in names]
        clock = _place(file, header, time, "--time")
        if not places and columns is None:
            raise RangeError(f"expected a coordinate beside the times in {file}, got none; add one")
        groups: dict[str, list[tuple[int, list[str]]]] = {}
        which = None if trajectory is None else _place(file, header, trajectory, "--trajectory")
        for line, row in rows:
            groups.setdefault("" if which is None else row[which], []).append((line, row))
        for group in groups.values():
            cells = [[_number(row[i], file, line) for i in places] for line, row in group]
            points.append(torch.tensor(cells, dtype=torch.float64))
            read = [_time(row[clock], file, line) for line, row in group]
            times.append(torch.tensor([seconds for seconds, _ in read], dtype=torch.float64))
            dates |= {is_date for _, is_date in read}
    if len(dates) > 1:
        raise FileFormatError(
            f"expected times that are all numbers or all dates, got both in {_listed(files)}; "
            "write them in one way"
        )
    assert names is not None, "there is a file"
    return TimeSeries(names, points, times, dates.pop())


def as_date(seconds: float) -> str:
    """A time since 1970 as a date in UTC.

    Raises:
        RangeError: If there is no such date.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise RangeError(
            f"expected times of the years 1 to 9999, got {seconds:g} s after 1970; shorten them"
        ) from error


def _table(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names in the first line, and the rows with the numbers of their lines."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [c.strip() for c in row]) for row in reader if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(
            f"expected a table of text (CSV) in {file}, got something else ({short(error)}); "
            "export it as CSV in UTF-8"
        ) from error
    if len(lines) < 2:
        raise FileFormatError(
            f"expected a line of names and rows below it in {file}, got {len(lines)} lines; "
            "export the table with its names"
        )
    header = lines[0][1]
    if len({*header}) < len(header):
        raise FileFormatError(
            f"expected a name of its own for each column, got {_listed(header)} in {file}; "
            "rename those that repeat"
        )
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise FileFormatError(
                f"expected {len(header)} cells, as in the line of names, got {len(row)} in line "
                f"{line} of {file}; fill or remove that line"
            )
    return header, lines[1:]


def _place(file: Path, header: Sequence[str], name: str, option: str) -> int:
    if name not in header:
        raise RangeError(
            f"expected a column {name!r} in {file}, got {_listed(header)}; name one with {option}"
        )
    return header.index(name)


def _number(cell: str, file: Path, line: int) -> float:
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError as error:
        raise FileFormatError(
            f"expected a number, got {short(cell)} in line {line} of {file}; choose the columns "
            "that are coordinates by --columns"
        ) from error


def _time(cell: str, file: Path, line: int) -> tuple[float, bool]:
    """A time, and whether it was a date."""
    try:
        return float(cell), False
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(cell)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp(), True
    except ValueError as error:
        raise FileFormatError(
            f"expected a number or a date such as 2024-05-01T12:00, got {short(cell)} in line "
            f"{line} of {file}; name the column of times with --time"
        ) from error


def _listed(names: Sequence[object]) -> str:
    return short(", ".join(map(str, names)))
