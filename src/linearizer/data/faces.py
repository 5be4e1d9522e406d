"""Faces as generative models of CelebA see them: the center, at 64×64."""

from pathlib import Path

import torch

from linearizer.data.files import open_files
from linearizer.data.images import Images
from linearizer.data.pixels import read_pixels

ARCHIVE = "celeba_10k_89x109.zip"
WIDTH, HEIGHT, SIDE = 89, 109, 74  # aligned CelebA at half its size, and the face in it


def load_faces(path: str | Path, *, size: int = 64) -> Images:
    """Aligned faces in color, sorted by file name.

    Of 89×109 pixels the center 74×74 are kept (of 178×218 the usual 148×148), of images of another
    format the center square; then they are resized.

    Source: Liu, Luo, Wang, Tang, Deep Learning Face Attributes in the Wild, arXiv:1411.7766.

    Args:
        path: The zip `celeba_10k_89x109.zip`, a folder that holds it, or any folder or zip of
            images.
        size: Side of the images.

    Raises:
        FileFormatError: If there is no such place, no readable image in it, or the zip is damaged.
        MissingExtraError: If Pillow is not installed.
    """
    path = Path(path)
    if (path / ARCHIVE).is_file():
        path = path / ARCHIVE
    with open_files(path) as files:
        pixels, kept = read_pixels(files, size=size, gray=False, crop=face_side)
    return Images.from_bytes(pixels, torch.zeros(len(kept), dtype=torch.long))


def face_side(width: int, height: int) -> int:
    """The side of the center square that holds the face.

    Example:
        >>> from linearizer.data.faces import face_side
        >>> face_side(89, 109), face_side(178, 218), face_side(64, 80)
        (74, 148, 64)
    """
    is_celeba = width * HEIGHT == height * WIDTH
    return width * SIDE // WIDTH if is_celeba else min(width, height)
