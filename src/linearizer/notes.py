"""What the training of a model wrote of itself, beside the weights."""

import json
from pathlib import Path
from typing import Any

from linearizer.errors import FileFormatError

NOTE = "run.json"


def read_note(run: Path) -> dict[str, Any]:
    """What the training of a model wrote of itself; nothing for a model from elsewhere.

    Raises:
        FileFormatError: If the note is damaged.
    """
    path = run / NOTE
    if not path.exists():
        return {}
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(note, dict):
        raise _damaged(path, f"a {type(note).__name__}")
    return note


def _damaged(path: Path, what: str) -> FileFormatError:
    return FileFormatError(
        f"expected an object in JSON in {path}, got something else ({what}); the file is damaged: "
        "copy the model again, or delete it and name the data set with an option"
    )
