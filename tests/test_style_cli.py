"""`linearizer train style`, `stylize` and `style ...`, from beginning to end."""

import json
import shutil

import numpy as np
import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer

pytest.importorskip("lightning")
from PIL import Image
from sklearn.datasets import load_sample_image

from linearizer.data import load_image_folder
from linearizer.evaluation.style import measure_styles
from linearizer.metrics import LPIPS
from linearizer.training.teachers import FastNeuralStyle, teach


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two teachers with random weights, and contents."""
    folder = tmp_path_factory.mktemp("style")
    for seed, name in enumerate(("wild", "calm")):
        torch.manual_seed(seed)
        torch.save(FastNeuralStyle().network.state_dict(), folder / f"{name}.pth")
    (folder / "contents").mkdir()
    torch.manual_seed(2)
    for i in range(80):
        coarse = torch.rand(1, 3, 4, 4)
        image = torch.nn.functional.interpolate(coarse, (32, 32), mode="bilinear")[0]
        pixels = (image * 255).byte().movedim(0, -1).numpy()
        Image.fromarray(pixels).save(folder / "contents" / f"{i:02d}.png")
    photo = torch.rand(3, 5, 6)
    large = torch.nn.functional.interpolate(photo[None], (45, 70), mode="bilinear")[0]
    Image.fromarray((large * 255).byte().movedim(0, -1).numpy()).save(folder / "photo.png")
    return folder


@pytest.fixture(scope="module")
def run(place):
    out = place / "run"
    done = linearizer(*options(place), "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def options(place):
    teachers = [
        "--teacher",
        f"wild={place / 'wild.pth'}",
        "--teacher",
        f"calm={place / 'calm.pth'}",
    ]
    small = ["--size", "32", "--depth", "1", "--width", "8", "--kernel", "3", "--steps", "20"]
    return ["train", "style", "--content", place / "contents", *teachers, *small]


def test_depthwise_styles_filter_each_channel_by_itself(place, tmp_path):
    out = tmp_path / "run"
    done = linearizer(*options(place), "--operator", "depthwise", "--out", out)
    assert done.returncode == 0, done.stderr
    kernel = lz.StyleTransfer.from_pretrained(out).operator("wild").kernel
    between = ~torch.eye(len(kernel), dtype=torch.bool)
    assert not kernel[between].any()
    assert kernel[:, :, 1].abs().sum() > 0  # off the centre: it was trained


def test_a_run_leaves_bijections_and_styles(run):
    model = lz.StyleTransfer.from_pretrained(run)
    assert model.names == ["calm", "plain", "wild"]
    note = json.loads((run / "run.json").read_text())
    assert note["steps"] == 20
    assert not (run / "checkpoints").exists()


def test_the_papers_recipe_learns_one_image(place, tmp_path):
    done = linearizer(*options(place), "--objective", "paper", "--out", tmp_path / "paper")
    assert done.returncode == 0, done.stderr
    model = lz.StyleTransfer.from_pretrained(tmp_path / "paper")
    kernel = model.operator("wild").kernel[:, :, 0, 0]
    torch.testing.assert_close(kernel, torch.diag(kernel.diagonal()))
    assert model.operator("wild").kernel.shape[-1] == 1
    assert json.loads((tmp_path / "paper" / "run.json").read_text())["contents"] == 1


def test_stylize_a_photo_of_any_size(run, place, tmp_path):
    out = tmp_path / "out.png"
    arguments = ["stylize", run, place / "photo.png", "--mix", "wild=0.4,calm=0.6", "--out", out]
    done = linearizer(*arguments)
    assert done.returncode == 0, done.stderr
    assert Image.open(out).size == (70, 45)
    assert_one_clear_line(linearizer(*arguments), "exists", "--overwrite")
    assert linearizer(*arguments, "--strength", "0.5", "--overwrite").returncode == 0


def test_a_style_is_undone_from_the_numbers_beside_the_picture(tmp_path):
    content = load_sample_image("china.jpg")[100:190, 200:330]  # sides that 4 does not divide
    Image.fromarray(content).save(tmp_path / "photo.png")
    styled, undone = tmp_path / "styled.png", tmp_path / "undone.png"
    done = linearizer("stylize", "style", tmp_path / "photo.png", "--mix", "udnie", "--out", styled)
    assert done.returncode == 0, done.stderr
    arguments = ("style", "undo", "style", styled, "udnie", "--out", undone, "--overwrite")
    done = linearizer(*arguments)
    assert done.returncode == 0
    assert not done.stderr
    error = np.asarray(Image.open(undone)) / 255 - content / 255
    assert np.sqrt((error**2).mean()) < 0.05
    for damage in (lambda f: f.write_bytes(b"?"), lambda f: f.unlink()):
        damage(styled.with_suffix(".safetensors"))
        done = linearizer(*arguments)
        assert done.returncode == 0
        assert "may be noise" in done.stderr


def test_style_commands_draw_pictures(run, place, tmp_path):
    photo = place / "photo.png"
    for arguments, out in (
        (["interpolate", run, photo, "wild", "calm", "--steps", "3"], "i.png"),
        (["undo", run, photo, "wild"], "u.png"),
        (["compose", run, photo, "wild", "calm"], "c.png"),
        (["directions", run, photo, "wild", "-k", "2"], "d.png"),
        (["compare", run], "m.png"),
    ):
        done = linearizer("style", *arguments, "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
        assert Image.open(tmp_path / out).size[0] > 30
    assert Image.open(tmp_path / "i.gif").n_frames == 4


def test_styles_are_added_without_training(run, place, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")  # other tests count its styles
    before = lz.StyleTransfer.from_pretrained(run).fingerprint()
    pairs = tmp_path / "pairs"
    teacher = FastNeuralStyle.from_file(place / "wild.pth")
    for side in ("content", "style"):
        (pairs / side).mkdir(parents=True)
    for path in sorted((place / "contents").glob("*.png"))[:30]:
        image = Image.open(path)
        image.save(pairs / "content" / path.name)
        x = torch.tensor(list(image.tobytes())).reshape(1, 32, 32, 3).movedim(-1, 1) / 127.5 - 1
        y = ((teach(teacher, x)[0] + 1) * 127.5).byte().movedim(0, -1).contiguous().numpy()
        Image.fromarray(y).save(pairs / "style" / path.name)
    for name, source in (
        ("paired", ["--pairs", pairs]),
        ("taught", ["--teacher", place / "wild.pth", "--contents", "40", "--kernel", "3"]),
        ("coloured", ["--picture", place / "photo.png", "--contents", "40"]),
    ):
        done = linearizer("style", "add", run, name, *source)
        assert done.returncode == 0, done.stderr
    model = lz.StyleTransfer.from_pretrained(run)
    assert {"paired", "taught", "coloured"} <= set(model.names)
    assert model.fingerprint() == before
    again = linearizer("style", "add", run, "taught", "--teacher", place / "wild.pth")
    assert_one_clear_line(again, "exists", "--overwrite")
    assert linearizer("style", "add", run, "none").returncode == 2


def test_evaluate_compares_with_teachers_pictures_and_pixels(run, place, tmp_path):
    sources = [
        "--teacher",
        f"wild={place / 'wild.pth'}",
        "--picture",
        f"calm={place / 'photo.png'}",
    ]
    options = ["--held-out", place / "contents", "--size", "32", "--size", "48", "-n", "8"]
    torch.manual_seed(0)
    lpips = LPIPS()  # untrained
    for part in ("backbone", "heads"):
        torch.save(getattr(lpips, part).state_dict(), tmp_path / f"{part}.pth")
        options += [f"--lpips-{part}", tmp_path / f"{part}.pth"]
    done = linearizer("style", "evaluate", run, *sources, *options, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    sizes = json.loads((tmp_path / "style-evaluation.json").read_text())["sizes"]
    assert [(size, r["size"], r["contents"]) for size, r in sizes.items()] == [
        ("32", [32, 32], 8),
        ("48", [48, 48], 8),
    ]
    for results in sizes.values():
        wild, calm = (results["styles"][name] for name in ("wild", "calm"))
        for row in (wild, calm):
            assert row["undo_redo_psnr_db"] > 40
            assert row["undo_psnr_db"] > 40
            assert row["condition"] >= 1
        assert results["mean_psnr_db"] == wild["psnr_db"]
        assert calm["picture_gram"] > 0
        assert "psnr_db" not in calm
    written = (tmp_path / "style-evaluation.md").read_text()
    assert written.count("| wild |") == 6
    assert written.count("| calm |") == 6


def test_a_style_that_does_what_its_teacher_does_is_measured_as_perfect(place, tmp_path):
    """Where the teacher does nothing and the style neither, everything has a known result."""
    torch.manual_seed(0)
    g = lz.style_bijection((3, 32, 32), depth=1, width=4)
    model = lz.StyleTransfer(g, g)
    side = model.g_x.out_shape[0]
    model.add("none", lz.SymmetricConvolution(torch.eye(side)[..., None, None], g.out_shape[1:]))
    contents = load_image_folder(place / "contents", size=32)
    results = measure_styles(model, {"none": torch.nn.Identity()}, {}, contents, contents.images)
    row = results["styles"]["none"]
    for what in ("psnr_db", "undo_psnr_db", "rounds_psnr_db", "undo_redo_psnr_db"):
        assert row[what] > 90, what
    assert row["content_ssim"] == pytest.approx(1.0, abs=1e-5)
    assert row["condition"] == pytest.approx(1.0)
    assert row["grid_energy"] == pytest.approx(row["teacher_grid_energy"], rel=1e-3)
    assert row["linear_in_pixels_psnr_db"] > 60  # the identity is an operator on pixels


def test_evaluate_wants_something_to_compare_with(run, tmp_path):
    done = linearizer("style", "evaluate", run, "--out", tmp_path)
    assert_one_clear_line(done, "--teacher NAME=FILE", "--picture")


def test_bad_input_is_one_clear_line(run, place, tmp_path):
    photo, out = place / "photo.png", ["--out", tmp_path / "x.png"]
    unknown = linearizer("stylize", run, photo, "--mix", "cubist", *out)
    assert_one_clear_line(unknown, "expected a style of calm", "wild", "cubist")
    nothing = linearizer("stylize", run, photo, "--mix", "wild=0", *out)
    assert_one_clear_line(nothing, "nothing")
    assert linearizer("stylize", run, photo, "--mix", "wild=much", *out).returncode == 2
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    assert_one_clear_line(linearizer("stylize", run, broken, "--mix", "wild", *out), "broken.png")
    for mode in ("L", "RGBA", "P"):
        Image.open(photo).convert(mode).save(tmp_path / "mode.png")
        done = linearizer(
            "stylize", run, tmp_path / "mode.png", "--mix", "wild", *out, "--overwrite"
        )
        assert done.returncode == 0, done.stderr
    Image.new("RGB", (7, 60)).save(tmp_path / "small.png")
    out = ["--out", tmp_path / "y.png"]
    small = linearizer("stylize", run, tmp_path / "small.png", "--mix", "wild", *out)
    assert_one_clear_line(small, "at least")
    wrong = [*options(place)[:4], "--teacher", f"a={photo}", "--out", tmp_path / "r"]
    assert_one_clear_line(linearizer(*wrong), "weights", "photo.png")


def test_a_teacher_that_changes_the_size_is_refused():
    half = torch.nn.AvgPool2d(2)
    with pytest.raises(lz.errors.ShapeError, match="keeps the size"):
        teach(half, torch.zeros(1, 3, 8, 8))
