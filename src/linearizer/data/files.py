"""The image files in a folder or a zip, by name."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linearizer.errors import FileFormatError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


@dataclass(frozen=True)
class ImageFiles:
    """Image files, wherever they lie.

    Attributes:
        where: The place, for messages.
        names: Their names, which say nothing about what is in them.
        read: The content of file number i.
    """

    where: str
    names: Sequence[str]
    read: Callable[[int], bytes]


@contextmanager
def open_files(path: Path) -> Iterator[ImageFiles]:
    """The image files in a folder or a zip and all folders below, sorted by path; hidden ones not.

    Raises:
        FileFormatError: If there is no such place, no image in it, or the zip is damaged.
    """
    if path.is_dir():
        inside = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        names = _images(inside, path)
        yield ImageFiles(str(path), names, lambda i: (path / names[i]).read_bytes())
    elif path.is_file():
        with _open_zip(path) as archive:
            names = _images(archive.namelist(), path)
            yield ImageFiles(str(path), names, lambda i: archive.read(names[i]))
    else:
        raise FileFormatError(
            f"expected a folder or a .zip of images, got {path}, which does not exist; "
            "check the path"
        )


def _images(names: Iterator[str] | list[str], path: Path) -> list[str]:
    found = sorted(name for name in names if _is_image(PurePosixPath(name)))
    if not found:
        raise FileFormatError(
            f"expected images ({', '.join(sorted(SUFFIXES))}) in {path}, got none; "
            "name the folder that they lie in or above"
        )
    return found


def _is_image(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise FileFormatError(
            f"expected a folder or a .zip of images, got {path}, which is damaged or in another "
            f"format ({error}); download or pack it again"
        ) from error
