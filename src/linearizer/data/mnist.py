"""MNIST from its four idx files, compressed or not."""

import gzip
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linearizer.data.images import Images
from linearizer.errors import FileFormatError

FILES = {
    True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def load_mnist(folder: str | Path, *, train: bool = True) -> Images:
    """The 60,000 training or 10,000 test digits (1, 28, 28) in 256 gray levels.

    Args:
        folder: Where the idx files lie, as published, gzipped or not; Fashion-MNIST and
            KMNIST have the same ones.
        train: The training part, or else the test part.

    Raises:
        FileFormatError: If a file is missing, damaged, or the two do not belong together.
    """
    images, labels = (read_idx(_find(Path(folder), name)) for name in FILES[train])
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise FileFormatError(
            f"expected as many images as labels in {folder}, got {tuple(images.shape)} and "
            f"{tuple(labels.shape)}; the files are not of one data set"
        )
    return Images.from_bytes(images.unsqueeze(1), labels.long())


def read_idx(path: Path) -> Tensor:
    """An idx file of unsigned bytes as a tensor, whatever its number of axes.

    Raises:
        FileFormatError: If it is no such file, or shorter or longer than it says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise FileFormatError(
            f"expected an idx file in {path}, got something unreadable ({error}); download it again"
        ) from error
    if content[:3] != b"\x00\x00\x08":
        raise FileFormatError(f"expected an idx file of bytes in {path}, got another format")
    axes = content[3]
    shape = tuple(np.frombuffer(content, ">u4", count=axes, offset=4).tolist())
    body = content[4 + 4 * axes :]
    if len(body) != math.prod(shape):
        raise FileFormatError(
            f"expected {math.prod(shape)} bytes in {path}, got {len(body)}; "
            "the file is cut off: download it again"
        )
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileFormatError(
        f"expected {name} or {name}.gz in {folder}, got neither; "
        "download the four MNIST files there and name the folder with --data-dir"
    )
