"""Moving pictures (GIF, WebP, APNG, and videos), frame by frame and never all at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from linearizer._extras import needs_extra
from linearizer.data import animations, video
from linearizer.data.pixels import decoding, opaque
from linearizer.errors import FileFormatError, RangeError

if TYPE_CHECKING:
    from PIL.Image import Image

ANIMATIONS = {".gif", ".webp", ".png", ".apng"}
DEFAULT_MILLISECONDS = 100.0
"""Of frames that name no time; browsers show these so."""


class Frame(NamedTuple):
    """A picture of a film, and for how long it is seen."""

    picture: "Image"
    milliseconds: float


@dataclass(frozen=True)
class Film:
    """A moving picture in a file.

    Attributes:
        path: The file.
        size: (H, W) of its frames.
        count: The number of frames, as the file says; 0 if it does not.
        loop: How often an animation is shown; 0 is without end.
    """

    path: Path
    size: tuple[int, int]
    count: int
    loop: int

    def frames(self) -> Iterator[Frame]:
        """All frames in order, each read when it is asked for; transparency is laid on white.

        Raises:
            FileFormatError: If a frame cannot be read.
        """
        if self.path.suffix.lower() in video.VIDEOS:
            yield from (Frame(*both) for both in video.read_frames(self.path))
            return
        with _animation(self.path) as image:
            first = int(bool(getattr(image, "default_image", False)))  # seen by old viewers alone
            for i in range(first, image.n_frames):  # type: ignore[attr-defined]
                image.seek(i)
                image.load()
                milliseconds = image.info.get("duration") or DEFAULT_MILLISECONDS
                yield Frame(opaque(image, "RGB"), float(milliseconds))


def open_film(path: Path) -> Film | None:
    """The film in a file; None if it is a single picture.

    Raises:
        FileFormatError: If there is no such file, or it is damaged.
        MissingExtraError: If a package to read it is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from linearizer.data.films import open_film
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "film.gif")
        ...     black, white = (Image.new("RGB", (9, 6), color) for color in ("black", "white"))
        ...     black.save(path, save_all=True, append_images=[white], duration=70, loop=0)
        ...     film = open_film(path)
        ...     film.size, film.count, [frame.milliseconds for frame in film.frames()]
        ((6, 9), 2, [70.0, 70.0])
    """
    if not path.is_file():
        raise FileFormatError(f"expected a picture or a film, got no file {path}; check the path")
    suffix = path.suffix.lower()
    if suffix in video.VIDEOS:
        height, width, count = video.describe(path)
        return Film(path, (height, width), count, 0)
    if suffix not in ANIMATIONS:
        return None
    with _animation(path) as image:
        count = getattr(image, "n_frames", 1) - int(bool(getattr(image, "default_image", False)))
        if count < 2:
            return None
        loop = image.info.get("loop", 1 if image.format == "GIF" else 0)
        return Film(path, (image.height, image.width), count, int(loop))


def check_is_film(path: Path) -> None:
    """Raise unless a name is that of a film.

    Raises:
        RangeError: If not.
    """
    known = sorted(ANIMATIONS | video.VIDEOS)
    if path.suffix.lower() not in known:
        raise RangeError(
            f"expected the name of a film ({', '.join(known)}), got {str(path)!r}; choose another"
        )


def write_film(path: Path, frames: Iterable[Frame], like: Film) -> None:
    """Write frames as they come, in the format that the name asks for.

    A GIF has one palette for all frames, so that colors do not flicker; it is found after the
    last frame, from pictures that wait on the disk. A video keeps the sound of one.

    Args:
        path: The file to write: .gif, .webp, .png and .apng, or a video.
        frames: Of one size.
        like: The film that they were made of: how often it is shown, and its sound.

    Raises:
        RangeError: If the name is of no such format.
        MissingExtraError: If a package to write it is not installed.
    """
    check_is_film(path)
    suffix = path.suffix.lower()
    if suffix in video.VIDEOS:
        video.write(path, frames, sound_of=like.path)
    elif suffix == ".gif":
        animations.write_gif(path, frames, like.loop)
    elif suffix == ".webp":
        animations.write_webp(path, frames, like.loop)
    else:
        animations.write_apng(path, frames, like.loop)


@contextmanager
def _animation(path: Path) -> Iterator["Image"]:
    with needs_extra("pillow"):
        from PIL import Image  # noqa: PLC0415
    with decoding(str(path)), Image.open(path) as image:
        yield image
