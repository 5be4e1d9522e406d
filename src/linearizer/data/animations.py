"""Animations written frame by frame, which Pillow's own writers keep all of in memory.

Pillow encodes each frame; here stands what the formats put around frames.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from linearizer._extras import needs_extra

if TYPE_CHECKING:
    from PIL.Image import Image

SAMPLE = 32
"""Side of what is kept of each frame to choose the colors of a GIF."""
QUALITY = 90
SIGNATURE = b"\x89PNG\r\n\x1a\n"

Frames = Iterable[tuple["Image", float]]


def write_gif(path: Path, frames: Frames, loop: int) -> None:
    """A GIF with one palette for all frames, taken evenly from all of them, and no dithering."""
    with needs_extra("pillow"):
        from PIL import GifImagePlugin, Image  # noqa: PLC0415

    with TemporaryDirectory() as folder, path.open("wb") as file:
        kept, samples = [], []
        for i, (picture, milliseconds) in enumerate(frames):
            waiting = Path(folder, f"{i}.png")
            picture.convert("RGB").save(waiting, compress_level=1)
            kept.append((waiting, milliseconds))
            small = picture.convert("RGB").resize((SAMPLE, SAMPLE), Image.Resampling.NEAREST)
            samples.append(np.asarray(small))
        palette = Image.fromarray(np.concatenate(samples)).quantize(256)
        for i, (waiting, milliseconds) in enumerate(kept):
            with Image.open(waiting) as picture:
                indexed = picture.quantize(palette=palette, dither=Image.Dither.NONE)
            if i == 0:
                repeats = {} if loop == 1 else {"loop": loop}
                info = {"duration": milliseconds, "optimize": False, **repeats}
                file.write(b"".join(GifImagePlugin.getheader(indexed, info=info)[0]))
            hundredths = max(1, round(milliseconds / 10))
            file.write(b"".join(GifImagePlugin.getdata(indexed, duration=10 * hundredths)))
        file.write(b";")


def write_apng(path: Path, frames: Frames, loop: int) -> None:
    """PNG files, one a frame, whose data follow each other under numbers (PNG, third edition)."""
    with needs_extra("pillow"):
        from PIL.PngImagePlugin import putchunk  # noqa: PLC0415

    with path.open("wb") as file:
        number, count, place = 0, 0, 0

        def control(count: int) -> None:
            putchunk(file, b"acTL", struct.pack(">II", count, loop))

        for picture, milliseconds in frames:
            chunks = list(_png_chunks(_encoded(picture, "PNG")))
            if count == 0:
                file.write(SIGNATURE)
                putchunk(file, b"IHDR", chunks[0][1])
                place = file.tell()
                control(0)
            time = struct.pack(">HHBB", min(round(milliseconds), 65535), 1000, 0, 0)
            area = struct.pack(">IIIII", number, picture.width, picture.height, 0, 0)
            putchunk(file, b"fcTL", area, time)
            number += 1
            for kind, data in chunks:
                if kind == b"IDAT" and count == 0:
                    putchunk(file, kind, data)
                elif kind == b"IDAT":
                    putchunk(file, b"fdAT", struct.pack(">I", number), data)
                    number += 1
            count += 1
        putchunk(file, b"IEND")
        file.seek(place)  # the number of frames is known now
        control(count)


def write_webp(path: Path, frames: Frames, loop: int) -> None:
    """WebP files, one a frame, in a container (developers.google.com/speed/webp)."""
    with path.open("wb") as file:
        file.write(b"RIFF----WEBP")
        for i, (picture, milliseconds) in enumerate(frames):
            sides = _int24(picture.width - 1) + _int24(picture.height - 1)
            if i == 0:
                is_animated = 0b10
                _riff_chunk(file, b"VP8X", struct.pack("<I", is_animated) + sides)
                _riff_chunk(file, b"ANIM", struct.pack("<IH", 0xFFFFFFFF, min(loop, 65535)))
            time = _int24(min(round(milliseconds), 2**24 - 1))
            data = _encoded(picture, "WEBP", quality=QUALITY)[12:]
            _riff_chunk(file, b"ANMF", bytes(6) + sides + time + b"\x02" + data)
        length = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", length))


def _encoded(picture: "Image", form: str, **options: int) -> bytes:
    content = io.BytesIO()
    picture.convert("RGB").save(content, format=form, **options)
    return content.getvalue()


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        yield kind, content[place + 8 : place + 8 + length]
        place += 12 + length


def _riff_chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2))


def _int24(number: int) -> bytes:
    return number.to_bytes(3, "little")
