"""The folder of a run: never one with other things unasked; an interrupted run is resumed."""

import shutil
from pathlib import Path
from typing import Any

from linearizer._files import as_json, read_json, write_text
from linearizer.data import Images, open_data
from linearizer.errors import FileExistsAlreadyError
from linearizer.saving import CONFIG_FILE, Saveable, current, save
from linearizer.saving.run_information import NOTE
from linearizer.verification import certify, load_quietly

CHECKPOINTS = "checkpoints"


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
