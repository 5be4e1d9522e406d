"""What a training says of itself at its end."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch

from command_line import linearizer

pytest.importorskip("lightning")
from PIL import Image
from safetensors.torch import load_file

from linearizer.training.verdict import Verdict, _fell

GOOD = {"held_out": 2.0, "train": 1.95, "pixels": 3.0, "fell": 0.01, "steps": 9, "planned": 9}


@pytest.mark.parametrize(
    ("changed", "said", "unsaid"),
    [
        ({}, "twice the time would likely give little", "undertrained"),
        ({"fell": 0.3}, "This is undertrained", "little"),
        ({"steps": 3}, "The time was up after 3 of 9 steps", "give little"),
        ({"held_out": 2.99}, "g has learned little yet", "undertrained"),
        ({"held_out": math.nan}, "g has learned little yet", "undertrained"),
        ({"train": 1.2}, "more time does not", "undertrained"),
        ({"fell": None}, "3.00 under a Gaussian", "second half"),
    ],
)
def test_a_verdict_says_what_to_do(changed: dict[str, float], said: str, unsaid: str) -> None:
    text = Verdict(**(GOOD | changed)).text  # type: ignore[arg-type]
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
    assert _fell(tmp_path) == pytest.approx(2.7)
    assert _fell(tmp_path / "none") is None


@pytest.fixture(scope="module", params=[(), ("--classes",), ("--operator", "paper")])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verdict") / "run"
    options = ["--data", "digits", "--preset", "quick", "--depth", "2", "--width", "16"]
    done = linearizer(
        "train", "one-step", *options, *request.param, "--steps", "300", "--out", folder
    )
    assert done.returncode == 0, done.stderr
    assert ("under a Gaussian of their pixels" in done.stdout) == ("paper" not in request.param)
    assert f"What it makes: {folder / 'samples.png'}" in done.stdout
    return folder


def test_a_training_ends_with_a_picture_and_a_verdict(run: Path) -> None:
    assert Image.open(run / "samples.png").size[0] > 300
    note = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if note["operator"] != "paper":
        verdict = note["verdict"]
        assert verdict["steps"] == verdict["planned"] == 300
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
