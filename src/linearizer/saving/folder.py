"""Files of a folder that change together: all of them or none, whenever a program is killed.

New files are written into a folder of their own beside the old ones. Renaming it to `.saving` is
the one step that counts: from then on they are what is read, wherever they lie. Then they are
moved to their places one by one; who is killed there leaves the rest of it to the next that
writes, and reading needs to write nothing.
"""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from linearizer._files import WRITING, not_written, synchronize
from linearizer.errors import LinearizerError

COMMITTED = ".saving"
REMOVED = ".removed"
"""Ends the name of an empty file that says that one is to be removed."""
DEPTH = 3
"""Folders above a file in which its replacement can lie: parts are two below their model."""


@contextmanager
def replacing(folder: Path, parts: Iterable[str] = ()) -> Iterator[Path]:
    """A folder to write new files into, which at the end take their places in `folder` at once.

    Args:
        folder: Is made if it does not exist.
        parts: Folders in it that are models of their own, which nobody may read meanwhile.

    Raises:
        NotWrittenError: If the disk is full or the folder cannot be written to; what was there
            is there still.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as locks:
            for place in sorted({".", *parts}):
                locks.enter_context(locked(folder / place))
            _move(folder)
            for abandoned in folder.glob(f"{COMMITTED}-*"):
                shutil.rmtree(abandoned)
            stage = folder / f"{COMMITTED}-{secrets.token_hex(4)}"
            stage.mkdir()
            try:
                yield stage
                for path in (*stage.rglob("*"), stage):
                    synchronize(path)
                stage.rename(folder / COMMITTED)
            except BaseException:
                shutil.rmtree(stage, ignore_errors=True)
                raise
            synchronize(folder)
            with suppress(OSError):  # they are read where they are
                _move(folder)
    except WRITING as error:
        if isinstance(error, LinearizerError):
            raise
        raise not_written(folder, error) from error


def remove(stage: Path, name: str) -> None:
    """Have a file removed when those in a staging folder take their places."""
    mark = stage / (name + REMOVED)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def current(path: Path) -> Path:
    """Where a file is to be read: its own place, or that in a save that was interrupted."""
    for folder in path.parents[:DEPTH]:
        if (folder / COMMITTED).is_dir():
            new = folder / COMMITTED / path.relative_to(folder)
            if new.exists() or new.with_name(new.name + REMOVED).exists():
                return new
    return path


def files_in(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a folder that match a pattern: where each is to be read, by its name there."""
    names = {
        path.relative_to(root).as_posix()
        for root in (folder, folder / COMMITTED)
        for path in root.glob(pattern)
    }
    places = {name: current(folder / name) for name in sorted(names)}
    return {name: path for name, path in places.items() if path.is_file()}


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep others from writing to a folder, and from reading it too if not `shared`.

    The lock is on the folder itself, leaves no file, and ends with its process. Where there are
    none, on Windows and some network drives, only saving and loading at one time is unguarded.
    """
    descriptor = None
    with suppress(ImportError, OSError):
        import fcntl  # noqa: PLC0415  (not on Windows)

        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _move(folder: Path) -> None:
    """Put the files of a save that counts in their places, as far as that was not done before."""
    committed = folder / COMMITTED
    if not committed.is_dir():
        return
    for path in sorted(p for p in committed.rglob("*") if not p.is_dir()):
        place = folder / path.relative_to(committed)
        if path.name.endswith(REMOVED):
            place = place.with_name(place.name.removesuffix(REMOVED))
            place.unlink(missing_ok=True)
            with suppress(OSError):  # the folder holds more, or is the model's own
                place.parent.rmdir()
            path.unlink()
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    shutil.rmtree(committed)
