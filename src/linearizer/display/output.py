"""Where commands write what they make: never over something unasked, and said when it is done."""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from linearizer._files import as_json, write_text
from linearizer.display.console import say
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import Page, page_markdown, show_page
from linearizer.errors import FileExistsAlreadyError, RangeError

PICTURES = (".png", ".jpg", ".jpeg")
TENSORS = ".safetensors"
COLUMNS = 8


class Output:
    """A picture and its tensors, next to each other.

    Raises:
        FileExistsAlreadyError: If one of them exists and `overwrite` is false.
        RangeError: If the name is not that of a picture.
    """

    def __init__(self, picture: Path, *, overwrite: bool) -> None:
        self.picture = new_picture(picture, overwrite=overwrite)
        self.tensors = new_file(picture.with_suffix(TENSORS), overwrite=overwrite)

    def write(
        self,
        rows: Sequence[Tensor],
        tensors: dict[str, Tensor],
        row_labels: Sequence[str] = (),
        column_labels: Sequence[str] = (),
    ) -> None:
        """Write both and say where."""
        save_mosaic(self.picture, rows, row_labels=row_labels, column_labels=column_labels)
        save_file({k: t.contiguous() for k, t in tensors.items()}, self.tensors)
        say(f"{self.picture} and {self.tensors}")


def rows_of(images: Tensor) -> list[Tensor]:
    """Rows of up to eight images; the last is filled up with black."""
    columns = min(COLUMNS, len(images))
    return list(filled(images, len(images) + -len(images) % columns).split(columns))


def parts_of(images: Tensor, count: int) -> list[Tensor]:
    """So many rows of equal parts of the images; the shorter rows are filled up with black."""
    width = -(-len(images) // count)
    return [filled(part, width) for part in images.tensor_split(count)]


def filled(row: Tensor, count: int) -> Tensor:
    """Images and black ones after them, `count` in all."""
    return torch.cat([row, row.new_full((count - len(row), *row.shape[1:]), -1.0)])


def write_evaluation(path: Path, results: Mapping[str, Any], page: Page) -> None:
    """Write results as JSON and their page as Markdown beside it, print the page, say where."""
    write_text(path, as_json(results))
    write_text(path.with_suffix(".md"), page_markdown(page))
    show_page(page)
    say(f"{path} and {path.with_suffix('.md')}")


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
