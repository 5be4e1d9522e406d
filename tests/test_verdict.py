"""What a training says of itself at its end."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from command_line import linearizer

pytest.importorskip("lightning")
from PIL import Image
from safetensors.torch import load_file

from linearizer.training.verdicts import (
    DensityVerdict,
    ProjectionVerdict,
    SamplesVerdict,
    StylesVerdict,
    Verdict,
)
from linearizer.training.verdicts.base import fall_of_loss, share_that_fell

GOOD = {"held_out": 2.0, "train": 1.95, "pixels": 3.0, "fell": 0.01, "steps": 9, "planned": 9}


@pytest.mark.parametrize(
    ("changed", "said", "unsaid"),
    [
        ({}, "twice the time would likely give little", "undertrained"),
        ({"fell": 0.3}, "This is undertrained", "little"),
        ({"steps": 4}, "The time was up after 4 of 9 steps, before", "give it less"),
        ({"steps": 4}, "This is undertrained", "more time does not"),
        ({"steps": 8}, "The time was up after 8 of 9 steps", "undertrained"),
        ({"held_out": 2.99, "train": 2.98}, "g has learned little yet", "undertrained"),
        ({"held_out": 3.4, "train": 2.0, "fell": 0.3}, "knows them by heart", "undertrained"),
        ({"held_out": 3.4, "train": 2.0, "steps": 2}, "knows them by heart", "little yet"),
        ({"held_out": math.nan, "train": math.nan}, "g has learned little yet", "undertrained"),
        ({"train": 1.2}, "more time does not", "undertrained"),
        ({"fell": None}, "3.00 under a Gaussian", "second half"),
    ],
)
def test_a_verdict_says_what_to_do(changed: dict[str, float], said: str, unsaid: str) -> None:
    text = DensityVerdict(**(GOOD | changed)).text  # type: ignore[arg-type]
    assert said in text
    assert unsaid not in text


def test_the_fall_of_the_loss_is_read_of_all_logs_of_a_run(tmp_path: Path) -> None:
    losses = [math.log(2) * (10 - 0.1 * i) for i in range(60)]
    for version, steps in enumerate((range(40), range(30, 60))):  # it was resumed from step 30
        folder = tmp_path / "logs" / f"version_{version}"
        folder.mkdir(parents=True)
        with (folder / "metrics.csv").open("w", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["loss", "step"])
            writer.writeheader()
            writer.writerows({"loss": losses[i], "step": i} for i in steps)
    expected = math.log(2) * 2.7, math.log(2) * 5.4
    assert fall_of_loss(tmp_path) == pytest.approx(expected)
    assert share_that_fell(tmp_path) == pytest.approx(0.5)
    assert fall_of_loss(tmp_path / "none") is None
    assert share_that_fell(tmp_path / "none") is None


DONE = {"fell": 0.02, "steps": 9, "planned": 9}


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (
            ProjectionVerdict(
                kept=22.0,
                kept_by_pixels=19.0,
                restored=18.0,
                restored_by_pixels=16.0,
                rank=9,
                **DONE,  # type: ignore[arg-type]
            ),
            {"kept": 19.0, "restored": 16.0},
            "reach 19.0 and 16.0 dB",
        ),
        (
            SamplesVerdict(samples=80.0, pixels=200.0, real=6.0, **DONE),  # type: ignore[arg-type]
            {"samples": 190.0},
            "a Gaussian of pixels at 200",
        ),
        (
            StylesVerdict(likeness=17.0, pixels=14.0, undone=110.0, **DONE),  # type: ignore[arg-type]
            {"likeness": 14.2},
            "undone to 110 dB",
        ),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_has_learned_little_is_told(good: Verdict, bad: dict[str, float], said: str) -> None:
    assert said in good.text
    assert "little yet" not in good.text
    assert "undertrained" not in good.text
    assert "little yet" in replace(good, **bad).text
    assert "This is undertrained" in replace(good, fell=0.4).text
    assert good.note["planned"] == 9


def test_styles_that_cannot_be_undone_are_told() -> None:
    verdict = StylesVerdict(likeness=17.0, pixels=14.0, undone=math.nan, **DONE)  # type: ignore[arg-type]
    assert "differs from the photograph" in verdict.text
    assert verdict.note["undone"] is None  # JSON has no NaN, and the run is to be saved


@pytest.fixture(scope="module", params=[(), ("--classes",), ("--operator", "paper")])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verdict") / "run"
    options = ["--data", "digits", "--preset", "quick", "--depth", "2", "--width", "16"]
    done = linearizer(
        "train", "one-step", *options, *request.param, "--steps", "300", "--out", folder
    )
    assert done.returncode == 0, done.stderr
    by_paper = "paper" in request.param
    assert ("under a Gaussian of their pixels" in done.stdout) != by_paper
    assert ("Samples are at a Fréchet distance" in done.stdout) == by_paper
    assert f"What it makes: {folder / 'samples.png'}" in done.stdout
    return folder


def test_a_training_ends_with_a_picture_and_a_verdict(run: Path) -> None:
    assert Image.open(run / "samples.png").size[0] > 300
    note = json.loads((run / "run.json").read_text(encoding="utf-8"))
    verdict = note["verdict"]
    assert verdict["steps"] == verdict["planned"] == 300
    if note["operator"] == "paper":
        assert 0 < verdict["real"] < min(verdict["samples"], verdict["pixels"])
    else:
        assert 0 < verdict["held_out"] < 8
        assert 0 < verdict["pixels"] < 8


def moved(tmp_path: Path, *command: str) -> float:
    """By how much --denoise changes the pictures of a command."""
    made = []
    for name, options in (("plain", ()), ("clean", ("--denoise",))):
        out = tmp_path / f"{name}.png"
        done = linearizer(*command, *options, "--out", out)
        assert done.returncode == 0, done.stderr
        tensors = load_file(out.with_suffix(".safetensors"))
        made.append(torch.tensor(list(Image.open(out).convert("L").getdata()), dtype=torch.float32))
        assert tensors
    return float((made[0] - made[1]).abs().max())


def test_noise_is_taken_from_whatever_a_flow_draws(tmp_path: Path) -> None:
    digit = tmp_path / "digit.png"
    Image.fromarray((torch.rand(8, 8) * 255).byte().numpy()).save(digit)
    for command in (
        ("sample", "digits", "-n", "4"),
        ("translate", "digits", str(digit), "--to", "8"),
        ("interpolate", "digits", str(digit), str(digit), "-n", "3"),
        ("directions", "digits", "-k", "1", "--label", "3"),
        ("directions", "digits", "-k", "1", "--label", "3", "--to", "8"),
    ):
        folder = tmp_path / "-".join(command[:1] + command[-1:])
        folder.mkdir()
        assert moved(folder, *command) > 1, command


def test_directions_of_a_class_and_between_classes(tmp_path: Path) -> None:
    out = tmp_path / "d.png"
    done = linearizer("directions", "digits", "--label", "3", "--to", "8", "-k", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    found = load_file(out.with_suffix(".safetensors"))
    assert found["walks"].shape == found["mapped"].shape == (2, 9, 1, 8, 8)
    assert "These directions are stretched" in done.stdout
    middle = found["walks"][:, 4]
    torch.testing.assert_close(middle[0], middle[1])
    assert linearizer("directions", "digits", "--to", "8").returncode == 2
