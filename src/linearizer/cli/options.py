"""Options with numbers: every one has a smallest and a largest, and refuses what is no number."""

import math
from typing import Any

import typer

LARGEST_SEED = 2**63 - 1  # half of torch's range: some seeds are followed by the next ones
MOST_DRAWN = 10_000
MOST_IN_A_ROW = 500
MOST_STEPS = 1_000_000_000


def whole(*names: str, min: int, max: int = 1_000_000, help: str) -> Any:
    """An option that takes a whole number from `min` to `max`."""
    return typer.Option(*names, min=min, max=max, help=help)


def real(*names: str, min: float, max: float = 1e6, help: str) -> Any:
    """An option that takes a finite number from `min` to `max`."""
    return typer.Option(*names, min=min, max=max, help=help, callback=_number)


def seed_option(help: str) -> Any:
    """An option that takes a seed."""
    return whole(min=0, max=LARGEST_SEED, help=help)


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # NaN is not below a minimum
        raise typer.BadParameter("expected a number, got NaN")
    return value
