"""`linearizer train style` and `style ...`, from beginning to end."""

import json
import re
import shutil
import subprocess
import sys

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
    assert "On held-out contents the styles come to" in done.stdout
    assert f"What it makes: {out / 'samples.png'}" in done.stdout
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
    assert 0 < note["verdict"]["likeness"] < 60
    assert Image.open(run / "samples.png").width > 200
    assert not (run / "checkpoints").exists()


def test_the_papers_recipe_learns_one_image(place, tmp_path):
    done = linearizer(*options(place), "--objective", "paper", "--out", tmp_path / "paper")
    assert done.returncode == 0, done.stderr
    model = lz.StyleTransfer.from_pretrained(tmp_path / "paper")
    kernel = model.operator("wild").kernel[:, :, 0, 0]
    torch.testing.assert_close(kernel, torch.diag(kernel.diagonal()))
    assert model.operator("wild").kernel.shape[-1] == 1
    assert json.loads((tmp_path / "paper" / "run.json").read_text())["contents"] == 1


def apply(*arguments, out):
    return linearizer("style", "apply", *arguments, "--out", out)


def levels_apart(a, b):
    """The mean difference of two pictures in gray levels of 255."""
    return np.abs(np.asarray(Image.open(a), float) - np.asarray(Image.open(b), float)).mean()


@pytest.fixture
def photo(tmp_path):
    content = load_sample_image("china.jpg")[100:190, 200:330]  # sides that 4 does not divide
    Image.fromarray(content).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_style_is_applied_to_a_photo_of_any_size(run, place, tmp_path):
    out = tmp_path / "out.png"
    arguments = [run, place / "photo.png", "--mix", "wild=0.4,calm=0.6"]
    done = apply(*arguments, out=out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out} and {out.with_suffix('.safetensors')}\n"
    assert Image.open(out).size == (70, 45)
    assert_one_clear_line(apply(*arguments, out=out), "exists", "--overwrite")
    assert apply(*arguments, "--strength", "0.5", "--overwrite", out=out).returncode == 0
    for name in ("none.png", "lossy.jpg"):
        alone = tmp_path / name
        done = apply(*arguments, *(["--record", "none"] * (name == "none.png")), out=alone)
        assert done.returncode == 0, done.stderr
        assert ("cannot be undone" in done.stderr) == (name == "lossy.jpg")
        assert done.stdout == f"{alone}\n"
        assert not alone.with_suffix(".safetensors").exists()


MADE = {
    "a mix": ["apply", "style", "{photo}", "--mix", "udnie=0.7,candy=0.3", "--strength", "0.9"],
    "composed": ["compose", "style", "{photo}", "candy", "udnie", "--record", "float64"],
    "a place": ["interpolate", "style", "{photo}", "candy", "udnie", "--place", "0.3"],
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_what_was_done_is_undone_by_the_record(made, photo, tmp_path):
    styled, undone = tmp_path / "styled.png", tmp_path / "undone.png"
    done = linearizer("style", *(word.format(photo=photo) for word in made), "--out", styled)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert levels_apart(styled, photo) > 10
    done = linearizer("style", "undo", "style", styled, "--out", undone)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert levels_apart(undone, photo) < (0.01 if "float64" in made else 3)


def test_undoing_is_refused_where_it_would_give_noise(run, photo, tmp_path):
    styled = tmp_path / "styled.png"
    record, undone = styled.with_suffix(".safetensors"), ["--out", tmp_path / "undone.png"]
    assert apply("style", photo, "--mix", "udnie", out=styled).returncode == 0

    def undo(*more, model="style"):
        return linearizer("style", "undo", model, styled, *more, *undone)

    assert_one_clear_line(undo(model=run), "another g")
    assert_one_clear_line(undo("--mix", "candy"), "which says udnie, got candy", "leave it out")
    assert_one_clear_line(undo("--mix", "udnie", "--strength", "0.5"), "at strength 0.5")
    assert undo("--strength", "0.5").returncode == 2
    Image.open(styled).rotate(180).save(styled)
    assert_one_clear_line(undo(), "expected the picture", "edited")
    Image.open(styled).rotate(180).save(styled)
    assert undo("--mix", "udnie").returncode == 0
    record.write_bytes(record.read_bytes()[:-9])
    assert_one_clear_line(undo("--overwrite"), "expected a record", "make the picture again")
    record.unlink()
    assert_one_clear_line(undo("--overwrite"), "expected a record", str(record), "--mix")
    by_hand = undo("--mix", "udnie", "--overwrite")
    assert by_hand.returncode == 0
    assert "may be noise" in by_hand.stderr


def test_a_style_that_was_replaced_does_not_undo_the_old_pictures(run, place, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
    out = tmp_path / "out.png"
    assert apply(run, place / "photo.png", "--mix", "calm", out=out).returncode == 0
    shutil.rmtree(run / "styles" / "calm")
    undone = ("style", "undo", run, out, "--out", tmp_path / "undone.png")
    assert_one_clear_line(linearizer(*undone), "style calm as it was", "got none")
    shutil.copytree(run / "styles" / "wild", run / "styles" / "calm")
    assert_one_clear_line(linearizer(*undone), "style calm as it was", "got another")


def test_what_will_not_be_undone_is_told_when_it_is_made(run, place, tmp_path):
    """Twice the plain operator minus itself is nothing at all."""
    photo, out = place / "photo.png", tmp_path / "out.png"
    done = apply(run, photo, "--mix", "plain=0.5", "--strength", "2", out=out)
    assert done.returncode == 0, done.stderr
    assert "this cannot be undone: expected an operator with an inverse" in done.stderr
    undone = linearizer("style", "undo", run, out, "--out", tmp_path / "undone.png")
    assert_one_clear_line(undone, "expected an operator with an inverse", "condition number")


def test_a_folder_is_stylized_and_goes_on_where_it_stopped(run, place, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "below").mkdir(parents=True)
    shutil.copy(place / "photo.png", photos / "a.png")
    Image.open(place / "photo.png").save(photos / "below" / "b.jpg")
    (photos / "broken.png").write_bytes(b"?")
    arguments = [run, photos, "--mix", "calm"]
    done = apply(*arguments, out=out)
    assert done.returncode == 1
    assert "left out" in done.stderr
    assert "got 1 of 3 that cannot be" in done.stderr
    assert "broken.png" in done.stderr.splitlines()[-1]
    assert "stylized 2 of 3 pictures" in done.stdout
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.png")} == {"a.png", "below/b.png"}
    assert (out / "below" / "b.safetensors").exists()
    (photos / "broken.png").unlink()
    (out / "below" / "b.png").unlink()
    (out / "below" / "b.safetensors").unlink()
    before = (out / "a.png").stat().st_mtime_ns
    done = apply(*arguments, out=out)
    assert done.returncode == 0, done.stderr
    assert "stylized 1 of 2 pictures; 1 were there already" in done.stdout
    assert (out / "a.png").stat().st_mtime_ns == before
    assert apply(*arguments, "--overwrite", out=out).returncode == 0
    assert (out / "a.png").stat().st_mtime_ns != before


def test_what_a_large_picture_costs_is_told_before(run, place, tmp_path, monkeypatch):
    monkeypatch.setattr("linearizer.evaluation.style_forecast.SLOW", 0.0)
    large, styled = tmp_path / "large.png", tmp_path / "styled.png"
    Image.open(place / "photo.png").resize((700, 600)).save(large)
    done = apply(run, large, "--mix", "calm", out=styled)
    assert re.search(
        r"^0\.4 megapixels: about \d+ seconds and 0\.\d GB of memory$", done.stderr, re.M
    )
    done = linearizer("style", "undo", run, styled, "--out", tmp_path / "undone.png")
    assert "0.4 megapixels: about" in done.stderr
    done = apply(run, place / "photo.png", "--mix", "calm", out=tmp_path / "small.png")
    assert "megapixels" not in done.stderr
    Image.new("1", (6500, 6500)).save(large)
    refused = apply(run, large, "--mix", "calm", out=tmp_path / "none.png")
    assert_one_clear_line(refused, "at most 40 megapixels", "6500×6500", "reduce it")


MEASURED = """
import re, sys, torch
from pathlib import Path
torch.set_num_threads(1)
import linearizer as lz
from linearizer.evaluation.style_forecast import memory
size, exact, undoing = (1000, 1200), sys.argv[1] == "float64", sys.argv[2] == "undo"
g = [lz.style_bijection((3, 32, 32), depth=2, width=96) for _ in range(2)]
unit = lz.SymmetricConvolution(torch.eye(48)[..., None, None], (8, 8))
model = lz.StyleTransfer(*g, {"one": unit})
model = model.double() if exact else model
pass_ = model.undo if undoing else model.stylize
status = Path("/proc/self/status")  # getrusage begins with the peak of the program that forked
pass_(torch.zeros(3, *size).to(next(model.parameters())), "one")
peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
print(peak / memory(model, size, exact=exact, undoing=undoing))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc")
@pytest.mark.parametrize("what", ["do", "undo"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_memory_that_is_foretold_is_the_memory_that_is_used(dtype, what):
    run = [sys.executable, "-c", MEASURED, dtype, what]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    assert 0.7 < float(done.stdout) < 1.3


def test_several_pictures_are_named_apart(run, place, tmp_path):
    photo = place / "photo.png"
    shutil.copy(photo, tmp_path / "photo.png")
    twins = apply(run, photo, tmp_path / "photo.png", "--mix", "calm", out=tmp_path / "out")
    assert_one_clear_line(twins, "different names", "rename one")
    nothing = apply(run, photo, tmp_path / "none.png", "--mix", "calm", out=tmp_path / "out")
    assert_one_clear_line(nothing, "none.png")
    assert (tmp_path / "out" / "photo.png").exists()
    unknown = apply(run, tmp_path, "--mix", "cubist", out=tmp_path / "new")
    assert_one_clear_line(unknown, "expected a style of calm")


def test_style_commands_draw_pictures(run, place, tmp_path):
    photo = place / "photo.png"
    for arguments, out in (
        (["interpolate", run, photo, "wild", "calm", "--steps", "3"], "i.png"),
        (["undo", run, photo, "--mix", "wild"], "u.png"),
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
        ("colored", ["--picture", place / "photo.png", "--contents", "40"]),
        (
            "halfway",
            ["--picture", place / "photo.png", "--contents", "40", "--content-weight", "0.5"],
        ),
    ):
        done = linearizer("style", "add", run, name, *source)
        assert done.returncode == 0, done.stderr
    model = lz.StyleTransfer.from_pretrained(run)
    assert {"paired", "taught", "colored", "halfway"} <= set(model.names)
    half, full = (model.operator(name).response() for name in ("halfway", "colored"))
    torch.testing.assert_close(half, (full + model.plain.response()) / 2, rtol=0, atol=1e-3)
    assert model.fingerprint() == before
    again = linearizer("style", "add", run, "taught", "--teacher", place / "wild.pth")
    assert_one_clear_line(again, "exists", "--overwrite")
    assert linearizer("style", "add", run, "none").returncode == 2
    taken = linearizer("style", "add", run, "half", "--picture", place / "photo.png")
    assert_one_clear_line(taken, "expected another name, got 'half'")


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
    unknown = linearizer("style", "apply", run, photo, "--mix", "cubist", *out)
    assert_one_clear_line(unknown, "expected a style of calm", "wild", "cubist")
    nothing = linearizer("style", "apply", run, photo, "--mix", "wild=0", *out)
    assert_one_clear_line(nothing, "nothing")
    assert linearizer("style", "apply", run, photo, "--mix", "wild=much", *out).returncode == 2
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:200])
    assert_one_clear_line(
        linearizer("style", "apply", run, broken, "--mix", "wild", *out), "broken.png"
    )
    for mode in ("L", "RGBA", "P"):
        Image.open(photo).convert(mode).save(tmp_path / "mode.png")
        done = linearizer(
            "style", "apply", run, tmp_path / "mode.png", "--mix", "wild", *out, "--overwrite"
        )
        assert done.returncode == 0, done.stderr
    Image.new("RGB", (7, 60)).save(tmp_path / "small.png")
    out = ["--out", tmp_path / "y.png"]
    small = linearizer("style", "apply", run, tmp_path / "small.png", "--mix", "wild", *out)
    assert_one_clear_line(small, "at least")
    wrong = [*options(place)[:4], "--teacher", f"a={photo}", "--out", tmp_path / "r"]
    assert_one_clear_line(linearizer(*wrong), "weights", "photo.png")


def test_a_teacher_that_changes_the_size_is_refused():
    half = torch.nn.AvgPool2d(2)
    with pytest.raises(lz.errors.ShapeError, match="keeps the size"):
        teach(half, torch.zeros(1, 3, 8, 8))
