"""Files: written completely or not at all, identified by their hash, and read with limits."""

import hashlib
import json
import os
import reprlib
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from linearizer.errors import FileFormatError, LinearizerError, NotWrittenError, RangeError

LARGEST_JSON = 2**25
"""Bytes; the longest config of a model seen so far has 14 thousand."""
WRITING = (OSError, SafetensorError)
"""What writing raises on a full disk, or where one may not write."""
ABANDONED = 3600
"""Seconds after which a file that is still unfinished belongs to a program that was killed."""

_UMASK = os.umask(0o077)
os.umask(_UMASK)
_MODE = 0o666 & ~_UMASK
"""The permissions of a new file."""

_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = 100  # the name of a class, say, is read to its end


def sha256(path: Path) -> str:
    """The hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_json(content: object) -> str:
    """The text of a JSON file.

    Raises:
        RangeError: If there is a number that JSON does not have.
    """
    try:
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise RangeError(
            "expected finite numbers to write, got NaN or infinity; give another number"
        ) from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        FileFormatError: If it is no JSON, is too long or nested too deeply, names a key twice, or
            holds a number that is not finite.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError(f"more than {LARGEST_JSON} bytes")
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(
            f"expected JSON in {path}, got something else ({short(error)}); the file is damaged: "
            "save or download the model again"
        ) from error


def parse_json(text: str) -> Any:
    """What a text of JSON holds.

    Raises:
        ValueError: If it is none, names a key twice, or holds a number that is not finite.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(
        text, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_twins
    )


def short(value: object) -> str:
    """What to show of something from a file, which may be of any length."""
    text = str(value) if isinstance(value, Exception) else _SHORTENED.repr(value)
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."


class atomic_write:  # noqa: N801  (used as a function)
    """A path to write to that takes the target's place only when all went well.

    Raises:
        NotWrittenError: If the disk is full or the folder cannot be written to; what was at the
            target is there still.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.part = target.with_name(f"{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")

    def __enter__(self) -> Path:
        """The path to write to."""
        for old in self.target.parent.glob(f"{self.target.stem}.*.part{self.target.suffix}"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > ABANDONED:
                    old.unlink()
        return self.part

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        """Put the file in its place, or drop it."""
        try:
            if error is None:
                self.part.chmod(_MODE)  # safetensors writes for the owner alone
                synchronize(self.part)
                self.part.replace(self.target)
                return
        except OSError as failure:
            error = failure
        with suppress(OSError):
            self.part.unlink(missing_ok=True)
        if isinstance(error, WRITING) and not isinstance(error, LinearizerError):
            raise not_written(self.target, error) from error


def write_text(target: Path, text: str) -> None:
    """Write a text completely or not at all."""
    with atomic_write(target) as path:
        path.write_text(text, encoding="utf-8")


def not_written(target: Path, error: Exception) -> NotWrittenError:
    """The error of a file that could not be written."""
    return NotWrittenError(
        f"expected to write {target}, got {short(error)}; what was there is there still: free "
        "some space, or choose a folder that you may write to"
    )


def synchronize(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    except OSError:
        if is_folder:  # Windows opens no folders
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(f"{short(text)}, which is no number of JSON")
    return number


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key twice")
    return content
