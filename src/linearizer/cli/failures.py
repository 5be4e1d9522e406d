"""What went wrong, in one line: an expected error, a lack of memory or disk, or a bug of ours."""

import os
from collections.abc import Sequence
from traceback import print_exception

from linearizer.display.console import complain
from linearizer.errors import LinearizerError

TRACEBACK = "LINEARIZER_TRACEBACK"
FAILED, BUG, STOPPED = 1, 70, 130
"""The exit statuses; 2 is that of options which cannot be read."""

NO_MEMORY: Sequence[str] = ("can't allocate memory", "not enough memory", "out of memory")
"""Of the errors that torch raises, which have no class of their own."""


def report(error: BaseException) -> int:
    """Print what went wrong in one line, after the traceback if that is wanted; the status."""
    if os.environ.get(TRACEBACK):
        print_exception(error)
    message, status = _explained(error)
    complain("", message, "red")
    return status


def _explained(error: BaseException) -> tuple[str, int]:
    match error:
        case LinearizerError():
            return str(error), FAILED
        case KeyboardInterrupt():
            return "stopped; the same command goes on where it stopped", STOPPED
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return (
                f"could not read or write: {error.strerror or error}{where}; check the path, that "
                "the folder can be written to and has space, or choose another --out",
                FAILED,
            )
        case MemoryError():
            return _no_memory(), FAILED
        case RuntimeError() if any(words in str(error).lower() for words in NO_MEMORY):
            return _no_memory(), FAILED
        case _:
            return (
                f"stopped at a bug of linearizer, {type(error).__name__}: {error}; please report "
                f"it with the traceback, which the same command shows with {TRACEBACK}=1 set",
                BUG,
            )


def _no_memory() -> str:
    return "expected enough memory, got too little; ask for fewer, smaller or shorter"
