"""Data sets from folders, zips and the formats of Hugging Face: real tiny files made here."""

import io
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from linearizer.data import (
    Images,
    SkippedFilesWarning,
    load_digits,
    load_faces,
    load_image_folder,
    open_data,
)
from linearizer.errors import FileFormatError, LinearizerError, MissingExtraError, RangeError

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data is not here")


def save(path, mode="RGB", size=(8, 8), color=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)


def levels(data: Images):
    """The values of each image, in bytes."""
    return [((x + 1) * 127.5).round().int().unique().tolist() for x in data.images]


def centre(data: Images, i: int):
    pixel = data.images[i, :, data.shape[1] // 2, data.shape[2] // 2]
    return ((pixel + 1) * 127.5).round().int().tolist()


@pytest.fixture
def quiet():
    """Fail on warnings of skipped files."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SkippedFilesWarning)
        yield


@pytest.fixture
def ten_grey(tmp_path):
    for i in range(10):
        save(tmp_path / "images" / f"{i:02}.png", "L", color=10 * i)
    return tmp_path / "images"


# --- folders and zips ---------------------------------------------------------------------------


@pytest.mark.usefixtures("quiet")
def test_a_folder_is_sorted_and_its_last_tenth_held_out(ten_grey):
    train, held_out = open_data(str(ten_grey))
    assert train.shape == held_out.shape == (1, 8, 8)
    assert levels(train) == [[10 * i] for i in range(9)]
    assert levels(held_out) == [[90]]
    assert train.images.dtype == torch.float32
    assert train.quantization_levels == 256
    assert not train.labels.any()


def test_a_folder_with_the_name_of_a_data_set_is_told_that_it_is_not_read(
    ten_grey, tmp_path, monkeypatch
):
    ten_grey.rename(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(SkippedFilesWarning, match=r"write \./digits"):
        assert open_data("digits")[0].shape == (1, 8, 8)
    assert len(open_data("./digits")[0]) == 9


def test_a_zip_gives_what_its_folder_gives(ten_grey, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for file in sorted(ten_grey.iterdir(), reverse=True):
            archive.write(file, f"top/{file.name}")
        archive.writestr("__MACOSX/top/._00.png", b"resource fork")
    zipped, plain = open_data(str(tmp_path / "images.zip")), open_data(str(ten_grey))
    for part, same in zip(zipped, plain, strict=True):
        assert torch.equal(part.images, same.images)
        assert torch.equal(part.labels, same.labels)


def test_each_class_folder_is_a_label_and_is_held_out_from(tmp_path):
    for i in range(20):
        save(tmp_path / "all" / "dog" / f"run{i % 2}" / f"{i:02}.png", "L", color=i)
        save(tmp_path / "all" / "cat" / f"{i:02}.jpg", "L", color=200)
    train, held_out = open_data(str(tmp_path))
    assert torch.bincount(train.labels).tolist() == [18, 18]
    assert held_out.labels.tolist() == [0, 0, 1, 1]
    assert levels(held_out) == [[200], [200], [17], [19]]


def test_one_image_a_folder_still_holds_some_out(tmp_path):
    for i in range(5):
        save(tmp_path / f"person{i}" / "face.png", "L", color=i)
    train, held_out = open_data(str(tmp_path))
    assert (len(train), len(held_out)) == (4, 1)


def test_suffixes_and_hidden_files(tmp_path):
    for name in ("a.PNG", "b.jpeg", "c.bmp", "d.webp", "e.jpg"):
        save(tmp_path / name)
    save(tmp_path / ".thumbnails" / "f.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert len(load_image_folder(tmp_path)) == 5


def test_kinds_of_pixels(tmp_path):
    save(tmp_path / "a_rgb.png", "RGB", color=(255, 0, 0))
    save(tmp_path / "b_clear.png", "RGBA", color=(0, 0, 0, 0))
    save(tmp_path / "c_grey_alpha.png", "LA", color=(100, 255))
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "d_palette.png")
    save(tmp_path / "e_grey.png", "L", color=100)
    Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)).save(tmp_path / "f_16_bits.png")
    save(tmp_path / "g_black_white.png", "1", color=1)
    data = load_image_folder(tmp_path)
    assert data.shape == (3, 8, 8)
    expected = [[255, 0, 0], [255] * 3, [100] * 3, [0, 255, 0], [100] * 3, [100] * 3, [255] * 3]
    assert [centre(data, i) for i in range(len(data))] == expected


def test_all_grey_stays_grey(tmp_path):
    save(tmp_path / "a.png", "L", color=100)
    save(tmp_path / "b.png", "LA", color=(100, 255))
    Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)).save(tmp_path / "c.png")
    save(tmp_path / "d.png", "1", color=0)
    data = load_image_folder(tmp_path)
    assert data.shape == (1, 8, 8)
    assert levels(data) == [[100], [100], [100], [0]]


def test_mixed_sizes_become_the_smallest_centre_square(tmp_path):
    wide = np.zeros((6, 20), np.uint8)
    wide[:, 7:13] = 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    tall = np.zeros((24, 12), np.uint8)
    tall[6:18] = 50
    Image.fromarray(tall).save(tmp_path / "b.png")
    data = load_image_folder(tmp_path)
    assert data.shape == (1, 6, 6)
    assert levels(data) == [[200], [50]]
    assert load_image_folder(tmp_path, size=10).shape == (1, 10, 10)


def test_resizing_does_not_alias(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 254
    Image.fromarray(stripes).save(tmp_path / "a.png")
    inner = load_image_folder(tmp_path, size=16).images[..., 2:-2]
    assert float(inner.abs().max()) < 0.05


def test_photographs_are_turned_upright(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    image = load_image_folder(tmp_path).images[0, 0]
    assert float(image[0, 0]) == -1
    assert float(image[-1, 0]) == 1


def test_broken_files_are_skipped_with_one_warning(ten_grey):
    noise = np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    (ten_grey / "03.png").write_bytes(buffer.getvalue()[:60])  # a good header, and no more
    (ten_grey / "05.png").write_bytes(b"")
    (ten_grey / "06.png").write_text("<html>404</html>")
    (ten_grey / "08.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.warns(SkippedFilesWarning) as caught:
        train, held_out = open_data(str(ten_grey))
    assert len(caught) == 1
    assert "skipped 4 of 10 images" in str(caught[0].message)
    assert "03.png, 05.png, 06.png and 1 more" in str(caught[0].message)
    assert levels(train) == [[0], [10], [20], [40], [70]]
    assert levels(held_out) == [[90]]


def test_a_damaged_member_of_a_zip_is_skipped(tmp_path, ten_grey):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(ten_grey.iterdir()):
            archive.write(file, file.name)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(SkippedFilesWarning, match=r"skipped 1 of 10 .*: 00\.png"):
        assert len(load_image_folder(path)) == 9


# --- what is refused ----------------------------------------------------------------------------


def test_no_readable_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(FileFormatError, match=r"none can be read \(a\.png: in no known"):
        load_image_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"expected images .* got none"):
        open_data(str(tmp_path))


def test_an_empty_zip_is_refused(tmp_path):
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    with pytest.raises(FileFormatError, match=r"expected images .* got none"):
        open_data(str(tmp_path / "a.zip"))


def test_a_damaged_zip_is_refused(tmp_path, ten_grey):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(ten_grey / "00.png")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileFormatError, match="damaged or in another format"):
        open_data(str(path))


def test_one_image_is_refused(tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(RangeError, match="expected two images or more"):
        open_data(str(tmp_path))


@pytest.mark.parametrize("name", ["celebs", "no/such/folder", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(FileFormatError, match="expected digits, mnist, faces64, hf:NAME"):
        open_data(name)


@pytest.mark.parametrize("name", ["mnist", "faces64"])
def test_a_missing_data_dir_is_refused(name, tmp_path):
    with pytest.raises(FileFormatError, match="--data-dir"):
        open_data(name)
    with pytest.raises(FileFormatError):
        open_data(name, tmp_path)
    with pytest.raises(FileFormatError):
        open_data(name, tmp_path / "nowhere")


def test_a_size_that_would_be_ignored_is_refused():
    with pytest.raises(RangeError, match="expected no size with digits"):
        open_data("digits", size=16)


def test_a_size_of_nothing_is_refused(ten_grey):
    with pytest.raises(RangeError, match="one pixel or more, got 0"):
        open_data(str(ten_grey), size=0)


@pytest.mark.parametrize(
    ("missing", "name"), [("PIL", "folder"), ("sklearn", "digits"), ("datasets", "hf:x")]
)
def test_a_missing_extra_says_what_to_install(missing, name, tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'linearizer\[data\]'"):
        open_data(str(tmp_path) if name == "folder" else name)


def test_the_import_is_light():
    code = "import sys, linearizer.data; print({'PIL', 'datasets', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- named data sets ----------------------------------------------------------------------------


def test_digits_are_split_as_in_the_demo():
    train, held_out = open_data("digits", seed=3)
    same_train, same_held_out = load_digits().split(297, 3)
    assert torch.equal(train.images, same_train.images)
    assert torch.equal(held_out.labels, same_held_out.labels)


@pytest.mark.parametrize(
    ("height", "width", "side"), [(109, 89, 74), (218, 178, 148), (30, 40, 30)]
)
def test_faces_are_cropped_to_the_centre(tmp_path, height, width, side):
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = (0, 128, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = load_faces(tmp_path)
    assert data.shape == (3, 64, 64)
    assert levels(data) == [[0, 128, 255]]
    pixels[top, left : left + side] = 255  # the crop begins right here
    pixels[top + side - 1, left : left + side] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    corners = load_faces(tmp_path).images[0, 0, [0, -1], 32]
    assert corners.min() > -0.5


def test_grey_faces_get_three_channels(tmp_path):
    save(tmp_path / "a.png", "L", (30, 40), 7)
    assert centre(load_faces(tmp_path), 0) == [7, 7, 7]


def test_few_faces_hold_out_a_tenth_and_the_archive_is_found(tmp_path):
    with zipfile.ZipFile(tmp_path / "celeba_10k_89x109.zip", "w") as archive:
        for i in range(11):
            buffer = io.BytesIO()
            Image.new("RGB", (89, 109), (i, i, i)).save(buffer, "PNG")
            archive.writestr(f"celeba/{i:06}.png", buffer.getvalue())
    for place in (tmp_path, tmp_path / "celeba_10k_89x109.zip"):
        train, held_out = open_data("faces64", place)
        assert len(train) == 9
        assert levels(held_out)[0][0] == 9


def test_the_last_thousand_are_held_out():
    data = Images(torch.zeros(12_000, 1, 1, 1), torch.arange(12_000) * 0, quantization_levels=256)
    train, held_out = data.split_last(at_most=1000)
    assert (len(train), len(held_out)) == (11_000, 1000)


@needs_shared
def test_real_faces():
    with zipfile.ZipFile(SHARED / "faces" / "celeba_10k_89x109.zip") as archive:
        last = Image.open(io.BytesIO(archive.read("celeba/010000.jpg")))
        face = last.crop((7, 17, 81, 91)).resize((64, 64), Image.Resampling.BICUBIC)
    train, held_out = open_data("faces64", SHARED / "faces")
    assert (len(train), len(held_out)) == (9000, 1000)
    assert train.shape == held_out.shape == (3, 64, 64)
    expected = torch.from_numpy(np.array(face)).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(held_out.images[-1], expected)


@needs_shared
def test_real_mnist():
    train, held_out = open_data("mnist", SHARED / "mnist")
    assert (len(train), len(held_out)) == (60_000, 10_000)
    assert train.shape == (1, 28, 28)
    assert torch.bincount(held_out.labels).tolist()[:3] == [980, 1135, 1032]


# --- Hugging Face -------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    return tmp_path / "cache"


def parquet(path, images, **columns):
    import datasets

    def encoded(image):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {"image": [encoded(image) for image in images], **columns}
    datasets.Dataset.from_dict(rows).to_parquet(path)


def greys(n, start=0):
    return [Image.new("L", (8, 8), start + i) for i in range(n)]


def test_a_parquet_file(tmp_path, offline):
    parquet(tmp_path / "a.parquet", greys(20), label=["b", "a"] * 10)
    train, held_out = open_data(f"hf:{tmp_path / 'a.parquet'}", offline)
    assert (len(train), len(held_out)) == (18, 2)
    assert held_out.labels.tolist() == [1, 0]
    assert levels(held_out) == [[18], [19]]
    assert train.shape == (1, 8, 8)


def test_parquet_parts_keep_their_test_split(tmp_path, offline):
    folder = tmp_path / "set"
    parquet(folder / "train-0.parquet", greys(6), labels=[5, 4, 3, 2, 1, 0])
    parquet(folder / "test-0.parquet", greys(3, start=100), labels=[0, 1, 2])
    train, held_out = open_data(f"hf:{folder}", offline)
    assert levels(train) == [[i] for i in range(6)]
    assert train.labels.tolist() == [5, 4, 3, 2, 1, 0]
    assert levels(held_out) == [[100], [101], [102]]
    assert held_out.labels.tolist() == [0, 1, 2]


def test_an_image_folder_with_splits_classes_and_a_broken_file(tmp_path, offline):
    for split, n in (("train", 4), ("test", 2)):
        for kind in ("cat", "dog"):
            for i in range(n):
                save(tmp_path / "set" / split / kind / f"{i}.png", "RGB", (10, 8), (i, 0, 0))
    (tmp_path / "set" / "test" / "dog" / "0.png").write_bytes(b"broken")
    with pytest.warns(SkippedFilesWarning, match="skipped 1 of 12"):
        train, held_out = open_data(f"hf:{tmp_path / 'set'}", offline, size=6)
    assert train.shape == (3, 6, 6)
    assert train.labels.tolist() == [0] * 4 + [1] * 4
    assert held_out.labels.tolist() == [0, 0, 1]


def test_an_image_column_of_another_name_is_found(tmp_path, offline):
    import datasets

    save(tmp_path / "image.png", "L", color=9)
    rows = datasets.Dataset.from_dict({"img": [str(tmp_path / "image.png")] * 2, "n": [0, 1]})
    rows.cast_column("img", datasets.Image()).to_parquet(tmp_path / "a.parquet")
    train, held_out = open_data(f"hf:{tmp_path / 'a.parquet'}", offline)
    assert levels(train) == levels(held_out) == [[9]]
    assert train.labels.tolist() == [0]


def test_a_set_without_images_is_refused(tmp_path, offline):
    import datasets

    datasets.Dataset.from_dict({"text": ["a", "b"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FileFormatError, match=r"expected a column named image .* got text"):
        open_data(f"hf:{tmp_path / 'a.parquet'}", offline)


def test_an_image_column_of_something_else_is_refused(tmp_path, offline):
    import datasets

    datasets.Dataset.from_dict({"image": [1.5, 2.5]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(FileFormatError):
        open_data(f"hf:{tmp_path / 'a.parquet'}", offline)


def test_a_set_that_cannot_be_had_is_refused(tmp_path, offline):
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    for name in ("nobody/no-such-set-of-images", str(tmp_path / "a.parquet"), "", "a b?"):
        with pytest.raises(LinearizerError, match="cannot be loaded"):
            open_data(f"hf:{name}", offline)
