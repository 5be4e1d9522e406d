"""Between the browser and tensors: uploads, drawings, and boards of small pictures."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from linearizer.data.images import resized
from linearizer.data.pixels import as_picture, decode_image
from linearizer.errors import RangeError

MAX_DRAWN, MAX_PIXELS = 20_000_000, 89_000_000
"""Of a drawing, and of an upload: larger than most photographs are, and what Pillow decodes without
suspicion of a trap."""

INK_SIDES = {28: 20}  # MNIST centers digits of 20 pixels by their mass in images of 28
CANVAS = 280
FAINTEST = 0.2
BLACK = -1.0


def photo_from(upload: str | None, *, grey: bool, max_side: int) -> Tensor:
    """An uploaded file as an image (1 or 3, H, W) in [-1, 1], reduced to sides of `max_side`.

    Raises:
        RangeError: If there is none, or it has more than `MAX_PIXELS`.
        FileFormatError: If it is no image.
    """
    if upload is None:
        raise RangeError("expected an image, got nothing; upload one first")
    content = Path(upload).read_bytes()
    return decode_image(content, "the upload", gray=grey, max_pixels=MAX_PIXELS, max_side=max_side)


def digit_from(image: Tensor, side: int) -> Tensor:
    """A grey image (1, H, W) as a digit (1, side, side): light ink on black, nothing cut off.

    An image with a light border is dark ink on paper, and is inverted.
    """
    border = torch.cat([image[0, 0], image[0, -1], image[0, :, 0], image[0, :, -1]])
    image = -image if border.mean() > 0 else image
    longest = max(image.shape[1:])
    height, width = (max(1, round(side * n / longest)) for n in image.shape[1:])
    top, left = (side - height) // 2, (side - width) // 2
    around = (left, side - width - left, top, side - height - top)
    return pad(resized(image, (height, width)), around, value=BLACK)


def drawing_from(canvas: str, side: int, *, centered: bool) -> Tensor:
    """A canvas with dark ink on white or on nothing, as a digit (1, side, side) in [-1, 1].

    Args:
        canvas: A PNG file as a `data:` address, as the browser sends it; empty for no ink.
        side: Pixels on a side of the digit.
        centered: Crop the ink, and center it as the digits of MNIST are; digits of another size
            fill their image.

    Raises:
        RangeError: If there is no ink on it.
        FileFormatError: If it is no image.
    """
    ink = _ink(canvas) if canvas else None
    if ink is None:
        raise RangeError("expected a digit, got an empty canvas; draw one, or pick one below it")
    digit = _centered(ink, side) if centered else ink.resize((side, side), Image.Resampling.BOX)
    return torch.from_numpy(np.array(digit, dtype=np.float32))[None] / 127.5 - 1


def as_data(image: Tensor) -> str:
    """An image (1 or 3, H, W) in [-1, 1] as an address that holds all of it, a PNG file."""
    file = io.BytesIO()
    as_picture(image).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def board(
    rows: Sequence[Tensor], row_labels: Sequence[str], column_labels: Sequence[str] = ()
) -> str:
    """Rows of small images (k, 1, H, W) as a table in HTML; the browser enlarges the pixels.

    Example:
        >>> import torch
        >>> from linearizer.app.pictures import board
        >>> board([torch.zeros(2, 1, 8, 8)], ["grey"]).count("<img")
        2
    """
    head = "".join(f"<th>{escape(label)}</th>" for label in column_labels)
    lines = [f"<tr><td></td>{head}</tr>"] if column_labels else []
    for label, row in zip(row_labels, rows, strict=True):
        cells = "".join(f"<td>{_tag(x, f'{label}, {i}')}</td>" for i, x in enumerate(row, 1))
        lines.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    columns = max(map(len, rows), default=1)  # by which pictures are small on a telephone
    return f'<div class="board" style="--columns: {columns}"><table>{"".join(lines)}</table></div>'


def _tag(image: Tensor, name: str) -> str:
    return f'<img alt="{escape(name)}" src="{as_data(image)}">'


def _ink(canvas: str) -> Image.Image | None:
    """Light ink on black, if there is any."""
    try:
        content = base64.b64decode(canvas.partition(",")[2].encode())
    except ValueError:
        content = b""  # a crafted request: no image, as is told below
    paper = decode_image(content, "the drawing", gray=True, max_pixels=MAX_DRAWN, max_side=CANVAS)
    ink = as_picture(-paper)
    return ink if bool((paper < 1 - 2 * FAINTEST).any()) else None


def _centered(ink: Image.Image, side: int) -> Image.Image:
    digit = ink.crop(ink.getbbox())
    longest = INK_SIDES.get(side, side)
    digit = digit.resize(
        [max(1, round(longest * n / max(digit.size))) for n in digit.size],
        Image.Resampling.LANCZOS,
    )
    mass = np.asarray(digit, dtype=np.float64)
    middle = [
        float((mass.sum(1 - axis) * np.arange(n)).sum() / mass.sum())
        for axis, n in enumerate(mass.shape)
    ]
    top, left = (
        min(max(round((side - 1) / 2 - at), 0), side - n)
        for at, n in zip(middle, mass.shape, strict=True)
    )
    framed = Image.new("L", (side, side))
    framed.paste(digit, (left, top))
    return framed
