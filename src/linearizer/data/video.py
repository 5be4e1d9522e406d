"""Videos through PyAV, frame by frame."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linearizer._extras import needs_extra
from linearizer.errors import FileFormatError

if TYPE_CHECKING:
    from PIL.Image import Image

VIDEOS = {".mp4", ".m4v", ".mov"}
SOUNDS = {"aac", "mp3", "ac3", "eac3", "alac", "opus"}
"""Codecs that these containers hold."""
TICKS = 90_000
"""Units of time in a second, in which all usual frame rates are whole."""
QUALITY = "18"
"""Of x264, where a difference can hardly be seen."""


def describe(path: Path) -> tuple[int, int, int]:
    """Height, width and number of frames (0 if the file does not say).

    Raises:
        FileFormatError: If it is no video.
        MissingExtraError: If PyAV is not installed.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream))
        height, width = _upright(first)
        return height, width, stream.frames


def read_frames(path: Path) -> Iterator[tuple["Image", float]]:
    """Pictures and their milliseconds; each is read when the one before was taken."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        usual = 1 / (stream.average_rate or 25)
        last = None
        for frame in container.decode(stream):
            if last is not None:
                passed = frame.time - last.time if frame.time is not None else usual
                yield _picture(last), 1000 * float(passed)
            last = frame
        if last is not None:
            yield _picture(last), 1000 * float(usual)


def write(path: Path, frames: Iterable[tuple["Image", float]], *, sound_of: Path) -> None:
    """H.264, with the sound of another video if the container holds its codec.

    H.264 has even sides: an odd one loses a row or a column.

    Raises:
        OSError: If it cannot be written.
        MissingExtraError: If PyAV is not installed.
    """
    with needs_extra("av", "video"):
        import av  # noqa: PLC0415
    try:
        _write(path, frames, sound_of)
    except av.FFmpegError as error:
        raise OSError(str(error)) from error


def _write(path: Path, frames: Iterable[tuple["Image", float]], sound_of: Path) -> None:
    import av  # noqa: PLC0415

    with av.open(str(path), "w") as out, _sound(sound_of) as sound:
        stream = out.add_stream("libx264", rate=25, options={"crf": QUALITY})
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        track = None if sound is None else out.add_stream_from_template(sound.streams.audio[0])
        packets = iter(()) if sound is None else _packets(sound.streams.audio[0], track)
        passed = 0.0
        for i, (picture, milliseconds) in enumerate(frames):
            even = picture.crop((0, 0, picture.width // 2 * 2, picture.height // 2 * 2))
            if i == 0:
                stream.width, stream.height, stream.pix_fmt = *even.size, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.asarray(even.convert("RGB")), format="rgb24")
            frame.pts, frame.time_base = round(passed * TICKS / 1000), Fraction(1, TICKS)
            out.mux(stream.encode(frame))
            passed += milliseconds
            for packet in packets:  # one more than has been seen, so that players find it
                out.mux(packet)
                if 1000 * packet.dts * packet.time_base > passed:
                    break
        out.mux(stream.encode())
        for packet in packets:
            out.mux(packet)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with needs_extra("av", "video"):
        import av  # noqa: PLC0415
    if not path.is_file():
        raise FileFormatError(f"expected a video, got no file {path}; check the path")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise FileFormatError(f"expected a video, got no pictures in {path}")
            yield container
    except (av.FFmpegError, StopIteration) as error:
        raise FileFormatError(
            f"expected a video in {path}, got something unreadable ({error}); save it as MP4"
        ) from error


@contextmanager
def _sound(path: Path) -> Iterator[Any]:
    """The container of a video with sound that can be kept, or None."""
    if path.suffix.lower() not in VIDEOS:
        yield None
        return
    with _opened(path) as container:
        kept = [s for s in container.streams.audio if s.codec_context.name in SOUNDS]
        yield container if kept else None


def _packets(stream: Any, track: Any) -> Iterator[Any]:
    """The packets of a sound as they are, for another container."""
    for packet in stream.container.demux(stream):
        if packet.dts is not None:  # the last one is empty
            packet.stream = track
            yield packet


def _picture(frame: Any) -> "Image":
    """A frame, turned as its video says."""
    picture: Image = frame.to_image()
    turn = round(frame.rotation) % 360
    return picture.rotate(turn, expand=True) if turn else picture


def _upright(frame: Any) -> tuple[int, int]:
    turned = round(frame.rotation) % 180 == 90
    return (frame.width, frame.height) if turned else (frame.height, frame.width)
