"""The models that come with the library do what their cards say."""

import json

import pytest
import torch

import linearizer as lz
from linearizer.saving import PRETRAINED

NAMES = lz.list_pretrained()


def test_there_are_the_models_that_the_documents_name():
    assert {"digits", "mnist"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_many_steps_and_is_inverted(name):
    flow = lz.load(name)
    noise = flow.noise(20, seed=1)
    images = flow.decode(noise)
    torch.testing.assert_close(flow.encode(images), noise, rtol=0.0, atol=1e-2)
    torch.testing.assert_close(flow.reconstruct(images), images, rtol=0.0, atol=1e-3)
    many = flow.integrate(noise, 20, "rk4")
    torch.testing.assert_close(flow.collapse(20, "rk4")(noise), many, rtol=0.0, atol=1e-3)
    assert float(images.detach().abs().mean()) < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_and_its_card_complete(name):
    folder = PRETRAINED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 20e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("data", "recipe", "command", "training", "licence", "Inversion, PSNR"):
        assert f"| {word}" in card
    assert "does not hold" not in card
    note = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert note["noise_deviation"] > 0
