"""Progress, on stderr where that is a terminal; stdout is for results."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import rich.progress
from rich.console import Console
from rich.markup import escape

T = TypeVar("T")


def track(items: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """The items, under a bar that goes away with the last of them.

    Args:
        items: What is worked on.
        title: What is done.
        total: How many there are, where `len` does not know.
    """
    console = Console(stderr=True)
    return rich.progress.track(
        items,
        escape(title),
        total=total,
        transient=True,
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def bar(title: str) -> Iterator[Callable[[float], None]]:
    """A bar with an estimate of the time left; what it gives is called with the share done."""
    console = Console(stderr=True)
    with rich.progress.Progress(
        transient=True, console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(escape(title), total=1.0)
        yield lambda share: progress.update(task, completed=share)
