"""The models that come with the library do what their cards say."""

import json

import pytest
import torch
from sklearn.datasets import load_sample_image

import linearizer as lz
from linearizer.saving import PRETRAINED

NAMES = lz.list_pretrained()
FLOWS = ["digits", "mnist"]


def test_there_are_the_models_that_the_documents_name():
    assert {"digits", "mnist", "projector", "style"} == set(NAMES)


@pytest.mark.parametrize("name", FLOWS)
@torch.no_grad()
def test_one_step_is_many_steps_and_is_inverted(name):
    model = lz.load(name)
    assert model.classes == list(range(10))
    for label in model.classes:
        flow = model.at(label)
        noise = flow.noise(20, seed=1)
        images = flow.decode(noise)
        torch.testing.assert_close(flow.encode(images), noise, rtol=0.0, atol=1e-2)
        torch.testing.assert_close(flow.reconstruct(images), images, rtol=0.0, atol=1e-3)
        many = flow.integrate(noise, 20, "rk4")
        torch.testing.assert_close(flow.collapse(20, "rk4")(noise), many, rtol=0.0, atol=1e-3)
        assert float(images.abs().mean()) < 1.5


@pytest.mark.parametrize("name", FLOWS)
@torch.no_grad()
def test_a_class_asked_for_is_the_class_recognized(name):
    flow = lz.load(name)
    asked = flow.draw_evenly(100, seed=0)
    images = flow.decode(flow.pooled.noise(100, 0), asked)
    assert float((flow.classify(images) == asked).double().mean()) > 0.9
    eights = flow.translate(images, to=8)
    assert float((flow.classify(eights) == 8).double().mean()) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_and_its_card_complete(name):
    folder = PRETRAINED / name
    assert sum(path.stat().st_size for path in folder.rglob("*")) <= 30e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    measured = "Inversion, PSNR" if name in FLOWS else "data | "
    for word in ("data", "recipe", "command", "training", "licence", measured):
        assert f"| {word}" in card
    assert "does not hold" not in card
    note = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert note["application"] != "one-step" or note["noise_std"] > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_projector_is_idempotent_on_anything(dtype):
    f = lz.load("projector").to(dtype)
    noise = f.noise(30, seed=0)
    bound = 1e-3 if dtype == torch.float32 else 1e-9
    for x in (noise, 1000 * noise, torch.sign(noise), f.generate(30, seed=0)):
        once = f.project(x)
        assert float((f.project(once) - once).abs().max()) <= bound * float(x.abs().max())


def test_the_projector_s_ranks_are_nested():
    f = lz.load("projector").double()
    x = f.generate(10, seed=0)
    for j, k in ((16, 64), (128, 32)):
        product = f.at(j) @ f.at(k)
        torch.testing.assert_close(product(x), f.project(x, min(j, k)), rtol=0.0, atol=1e-8)
        assert product.rank() == min(j, k)


@pytest.mark.parametrize("sides", [(88, 128), (90, 131)])
def test_the_styles_stylize_photographs_of_any_size(sides):
    model = lz.load("style")
    assert set(model.names) == {"candy", "mosaic", "rain_princess", "udnie", "plain"}
    photograph = load_sample_image("flower.jpg")[100 : 100 + sides[0], 200 : 200 + sides[1]]
    x = torch.from_numpy(photograph.copy()).movedim(-1, 0) / 127.5 - 1
    plain = model.stylize(x, "plain")
    for name in set(model.names) - {"plain"}:
        styled = model.stylize(x, name)
        assert styled.shape == x.shape
        assert float((styled - plain).abs().mean()) > 0.1
        exact = model.stylize(x, name, cropped=False)
        assert torch.equal(exact[..., : sides[0], : sides[1]], styled)
        again = model.stylize(model.undo(exact, name), name)
        torch.testing.assert_close(again, exact, rtol=0.0, atol=0.02)


def test_the_names_of_all_models_are_known():
    from linearizer.saving.saveable import SHIPPED

    assert set(SHIPPED) == set(NAMES)


def test_weights_that_are_not_installed_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("linearizer.saving.saveable.PRETRAINED", tmp_path)
    for name in NAMES:
        with pytest.raises(lz.errors.MissingExtraError, match=r"pip install 'linearizer\[weights"):
            lz.load(name)
    assert lz.list_pretrained() == []


def test_weights_of_the_second_wheel_are_found(tmp_path, monkeypatch):
    package = tmp_path / "linearizer_weights"
    package.mkdir()
    (package / "mnist").symlink_to(PRETRAINED / "mnist")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("linearizer.saving.saveable.PRETRAINED", tmp_path / "none")
    assert lz.list_pretrained() == ["mnist"]
    assert lz.load("mnist").classes == list(range(10))
