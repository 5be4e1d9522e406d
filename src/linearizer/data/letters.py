"""Letters drawn by a font: images that look like digits and are none."""

import math
import string

import torch
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer.data.images import Images

LETTERS = "".join(c for c in string.ascii_uppercase if c not in "IOSZ")  # these four are digits


def load_letters(count: int, size: int = 28, seed: int = 0) -> Images:
    """Capital letters (count, 1, size, size), white on black, turned and sized at random.

    Without I, O, S and Z, which are hard to tell from digits. The font is the one that Pillow
    carries, so no file is needed.

    Example:
        >>> from linearizer.data import load_letters
        >>> letters = load_letters(10)
        >>> letters.images.shape, letters.quantization_levels
        (torch.Size([10, 1, 28, 28]), 256)
    """
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(LETTERS), (count,), generator=random)
    turns, scales = torch.rand(2, count, generator=random)
    drawn = [
        _draw(LETTERS[label], size, 40 * float(turn) - 20, 0.7 + 0.25 * float(scale))
        for label, turn, scale in zip(labels.tolist(), turns, scales, strict=True)
    ]
    return Images.from_bytes(torch.stack(drawn)[:, None], labels)


def _draw(letter: str, size: int, degrees: float, scale: float) -> Tensor:
    """One letter at four times the size, turned and made smaller: smooth edges."""
    with needs_extra("pillow"):
        from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415
    large = Image.new("L", (4 * size, 4 * size))
    font = ImageFont.load_default(size=math.floor(4 * size * scale))
    middle = (2 * size, 2 * size)
    ImageDraw.Draw(large).text(
        middle, letter, fill=255, font=font, anchor="mm", stroke_width=size // 14
    )
    small = large.rotate(degrees, Image.Resampling.BICUBIC).resize(
        (size, size), Image.Resampling.BOX
    )
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).reshape(size, size)
