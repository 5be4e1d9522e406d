"""What the training of a model wrote of itself, beside the weights."""

from pathlib import Path
from typing import Any

from linearizer._files import read_json, short
from linearizer.errors import FileFormatError
from linearizer.saving import current

NOTE = "run.json"


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
