"""`linearizer train projector`, `project`, `generate` and `evaluate`, from beginning to end."""

import json

import pytest
import torch
from safetensors.torch import load_file

import linearizer as lz
from command_line import assert_one_clear_line, linearizer

pytest.importorskip("lightning")
from PIL import Image

QUICK = ["--data", "digits", "--preset", "quick", "--depth", "2", "--width", "16", "--steps", "40"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("projector") / "run"
    done = linearizer("train", "projector", *QUICK, "--rank", "16", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Projected to rank 16, held-out images keep" in done.stdout
    assert f"What it makes: {out / 'samples.png'}" in done.stdout
    return out


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    path = tmp_path_factory.mktemp("digit") / "digit.png"
    Image.fromarray((torch.rand(8, 8) * 255).byte().numpy()).save(path)
    return path


def test_a_run_leaves_a_nested_projector(run):
    model = lz.IdempotentGenerator.from_pretrained(run)
    assert model.rank == 16
    x = model.noise(20, seed=0)
    for rank in (3, 16):
        once = model.project(x, rank)
        torch.testing.assert_close(model.project(once, rank), once, rtol=0.0, atol=1e-3)
    note = json.loads((run / "run.json").read_text())
    assert (note["application"], note["steps"]) == ("projector", 40)
    assert 0 < note["verdict"]["kept"] < 60
    assert 0 < note["verdict"]["restored_by_pixels"] < 60


@pytest.mark.parametrize("projection", ["diagonal", "orthogonal", "oblique"])
def test_the_papers_recipe_trains_any_projection(projection, tmp_path):
    out = tmp_path / "run"
    options = ["--objective", "paper", "--projection", projection, "--estimator", "gumbel"]
    done = linearizer("train", "projector", *QUICK, *options, "--rank", "10", "--out", out)
    assert done.returncode == 0, done.stderr
    model = lz.IdempotentGenerator.from_pretrained(out)
    assert model.rank == 10
    once = model.project(model.noise(5, seed=0))
    torch.testing.assert_close(model.project(once), once, rtol=0.0, atol=1e-3)


def test_training_starts_from_a_trained_g(run, tmp_path):
    out = tmp_path / "run"
    options = ["--init", run, "--rank", "8", "--steps", "2"]
    done = linearizer("train", "projector", *QUICK, *options, "--out", out)
    assert done.returncode == 0, done.stderr
    before, after = (
        torch.cat([p.detach().flatten() for p in lz.load(place).g.parameters()])
        for place in (run, out)
    )
    assert float((before - after).norm() / before.norm()) < 0.2  # two steps away
    other = linearizer(
        "train", "projector", *QUICK, "--init", run, "--width", "8", "--out", out / "x"
    )
    assert_one_clear_line(other, "--width that it was trained with")


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["{digit}"], 2),
        (["{digit}", "--corrupt", "blur,fade", "--rank", "4"], 4),
        (["--corrupt", "occlude"], 2),
        (["--noise", "3"], 2),
        (["{digit}", "--noise", "3"], 4),
    ],
)
def test_project_draws_inputs_and_projections(run, digit, tmp_path, options, rows):
    out = tmp_path / "p.png"
    given = [option.format(digit=digit) for option in options]
    done = linearizer("project", run, *given, "--out", out)
    assert done.returncode == 0, done.stderr
    assert Image.open(out).size[0] > 0
    tensors = load_file(out.with_suffix(".safetensors"))
    assert sum("residual" not in name for name in tensors) == rows
    assert "induced distance" in done.stdout
    again = linearizer("project", run, *given, "--out", out)
    assert_one_clear_line(again, "--overwrite")


@pytest.mark.parametrize("options", [[], ["--noise"], ["--rank", "4", "--temperature", "0.7"]])
def test_generate_draws_images(run, tmp_path, options):
    out = tmp_path / "g.png"
    done = linearizer("generate", run, "-n", "5", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    assert load_file(out.with_suffix(".safetensors"))["images"].shape == (5, 1, 8, 8)


def test_evaluate_writes_tables(run, tmp_path):
    done = linearizer("evaluate", run, "--out", tmp_path, "--count", "50")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(results["reconstruction"]) == {"1", "2", "4", "8", "16"}
    assert len(results["restoration"]) == 7
    for errors in results["idempotence"].values():
        assert errors["float32"] <= 1e-3
        assert errors["float64"] <= 1e-9
    assert 0.0 <= results["outliers"]["letters"]["ours"]["16"] <= 1.0
    assert "components of pixels" in (tmp_path / "evaluation.md").read_text()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["project", "{run}", "--noise", "2", "--rank", "0"], "the rank between 1 and 16"),
        (["project", "{run}", "--noise", "2", "--rank", "17"], "the rank between 1 and 16"),
        (["project", "{run}", "--corrupt", "rust"], "expected a corruption of"),
        (["project", "{run}", "missing.png"], "missing.png"),
        (["project", "{run}", "{large}"], "--resize"),
        (["project", "digits", "--noise", "2"], "IdempotentGenerator"),
        (["generate", "nowhere"], "nowhere"),
        (["train", "projector", *QUICK, "--rank", "64", "--out", "x"], "a rank from 1 to 63"),
        (["train", "projector", *QUICK, "--rank", "0", "--out", "x"], "a rank from 1 to 63"),
        (
            ["train", "projector", *QUICK, "--objective", "paper", "--rank", "65", "--out", "x"],
            "rank of a mask",
        ),
    ],
)
def test_bad_input_is_refused(run, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    large = tmp_path / "large.png"
    Image.new("L", (30, 30)).save(large)
    given = [str(part).format(run=run, large=large) for part in command]
    done = linearizer(*given)
    assert_one_clear_line(done, message)
