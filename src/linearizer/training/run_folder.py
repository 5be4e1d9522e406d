"""Where commands write: never over something unasked; an interrupted run is resumed."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from linearizer._files import as_json, read_json, write_text
from linearizer.data import Images, open_data
from linearizer.errors import FileExistsAlreadyError, RangeError
from linearizer.saving import CONFIG_FILE, Saveable, current, save
from linearizer.saving.run_information import NOTE
from linearizer.verification import certify, load_quietly

CHECKPOINTS = "checkpoints"
PICTURES = (".png", ".jpg", ".jpeg")


def open_run(folder: Path, settings: dict[str, Any], *, overwrite: bool) -> Path:
    """Prepare `folder` for a run with these settings, and return its checkpoint folder.

    A finished model stays in its place until that of the new run is there.

    Raises:
        FileExistsAlreadyError: If there is a finished run, an interrupted one with other
            settings, or something else in the folder, and `overwrite` is false.
    """
    checkpoints = folder / CHECKPOINTS
    note = checkpoints / "settings.json"
    if current(folder / CONFIG_FILE).exists() and not overwrite:
        raise FileExistsAlreadyError(
            f"expected a folder without a run, got {folder}, which has a finished one; "
            "choose another with --out, or replace it with --overwrite"
        )
    if note.exists() and read_json(note) != settings:
        if not overwrite:
            raise FileExistsAlreadyError(
                f"expected the settings of the interrupted run in {folder}, got others; "
                "repeat its options to resume it, or start anew with --overwrite"
            )
        shutil.rmtree(checkpoints)
    if folder.exists() and not checkpoints.exists() and any(folder.iterdir()) and not overwrite:
        raise FileExistsAlreadyError(
            f"expected an empty or new folder, got {folder} with other files in it; "
            "choose another with --out, or write among them with --overwrite"
        )
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_text(note, as_json(settings))
    return checkpoints


def finish_run(folder: Path, model: Saveable, note: dict[str, Any]) -> None:
    """Save the model of a finished run together with what the run says of itself, and close it."""
    save(model, folder, overwrite=True, notes={NOTE: as_json(note)})
    close_run(folder)


def close_run(folder: Path) -> None:
    """Certify the weights of a run that is finished, and drop its checkpoints."""
    certify(folder, load_quietly(folder))
    shutil.rmtree(folder / CHECKPOINTS)


def open_data_of(note: dict[str, Any], data: str, data_dir: Path | None) -> tuple[Images, Images]:
    """A data set split as in the training that wrote a note, found where that found it."""
    folder = data_dir or (Path(note["data_dir"]) if note.get("data_dir") else None)
    return open_data(data, folder, seed=note.get("seed", 0), size=note.get("size"))


def new_picture(path: Path, *, overwrite: bool) -> Path:
    """The path of a picture to write, before the work that makes it.

    Raises:
        RangeError: If its name is not that of a picture.
        FileExistsAlreadyError: As `new_file`.
    """
    if path.suffix.lower() not in PICTURES:
        raise RangeError(
            f"expected the name of a picture ({', '.join(PICTURES)}), got {str(path)!r}; "
            "choose another with --out"
        )
    return new_file(path, overwrite=overwrite)


def new_file(path: Path, *, overwrite: bool) -> Path:
    """The path of a file to write, before the work that makes it; its folder is made.

    Raises:
        FileExistsAlreadyError: If something lies there and `overwrite` is false.
        RangeError: If it is a folder, or lies in something that is none, or its name is no text.
        OSError: If its folder cannot be made or written to.
    """
    if not str(path).isprintable():  # ONNX and safetensors take no other names
        raise RangeError(f"expected a name of letters and signs, got {str(path)!r}; rename it")
    if path.is_dir():
        raise RangeError(f"expected a file, got the folder {path}; name one in it with --out")
    if path.exists() and not overwrite:
        raise FileExistsAlreadyError(
            f"expected a new file, got {path}, which exists; "
            "choose another with --out, or replace it with --overwrite"
        )
    if any(above.exists() and not above.is_dir() for above in path.parents):
        raise RangeError(
            f"expected a file in a folder, got {path}, which lies in a file; "
            "choose another with --out"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
    return path
