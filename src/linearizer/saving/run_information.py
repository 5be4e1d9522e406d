"""What the training of a model wrote of itself, beside the weights."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from linearizer._files import read_json, short
from linearizer.errors import FileFormatError
from linearizer.saving.folder import current
from linearizer.saving.saveable import check_kind, find_model, load_folder

NOTE = "run.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Opened(Generic[T]):
    """A model, and the folder that it was found in."""

    model: T
    folder: Path

    @cached_property
    def note(self) -> dict[str, Any]:
        """What its training wrote of itself, read when it is needed."""
        return read_note(self.folder)


def open_model(name: str, kind: type[T]) -> Opened[T]:
    """The model in a folder or of a name, which is resolved once.

    Raises:
        FileFormatError: If there is none, or it is not a `kind`.
    """
    folder = find_model(name)
    return Opened(check_kind(load_folder(folder), kind, name), folder)


def read_note(run: Path) -> dict[str, Any]:
    """What the training of a model wrote of itself; nothing for a model from elsewhere.

    Raises:
        FileFormatError: If the note is damaged.
    """
    path = current(run / NOTE)
    note: Any = read_json(path) if path.exists() else {}
    if not isinstance(note, dict):
        raise FileFormatError(
            f"expected what a training says of itself in {path}, got {short(note)}; the file is "
            "damaged: delete it, and name the data with --data"
        )
    return note
