"""Pictures, folders of pictures and films in a style, with records beside them, and back."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from linearizer._files import atomic_write
from linearizer.applications import Record, Step, StyleTransfer
from linearizer.data.files import open_files
from linearizer.data.films import Film, Frame, check_is_film, open_film, write_film
from linearizer.data.pixels import SkippedFilesWarning, as_picture, read_image, write_picture
from linearizer.display.console import say
from linearizer.display.output import TENSORS, new_file, new_picture
from linearizer.display.progress import bar, track
from linearizer.errors import (
    FileFormatError,
    LinearizerError,
    LinearizerWarning,
    NotWrittenError,
    RangeError,
    SingularOperatorError,
)
from linearizer.evaluation.style_forecast import announce, undo_error

MAX_PIXELS = 40_000_000
LOSSLESS = ".png"
NAMED = 3
VISIBLE = 2.0
"""Gray levels of 255."""

Kept = Literal["none", "float32", "float64"]
"""In what numbers a record keeps a picture."""


def read_photo(path: Path, model: StyleTransfer) -> Tensor:
    """A picture (C, H, W) as the model takes it."""
    return read_image(path, gray=model.g_x.in_shape[0] == 1, max_pixels=MAX_PIXELS)


def record_of(picture: Path) -> Path:
    """Where the record of a picture lies: beside it, under its name."""
    return picture.with_suffix(TENSORS)


def new_outputs(out: Path, *, record: Kept, overwrite: bool) -> Kept:
    """Check the files of a picture and its record before the work; a JPEG has no record.

    Raises:
        FileExistsAlreadyError: If one exists and is not to be overwritten.
        RangeError: If the name is not that of a picture.
    """
    new_picture(out, overwrite=overwrite)
    if record == "none":
        return record
    if out.suffix.lower() != LOSSLESS:
        warnings.warn(
            f"expected a PNG picture to keep a record of, got {out}, which cannot be undone; "
            "choose another --out",
            LinearizerWarning,
            stacklevel=1,
        )
        return "none"
    new_file(record_of(out), overwrite=overwrite)
    return record


def new_film(out: Path, *, overwrite: bool) -> None:
    """Check the file of a film before the work.

    Raises:
        FileExistsAlreadyError: If it exists and is not to be overwritten.
        RangeError: If the name is not that of a film.
    """
    check_is_film(out)
    new_file(out, overwrite=overwrite)


def draw(
    model: StyleTransfer, steps: Sequence[Step], photo: Path, out: Path, *, record: Kept
) -> None:
    """Take steps on a picture, write what they make and its record, and say where."""
    content, exact = read_photo(photo, model), record == "float64"
    if record != "none":
        _warn_of_the_way_back(model, steps, content, exact=exact)

    def trial(piece: Tensor) -> Record:
        return Record.of(model, piece, steps, exact=exact)

    announce(trial, model, content.shape[1:], exact=exact, undoing=False)
    with bar("Stylizing") as progress:
        made = Record.of(model, content, steps, exact=exact, progress=progress)
    _write(made, out, record=record)
    say(str(out) if record == "none" else f"{out} and {record_of(out)}")


def draw_all(
    model: StyleTransfer,
    steps: Sequence[Step],
    photos: Mapping[Path, Path],
    *,
    record: Kept,
    overwrite: bool,
) -> None:
    """Take steps on many pictures, each read from a file and written to its own.

    What is there already is left as it is, so that the work goes on where it was stopped.

    Args:
        model: The styles.
        steps: What to do with each picture.
        photos: The pictures by the files to write.
        record: In what numbers to write records.
        overwrite: Whether to write what is there already again.

    Raises:
        FileFormatError: At the end, if some could not be read or stylized.
    """
    model.cond(steps)  # raises before the work if there are no such styles
    left = {out: photo for out, photo in photos.items() if overwrite or not out.exists()}
    failed = []
    for out, photo in track(left.items(), "Stylizing"):
        try:
            if open_film(photo) is not None:
                raise RangeError("expected a picture, got a film; give it alone")
            new_outputs(out, record=record, overwrite=overwrite)
            made = Record.of(model, read_photo(photo, model), steps, exact=record == "float64")
            _write(made, out, record=record)
        except NotWrittenError:
            raise
        except (LinearizerError, OSError) as error:
            failed.append(str(photo))
            warnings.warn(f"left out {photo}: {error}", SkippedFilesWarning, stacklevel=1)
    there = len(photos) - len(left)
    say(
        f"stylized {len(left) - len(failed)} of {len(photos)} pictures"
        + (f"; {there} were there already, which --overwrite draws again" if there else "")
    )
    if failed:
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise FileFormatError(
            f"expected pictures to stylize, got {len(failed)} of {len(photos)} that cannot be: "
            f"{', '.join(failed[:NAMED])}{more}; repair or remove them"
        )


def draw_film(model: StyleTransfer, steps: Sequence[Step], film: Film, out: Path) -> None:
    """Take steps on a film frame by frame, and say where the new one is."""
    gray = model.g_x.in_shape[0] == 1

    def stylized() -> Iterator[Frame]:
        for picture, milliseconds in track(film.frames(), "Stylizing", film.count or None):
            pixels = np.array(picture.convert("L" if gray else "RGB"))
            image = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).movedim(-1, 0)
            made = model.stylize(image.float().div_(127.5).sub_(1), steps)
            yield Frame(as_picture(made), milliseconds)

    with atomic_write(out) as part:
        write_film(part, stylized(), film)
    say(str(out))


def undone(model: StyleTransfer, photo: Path, steps: Sequence[Step] | None) -> Tensor:
    """The content (C, H, W) of a stylized picture, by the record beside it.

    Without a record the steps must be told, and the rounding of the picture is amplified.

    Raises:
        FileFormatError: If there is no record and no steps, or the picture is not that of the
            record, or the model is not.
        RangeError: If the steps are not those of the record.
        SingularOperatorError: If a step has no inverse.
    """
    picture, beside = read_photo(photo, model), record_of(photo)
    if beside.exists():
        record = _record_of_this(picture, beside, steps)
    elif steps is None:
        raise FileFormatError(
            f"expected a record beside {photo}, got no file {beside}; bring it there, or name the "
            "style with --mix, and expect noise"
        )
    else:
        warnings.warn(
            f"expected the record that style apply wrote beside {photo}, got the picture alone; "
            "its rounding to 8 bits is amplified, and what comes back may be noise",
            LinearizerWarning,
            stacklevel=1,
        )
        height, width = picture.shape[1:]
        record = Record(picture, (height, width), tuple(steps), model.fingerprint(), {})

    def trial(piece: Tensor) -> Tensor:
        height, width = piece.shape[1:]
        return replace(record, image=piece.to(record.image), size=(height, width)).undo(model)

    exact = record.image.dtype == torch.float64
    announce(trial, model, picture.shape[1:], exact=exact, undoing=True)
    with bar("Undoing") as progress:
        return record.undo(model, progress=progress)


def _record_of_this(picture: Tensor, beside: Path, steps: Sequence[Step] | None) -> Record:
    """The record in a file, if it is that of a picture, and of these steps if some are named."""
    record = Record.read(beside)
    if steps is not None and tuple(steps) != record.steps:
        raise RangeError(
            f"expected --mix as in the record {beside}, which says "
            f"{', then '.join(map(str, record.steps))}, got {', '.join(map(str, steps))}; "
            "leave it out"
        )
    if not record.is_of(picture):
        raise FileFormatError(
            f"expected the picture that {beside} is the record of, got one that was edited or is "
            "another; undo the picture as it was made, or move the record away and name the style "
            "with --mix"
        )
    return record


def outputs(pictures: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Pictures, and those in folders, by the files in a folder that they become.

    Raises:
        FileFormatError: If a folder has no pictures.
        RangeError: If two would become one file.
    """
    new_file(folder / f"x{LOSSLESS}", overwrite=True)
    photos: dict[Path, Path] = {}
    for path in pictures:
        inside = {path.name: path}
        if path.is_dir():
            with open_files(path) as files:
                inside = {name: path / name for name in files.names}
            made = folder.resolve()  # of an earlier call, if it lies in that folder
            inside = {n: p for n, p in inside.items() if made not in p.resolve().parents}
        for name, photo in inside.items():
            out = (folder / name).with_suffix(LOSSLESS)
            if out in photos:
                raise RangeError(
                    f"expected pictures of different names, got {photos[out]} and {photo}, which "
                    f"would both be {out}; rename one"
                )
            photos[out] = photo
    return photos


def _warn_of_the_way_back(
    model: StyleTransfer, steps: Sequence[Step], content: Tensor, *, exact: bool
) -> None:
    """Say now if undoing will give back something else."""
    try:
        off = undo_error(model, steps, content, exact=exact)
        if off <= VISIBLE:
            return
        why = (
            f"undoing this will be off by about {off:.0f} of 255 gray levels, as numbers are "
            "rounded; --record float64 keeps more digits"
        )
    except SingularOperatorError as error:
        why = f"this cannot be undone: {error}"
    warnings.warn(why, LinearizerWarning, stacklevel=1)


def _write(record_: Record, out: Path, *, record: Kept) -> None:
    """The record first, so that a picture that is there has one."""
    if record != "none":
        record_.write(record_of(out))
    write_picture(out, record_.picture)
