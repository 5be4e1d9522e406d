"""Timing that compares fairly: all calls in turn, in one run."""

import statistics
import time
from collections.abc import Callable


def seconds(*calls: Callable[[], object], rounds: int) -> list[float]:
    """The median time of each call, all of them in turn after one round to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for record, call in zip(times, calls, strict=True):
            started = time.perf_counter()
            call()
            record.append(time.perf_counter() - started)
    return [statistics.median(record[1:]) for record in times]
