"""`linearizer train one-step` and the commands on what it trains, from beginning to end."""

import csv
import errno
import json
import subprocess
import sys

import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer

pytest.importorskip("lightning")
from PIL import Image
from safetensors.torch import load_file

TRAIN = ["train", "one-step", "--data", "digits", "--preset", "quick", "--noise", "2"]
QUICK = [*TRAIN, "--steps", "60", "--depth", "4", "--width", "32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "run"
    done = linearizer(*QUICK, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    from linearizer.data import load_digits

    paths = []
    for i, digit in enumerate(load_digits().images[:3, 0]):
        path = folder / f"digit{i}.png"
        Image.fromarray(((digit + 1) * 127.5).byte().numpy()).save(path)
        paths.append(path)
    return paths


def losses(folder):
    (path,) = folder.glob("logs/version_*/metrics.csv")
    with path.open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_run_leaves_a_flow_a_log_and_a_note(run):
    flow = lz.OneStepFlow.from_pretrained(run)
    assert flow.g_data.in_shape == (1, 8, 8)
    assert len(losses(run)) == 6
    note = json.loads((run / "run.json").read_text())
    assert note["data"] == "digits"
    assert note["steps"] == 60
    assert not (run / "checkpoints").exists()


def test_a_finished_run_is_kept(run):
    assert_one_clear_line(linearizer(*QUICK, "--out", run), "--overwrite")


def test_two_processes_train_as_one_does_with_the_doubled_batch(tmp_path):
    options = [*QUICK[:-6], "--steps", "30", "--depth", "2", "--width", "16", "--batch-size", "64"]
    assert linearizer(*options, "--out", tmp_path / "one").returncode == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launch, "--nproc-per-node", "2", "-m", "linearizer", *options]
    two = subprocess.run(
        [*command, "--out", tmp_path / "two"], capture_output=True, text=True, check=False
    )
    assert two.returncode == 0, two.stderr
    alone, together = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(alone) == 3
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_sample_in_one_step_and_in_many(run, tmp_path):
    out = tmp_path / "s.png"
    assert linearizer("sample", run, "-n", "12", "--out", out).returncode == 0
    images = load_file(out.with_suffix(".safetensors"))["images"]
    assert images.shape == (12, 1, 8, 8)
    assert Image.open(out).size[0] > 100
    many = tmp_path / "m.png"
    options = ["-n", "12", "--steps", "20", "--method", "rk4", "--out", many]
    assert linearizer("sample", run, *options).returncode == 0
    again = load_file(many.with_suffix(".safetensors"))["images"]
    torch.testing.assert_close(again, images, rtol=0, atol=1e-3)
    assert_one_clear_line(linearizer("sample", run, "--out", out), "exists", "--overwrite")
    clean = tmp_path / "c.png"
    assert linearizer("sample", run, "-n", "12", "--denoise", "--out", clean).returncode == 0
    moved = load_file(clean.with_suffix(".safetensors"))["images"] - images
    assert 0 < float(moved.abs().mean()) < 0.2


def test_invert_interpolate_likelihood_directions(run, pictures, tmp_path):
    a, b, _ = pictures
    done = linearizer("invert", run, a, b, "--out", tmp_path / "i.png")
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "i.safetensors")
    assert found["noise"].shape == (2, 64)
    done = linearizer("reconstruct", run, a, b, "--out", tmp_path / "r.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dB") == 2
    again = load_file(tmp_path / "r.safetensors")["reconstruction"]
    torch.testing.assert_close(again, found["images"], rtol=0, atol=1e-3)
    noisy = ["--latent-noise", "0.3", "--out", tmp_path / "n.png"]
    assert linearizer("reconstruct", run, a, b, *noisy).returncode == 0
    rough = load_file(tmp_path / "n.safetensors")["reconstruction"]
    assert 0.01 < (rough - again).abs().mean() < 1
    done = linearizer("interpolate", run, a, b, "-n", "5", "--out", tmp_path / "l.png")
    assert done.returncode == 0, done.stderr
    line = load_file(tmp_path / "l.safetensors")["line"]
    assert line.shape == (5, 1, 8, 8)
    torch.testing.assert_close(line[[0, -1]], found["images"], rtol=0, atol=1e-4)
    done = linearizer("likelihood", run, a, b, "--quantization-levels", "17")
    assert done.returncode == 0, done.stderr
    assert "digit1.png" in "".join(done.stdout.split())
    done = linearizer("directions", run, "--image", a, "-k", "3", "--out", tmp_path / "d.png")
    assert done.returncode == 0, done.stderr
    assert load_file(tmp_path / "d.safetensors")["walks"].shape == (3, 9, 1, 8, 8)


def test_the_papers_operator_trains_and_samples_on_its_own_grid(tmp_path):
    options = ["--operator", "paper", "--rank", "4", "--out", tmp_path / "paper"]
    assert linearizer(*QUICK, *options).returncode == 0
    flow = lz.OneStepFlow.from_pretrained(tmp_path / "paper")
    noise = flow.noise(5, seed=0)
    torch.testing.assert_close(flow.decode(noise), flow.integrate(noise, 100), rtol=0, atol=1e-3)
    done = linearizer("sample", tmp_path / "paper", "--steps", "1", "--out", tmp_path / "x.png")
    assert_one_clear_line(done, "paper's time grid")
    options = ["--operator", "paper", "--rank", "65", "--out", tmp_path / "too_high"]
    assert_one_clear_line(linearizer(*QUICK, *options), "rank", "64")


def test_bad_input_is_one_clear_line(run, pictures, tmp_path):
    out = ["--out", tmp_path / "x.png"]
    big = tmp_path / "big.png"
    Image.new("RGB", (20, 30)).save(big)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    assert_one_clear_line(linearizer("invert", run, big, *out), "expected 8×8", "--resize")
    assert linearizer("invert", run, big, "--resize", *out).returncode == 0
    assert_one_clear_line(linearizer("likelihood", run, broken), "broken.png")
    assert_one_clear_line(linearizer("likelihood", run, tmp_path / "none.png"), "no file")
    assert_one_clear_line(linearizer("sample", tmp_path / "nothing"), "expected a saved model")
    lz.vector_bijection(4).save_pretrained(tmp_path / "other")
    other = linearizer("sample", tmp_path / "other")
    assert_one_clear_line(other, "expected a OneStepFlow")
    unknown = linearizer(*TRAIN[:-4], "--preset", "huge", "--out", tmp_path / "y")
    assert_one_clear_line(unknown, "preset", "digits")


def test_a_perceptual_loss_is_the_papers_alone(tmp_path):
    files = ["--lpips-backbone", tmp_path / "a.pth", "--lpips-heads", tmp_path / "b.pth"]
    out = ["--out", tmp_path / "run"]
    assert_one_clear_line(linearizer(*QUICK, *files, *out), "--operator paper")
    missing = linearizer(*QUICK, *files, *out, "--operator", "paper")
    assert_one_clear_line(missing, "a.pth")
    assert linearizer(*QUICK, *files[:2], *out).returncode == 2


def test_a_full_disk_is_one_clear_line(run, tmp_path, monkeypatch):
    from linearizer.display import output

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "s.png")

    monkeypatch.setattr(output, "save_file", full)
    done = linearizer("sample", run, "-n", "2", "--out", tmp_path / "s.png")
    assert_one_clear_line(done, "No space left on device", "--out")


def test_images_without_labels_are_judged_by_how_they_are_turned(run, tmp_path):
    from linearizer.data import load_digits

    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, digit in enumerate(load_digits().images[:60, 0]):
        Image.fromarray(((digit + 1) * 127.5).byte().numpy()).save(folder / f"{i:03d}.png")
    from linearizer.evaluation import model

    model.CLASSIFIER_STEPS, before = 20, model.CLASSIFIER_STEPS
    try:
        done = linearizer("evaluate", run, "--data", folder, "-n", "50", "--out", tmp_path / "e")
    finally:
        model.CLASSIFIER_STEPS = before
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert "turned" in results["networks"]["frechet_distance"]
    assert len(results["classifier"]["classes_of_samples"]) == 4
