"""Films: frames and their times survive every format, and are never all in memory."""

import tracemalloc

import numpy as np
import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer

pytest.importorskip("PIL")
from PIL import Image, ImageSequence

from linearizer.data.films import Film, Frame, open_film, write_film
from linearizer.data.pixels import as_picture
from linearizer.errors import FileFormatError, RangeError

TIMES = [70.0, 120.0, 70.0, 200.0]
LOSSLESS = {".png", ".apng"}


def pictures(count=4, size=(24, 36)):
    """A bright square that moves over a ramp."""
    ramp = np.linspace(0, 160, size[1])[None, :, None].repeat(size[0], 0).repeat(3, 2)
    for i in range(count):
        pixels = ramp.copy()
        pixels[4:12, 3 * i : 3 * i + 8] = (255, 200, 40)
        yield Image.fromarray(pixels.astype(np.uint8))


def written(path, loop=0, sound_of=None):
    frames = (Frame(*both) for both in zip(pictures(), TIMES, strict=True))
    write_film(path, frames, Film(sound_of or path.with_suffix(".gif"), (24, 36), len(TIMES), loop))
    return path


@pytest.mark.parametrize("loop", [0, 1, 3])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_an_animation_is_what_was_written(suffix, loop, tmp_path):
    film = open_film(written(tmp_path / f"film{suffix}", loop))
    assert (film.size, film.count, film.loop) == ((24, 36), 4, loop)
    frames = list(film.frames())
    assert [frame.milliseconds for frame in frames] == TIMES
    for frame, picture in zip(frames, pictures(), strict=True):
        apart = np.abs(np.asarray(frame.picture, float) - np.asarray(picture)).mean()
        assert apart < (1e-9 if suffix in LOSSLESS else 4)


def test_a_video_is_what_was_written(tmp_path):
    pytest.importorskip("av")
    film = open_film(written(tmp_path / "film.mp4"))
    assert (film.size, film.count) == ((24, 36), 4)
    frames = list(film.frames())
    assert [round(frame.milliseconds) for frame in frames[:-1]] == TIMES[:-1]
    for frame, picture in zip(frames, pictures(), strict=True):
        assert np.abs(np.asarray(frame.picture, float) - np.asarray(picture)).mean() < 8


def test_the_sound_of_a_video_is_kept(tmp_path):
    av = pytest.importorskip("av")
    loud = tmp_path / "loud.mp4"
    wave = np.sin(np.arange(44100) / 16).astype(np.float32)[None]
    with av.open(str(loud), "w") as out:
        seen = out.add_stream("libx264", rate=4)
        seen.width, seen.height, seen.pix_fmt = 36, 24, "yuv420p"
        heard = out.add_stream("aac", rate=44100)
        for picture in pictures():
            out.mux(seen.encode(av.VideoFrame.from_image(picture)))
        for start in range(0, wave.shape[1], 1024):
            some = av.AudioFrame.from_ndarray(
                wave[:, start : start + 1024], format="fltp", layout="mono"
            )
            some.rate, some.pts = 44100, start
            out.mux(heard.encode(some))
        out.mux([*seen.encode(), *heard.encode()])
    copy = written(tmp_path / "copy.mp4", sound_of=loud)
    with av.open(str(loud)) as a, av.open(str(copy)) as b:
        sounds = [[bytes(p) for p in c.demux(c.streams.audio[0]) if p.size] for c in (a, b)]
    assert sounds[0] == sounds[1]
    assert len(sounds[0]) > 40
    silent = written(tmp_path / "silent.mp4", sound_of=written(tmp_path / "film.gif"))
    with av.open(str(silent)) as c:
        assert not c.streams.audio


def test_a_gif_has_one_palette(tmp_path):
    """What does not move has the same color in every frame."""
    content = written(tmp_path / "film.gif").read_bytes()
    assert content[10] & 0x80, "a table for all frames"
    with Image.open(tmp_path / "film.gif") as film:
        corners = {
            frame.convert("RGB").getpixel((35, 23)) for frame in ImageSequence.Iterator(film)
        }
    assert len(corners) == 1
    descriptors = content.count(b"\x2c\x00\x00\x00\x00\x24\x00\x18\x00\x00")
    assert descriptors == len(TIMES), "no frame has a table of its own"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_frames_are_written_as_they_come(suffix, tmp_path):
    """At most two frames are alive while a hundred are written."""
    alive = []

    def frames():
        for picture in pictures(100, (60, 360)):
            alive.append(tracemalloc.get_traced_memory()[0])
            yield Frame(picture, 40.0)

    tracemalloc.start()
    try:
        path = tmp_path / f"film{suffix}"
        write_film(path, frames(), Film(path, (60, 360), 100, 0))
    finally:
        tracemalloc.stop()
    one = 60 * 360 * 3
    assert alive[-1] - alive[10] < 15 * one


def test_a_single_picture_is_no_film(tmp_path):
    for name in ("a.png", "a.gif", "a.webp", "a.bmp"):
        next(pictures()).save(tmp_path / name)
        assert open_film(tmp_path / name) is None
    with pytest.raises(FileFormatError, match="got no file"):
        open_film(tmp_path / "none.gif")
    (tmp_path / "text.gif").write_text("no film")
    with pytest.raises(FileFormatError, match="unreadable"):
        open_film(tmp_path / "text.gif")
    with pytest.raises(RangeError, match="name of a film"):
        written(tmp_path / "film.avi")


def test_a_file_that_is_no_video_is_refused(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(FileFormatError, match="expected a video"):
        open_film(tmp_path / "text.mp4")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model that makes negatives: one g, so that they are as smooth as the pictures."""
    g = lz.style_bijection((3, 16, 16), depth=1, width=4)
    dark = lz.SymmetricConvolution(-torch.eye(48)[..., None, None], (4, 4))
    folder = tmp_path_factory.mktemp("film") / "run"
    lz.StyleTransfer(g, g, {"negative": dark}).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("given", "asked"), [(".gif", ".gif"), (".webp", ".png"), (".gif", ".mp4")]
)
def test_a_film_is_stylized_frame_by_frame(run, given, asked, tmp_path):
    if asked == ".mp4":
        pytest.importorskip("av")
    path, out = written(tmp_path / f"film{given}"), tmp_path / f"out{asked}"
    arguments = ["style", "apply", run, path, "--mix", "negative", "--out", out]
    done = linearizer(*arguments)
    assert done.returncode == 0, done.stderr
    film = open_film(out)
    assert (film.size, film.count) == ((24, 36), 4)
    model = lz.StyleTransfer.from_pretrained(run)
    for frame, before in zip(film.frames(), open_film(path).frames(), strict=True):
        x = torch.from_numpy(np.array(before.picture)).movedim(-1, 0) / 127.5 - 1
        expected = np.asarray(as_picture(model.stylize(x, "negative")), float)
        assert np.abs(expected - np.asarray(before.picture)).mean() > 40
        off = np.abs(expected - np.asarray(frame.picture)).mean()
        assert off < (0.01 if asked == ".png" else 15)
    assert_one_clear_line(linearizer(*arguments), "exists", "--overwrite")


def test_a_film_among_pictures_and_a_wrong_name_are_refused(run, tmp_path):
    path, out = written(tmp_path / "film.gif"), tmp_path / "x"
    next(pictures()).save(tmp_path / "photo.png")
    both = ["style", "apply", run, path, tmp_path / "photo.png", "--mix", "negative"]
    done = linearizer(*both, "--out", out)
    assert_one_clear_line(done, "film.gif")
    assert "give it alone" in done.stderr
    assert (out / "photo.png").exists()
    wrong = ["style", "apply", run, path, "--mix", "negative", "--out", tmp_path / "x.avi"]
    assert_one_clear_line(linearizer(*wrong), "name of a film", ".gif")
