"""A folder or zip of images, with classes if they lie in subfolders."""

import os.path
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from linearizer.data.files import open_files
from linearizer.data.images import Images
from linearizer.data.pixels import read_pixels


def load_image_folder(path: str | Path, *, size: int | None = None) -> Images:
    """All images of a folder or a zip and the folders below it, sorted by path.

    They are cropped to their center squares and resized to one size; they stay gray if none has
    colors. Files that cannot be read are skipped with one `SkippedFilesWarning`.

    Args:
        path: The folder or the zip.
        size: Side of the images; the smallest center square's by default.

    Returns:
        The images; the label is the number of the subfolder that an image lies in, or 0.

    Raises:
        FileFormatError: If there is no such place, no readable image in it, or the zip is damaged.
        MissingExtraError: If Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from linearizer.data import load_image_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (12, 8), "red").save(f"{folder}/red.png")
        ...     load_image_folder(folder).shape
        (3, 8, 8)
    """
    with open_files(Path(path)) as files:
        pixels, kept = read_pixels(files, size=size)
        return Images.from_bytes(pixels, class_labels([files.names[i] for i in kept]))


def class_labels(names: Sequence[str]) -> Tensor:
    """The number of the topmost folder in which files differ, in order of the folders' names.

    Example:
        >>> from linearizer.data.folder import class_labels
        >>> class_labels(["all/cat/1.png", "all/dog/a/2.png", "all/dog/b/3.png"]).tolist()
        [0, 1, 1]
    """
    folders = [PurePosixPath(name).parent for name in names]
    common = os.path.commonpath(folders) if folders else ""
    tops = ["".join(folder.relative_to(common).parts[:1]) for folder in folders]
    number = {top: i for i, top in enumerate(sorted(set(tops)))}
    return torch.tensor([number[top] for top in tops], dtype=torch.long)
