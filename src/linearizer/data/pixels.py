"""Image files of any size and kind as one tensor of bytes."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer._files import atomic_write
from linearizer.data.files import ImageFiles
from linearizer.data.images import as_bytes, resized
from linearizer.errors import (
    FileFormatError,
    LinearizerError,
    LinearizerWarning,
    RangeError,
    ShapeError,
)

if TYPE_CHECKING:
    from PIL.Image import Image

GRAY = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"}
NAMED = 3

T = TypeVar("T")
Crop = Callable[[int, int], int]
"""The side of the center square to keep, from width and height."""


class SkippedFilesWarning(LinearizerWarning):
    """Some image files could not be read and were left out."""


def read_pixels(
    files: ImageFiles, *, size: int | None = None, gray: bool | None = None, crop: Crop = min
) -> tuple[Tensor, list[int]]:
    """The center squares of all readable images, at one size.

    Images are turned upright (EXIF), laid on white where they are transparent, reduced to 8 bits
    a channel, cropped, and resized with an antialiasing bicubic filter. Files that cannot be
    read are skipped with one `SkippedFilesWarning`.

    Args:
        files: The files.
        size: Side of the result; the smallest center square's by default.
        gray: Whether the result has one channel; by default, if no image has colors.
        crop: Side of the center square to keep, from width and height.

    Returns:
        Pixels (N, 1 or 3, size, size) as uint8, and the number of the file of each image.

    Raises:
        FileFormatError: If no file can be read.
        RangeError: If the size is not positive.
        MissingExtraError: If Pillow is not installed.
    """
    with needs_extra("pillow"):
        import PIL.Image  # noqa: F401, PLC0415
    if size is not None and size < 1:
        raise RangeError(f"expected a size of one pixel or more, got {size}")
    reasons: dict[int, str] = {}
    kept = list(range(len(files.names)))
    if size is None or gray is None:
        headers = _map_readable(lambda i: _header(files.read(i), crop), kept, reasons)
        kept = list(headers)
        size = min((side for side, _ in headers.values()), default=1) if size is None else size
        gray = all(gray for _, gray in headers.values()) if gray is None else gray

    side, mode = size, "L" if gray else "RGB"
    pixels = torch.empty(len(kept), 1 if gray else 3, side, side, dtype=torch.uint8)
    rows = iter(pixels)

    def fill(i: int) -> None:
        square = _square(files.read(i), side, mode, crop)
        next(rows).copy_(torch.from_numpy(square.reshape(side, side, -1)).permute(2, 0, 1))

    kept = list(_map_readable(fill, kept, reasons))
    _report(reasons, files)
    return pixels[: len(kept)], kept


def read_image(path: Path, *, gray: bool = False, max_pixels: int | None = None) -> Tensor:
    """One image file (1 or 3, H, W) in [-1, 1], upright, laid on white where it is transparent.

    Raises:
        FileFormatError: If there is no such file, or it is no image.
        RangeError: If it has more than `max_pixels`.
        MissingExtraError: If Pillow is not installed.
    """
    if not path.is_file():
        raise FileFormatError(f"expected an image file, got no file {path}; check the path")
    return decode_image(path.read_bytes(), str(path), gray=gray, max_pixels=max_pixels)


def read_images(paths: Sequence[Path], shape: tuple[int, ...], *, resize: bool) -> Tensor:
    """Image files as (N, C, H, W) in [-1, 1].

    Args:
        paths: The files.
        shape: (C, H, W) that they are to have.
        resize: Resize images of another size, instead of refusing them.

    Raises:
        FileFormatError: If a file is missing or no image.
        ShapeError: If its size is another and `resize` is false.
    """
    channels, height, width = shape
    images = []
    for path in paths:
        image = read_image(path, gray=channels == 1)
        if image.shape[1:] != (height, width):
            if not resize:
                raise ShapeError(
                    f"expected {width}×{height} pixels, got {image.shape[2]}×{image.shape[1]} in "
                    f"{path}; pass --resize, or crop it yourself"
                )
            image = resized(image, (height, width))
        images.append(image)
    return torch.stack(images)


def decode_image(
    content: bytes,
    where: str,
    *,
    gray: bool = False,
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> Tensor:
    """One image (1 or 3, H, W) in [-1, 1], upright, laid on white where it is transparent.

    Args:
        content: The bytes of a file.
        where: What it is, for messages.
        gray: Whether the result has one channel.
        max_pixels: Refuse an image of more, by its header, before it takes up memory.
        max_side: Reduce it until no side is longer. A JPEG is decoded at no more than it takes for
            that, so that a large photograph takes up little memory.

    Raises:
        FileFormatError: If it is no image.
        RangeError: If it has too many pixels.
        MissingExtraError: If Pillow is not installed.
    """
    with needs_extra("pillow"):
        from PIL import Image, ImageOps  # noqa: PLC0415
    with decoding(where, max_pixels):
        with _open(content) as image:
            if max_pixels is not None and image.width * image.height > max_pixels:
                raise _too_large(where, f"{image.width}×{image.height} pixels", max_pixels)
            if max_side is not None:
                image.draft(None, (max_side, max_side))  # of no effect but on JPEG
            ImageOps.exif_transpose(image, in_place=True)
            flat = opaque(image, "L" if gray else "RGB")
        if max_side is not None:
            flat.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
        pixels = np.array(flat)
    channels = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).movedim(-1, 0)
    return channels.float().div_(127.5).sub_(1)


def opaque(image: "Image", mode: str) -> "Image":
    """An image without transparency, laid on white, in the mode of 8 bits L or RGB."""
    from PIL import Image  # noqa: PLC0415

    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8 and not scale
        eight_bits = np.clip(np.asarray(image), 0, 65535) // 257
        return Image.fromarray(eight_bits.astype(np.uint8)).convert(mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert(mode)


@contextmanager
def decoding(where: str, max_pixels: int | None = None) -> Iterator[None]:
    """What Pillow raises inside as an error of ours, which names `where` it was.

    Raises:
        FileFormatError: If it is no image.
        RangeError: If it has far too many pixels.
    """
    from PIL import Image  # noqa: PLC0415

    try:
        yield
    except (MemoryError, LinearizerError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(where, "many more", max_pixels or Image.MAX_IMAGE_PIXELS) from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ...
        raise FileFormatError(
            f"expected an image in {where}, got something unreadable ({error}); save it as PNG or "
            "JPEG"
        ) from error


def as_picture(image: Tensor) -> "Image":
    """An image (1 or 3, H, W) in [-1, 1] as one of Pillow's, clamped and rounded to 8 bits.

    Raises:
        MissingExtraError: If Pillow is not installed.
    """
    with needs_extra("pillow"):
        from PIL import Image  # noqa: PLC0415
    pixels = as_bytes(image).movedim(0, -1).contiguous().numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def write_picture(path: Path, image: Tensor) -> None:
    """Write an image (1 or 3, H, W) in [-1, 1] as a picture, completely or not at all.

    Raises:
        NotWrittenError: If the disk is full or the folder cannot be written to.
        MissingExtraError: If Pillow is not installed.
    """
    with atomic_write(path) as part:
        as_picture(image).save(part)


def _too_large(where: str, size: str, limit: int | None) -> RangeError:
    return RangeError(
        f"expected at most {(limit or 0) / 1e6:g} megapixels in {where}, got {size}; reduce it"
    )


def _map_readable(f: Callable[[int], T], items: list[int], reasons: dict[int, str]) -> dict[int, T]:
    """The results of f where it has one; `reasons` takes up why it has none elsewhere."""
    results = {}
    for i in items:
        try:
            results[i] = f(i)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ...
            reasons[i] = str(error) or type(error).__name__
    return results


def _report(reasons: dict[int, str], files: ImageFiles) -> None:
    if not reasons:
        return
    first = min(reasons)
    if len(reasons) == len(files.names):
        raise FileFormatError(
            f"expected images in {files.where}, got {len(reasons)} files of which none can be "
            f"read ({files.names[first]}: {reasons[first]}); copy or download them again"
        )
    named = ", ".join(files.names[i] for i in sorted(reasons)[:NAMED])
    more = f" and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    warnings.warn(
        f"skipped {len(reasons)} of {len(files.names)} images in {files.where} that cannot be "
        f"read: {named}{more}",
        SkippedFilesWarning,
        stacklevel=3,
    )


def _open(content: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:  # its message names an object in memory
        raise ValueError("in no known image format") from error


def _header(content: bytes, crop: Crop) -> tuple[int, bool]:
    with _open(content) as image:
        return crop(*image.size), image.mode in GRAY


def _square(content: bytes, size: int, mode: str, crop: Crop) -> npt.NDArray[Any]:
    from PIL import Image, ImageOps  # noqa: PLC0415

    with _open(content) as image:
        ImageOps.exif_transpose(image, in_place=True)
        side = crop(*image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = opaque(image.crop((left, top, left + side, top + side)), mode)
        if side != size:
            square = square.resize((size, size), Image.Resampling.BICUBIC)
        return np.array(square)
