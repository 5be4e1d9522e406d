"""Metrics: exact where the answer is known, and clear about files that are not what they seem."""

import math
from pathlib import Path

import pytest
import torch

import linearizer as lz

pytest.importorskip("torchmetrics")
from linearizer.applications import OneStepFlow
from linearizer.data import load_digits, load_mnist
from linearizer.errors import FileFormatError, ShapeError
from linearizer.metrics import (
    LPIPS,
    Classifier,
    bits_per_dimension,
    feature_distance,
    frechet_distance,
    kernel_distance,
    slant,
    stroke_width,
)
from linearizer.metrics.pth import load_public_weights

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
BACKBONE = DATA / "perceptual" / "squeezenet1_1_features.pth"
HEADS = DATA / "perceptual" / "lpips_squeeze_v0.1.pth"
needs_weights = pytest.mark.skipif(
    not (BACKBONE.is_file() and HEADS.is_file()), reason="no published LPIPS weights here"
)


# LPIPS


@pytest.fixture(scope="module")
def lpips():
    return LPIPS.from_files(BACKBONE, HEADS)


@pytest.fixture
def pictures():
    """Smooth pictures, and noise to put on them."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 3, 8, 8, generator=generator) * 2 - 1
    smooth = torch.nn.functional.interpolate(coarse, size=(96, 80), mode="bicubic").clamp(-1, 1)
    return smooth, torch.randn(smooth.shape, generator=generator)


@needs_weights
def test_lpips_of_equal_images_is_zero(lpips, pictures):
    x, _ = pictures
    assert torch.equal(lpips(x, x), torch.zeros(3))


@needs_weights
def test_lpips_is_symmetric_and_grows_with_noise(lpips, pictures):
    x, noise = pictures
    assert torch.equal(lpips(x, x + 0.1 * noise), lpips(x + 0.1 * noise, x))
    distances = torch.stack([lpips(x, x + s * noise) for s in (0.01, 0.05, 0.2, 0.5)])
    assert (distances.diff(dim=0) > 0).all()


@needs_weights
def test_lpips_is_that_of_torchmetrics(lpips, pictures, monkeypatch):
    """Theirs wants torchvision for the backbone, so it is given ours; its heads are its own."""
    from torchmetrics.functional.image import lpips as theirs

    features = lpips.backbone.features
    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda *_: features)
    network = theirs._LPIPS(net="squeeze", pnet_rand=True).eval()
    x, noise = pictures
    expected = network(x, x + 0.3 * noise).flatten().detach()
    torch.testing.assert_close(lpips(x, x + 0.3 * noise), expected, rtol=1e-4, atol=1e-6)


@needs_weights
def test_small_grey_images_are_enlarged(lpips):
    x = torch.rand(2, 1, 28, 28) * 2 - 1
    y = -x
    large = [
        torch.nn.functional.interpolate(i, size=(64, 64), mode="bilinear").expand(-1, 3, -1, -1)
        for i in (x, y)
    ]
    torch.testing.assert_close(lpips(x, y), lpips(*large))


@needs_weights
def test_lpips_refuses_other_weights(tmp_path):
    with pytest.raises(FileFormatError, match=r"unknown|lacks"):
        LPIPS.from_files(HEADS, BACKBONE)
    state = load_public_weights(BACKBONE)
    torch.save({**state, "classifier.1.weight": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(FileFormatError, match=r"unknown 'classifier.1.weight'"):
        LPIPS.from_files(tmp_path / "more.pth", HEADS)
    state["features.0.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "shape.pth")
    with pytest.raises(FileFormatError, match=r"features.0.bias of shape \(64,\)"):
        LPIPS.from_files(tmp_path / "shape.pth", HEADS)


def test_lpips_refuses_images_of_two_shapes():
    with pytest.raises(ShapeError, match="one shape"):
        LPIPS()(torch.zeros(2, 1, 64, 64), torch.zeros(2, 3, 64, 64))


def test_lpips_has_nothing_to_train():
    assert not any(p.requires_grad for p in LPIPS().parameters())


# Published weights


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileFormatError, match=r"no such file; download"):
        load_public_weights(tmp_path / "none.pth")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_cut_off_weights_are_refused(kept, tmp_path):
    torch.save({"a": torch.zeros(50)}, tmp_path / "w.pth")
    content = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(content[:kept])
    with pytest.raises(FileFormatError, match="cut off"):
        load_public_weights(tmp_path / "w.pth")


def test_other_bytes_are_refused(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"<html>404</html>" * 100)
    with pytest.raises(FileFormatError, match="download it again"):
        load_public_weights(tmp_path / "w.pth")


def test_code_in_weights_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(FileFormatError, match="something else"):
        load_public_weights(tmp_path / "w.pth")


def test_nested_weights_are_refused(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(2)}, "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(FileFormatError, match="state_dict alone"):
        load_public_weights(tmp_path / "w.pth")


# Generation


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 64, 64)])
def test_a_loaded_classifier_judges_as_the_saved_one(shape, tmp_path):
    classifier, images = Classifier(shape, classes=4, num_features=16), torch.randn(6, *shape)
    classifier.save_pretrained(tmp_path)
    loaded = lz.load(tmp_path)
    assert not loaded.training
    assert loaded(images).shape == (6, 4)
    assert torch.equal(loaded(images), classifier(images))


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason="no MNIST files here")
def test_the_larger_classifier_learns_mnist():
    pytest.importorskip("lightning")
    from linearizer.training import train_classifier

    rest, held_out = load_mnist(DATA / "mnist", train=False).split(2000)
    classifier = train_classifier(rest, steps=150)
    assert not classifier.training
    assert classifier.accuracy(held_out.images, held_out.labels) > 0.9


def test_frechet_distance_of_gaussians():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 4, generator=generator)
    x = torch.linalg.qr(x - x.mean(0)).Q * math.sqrt(499)  # mean 0 and covariance I, exactly
    assert feature_distance(x, x) == pytest.approx(0, abs=1e-3)
    assert feature_distance(3 * x + 1, x) == pytest.approx(4 * (1 + (3 - 1) ** 2), rel=1e-4)


def test_frechet_distance_in_batches_is_that_at_once():
    classifier = Classifier((1, 8, 8), num_features=16)
    x, y = load_digits().images.split(900)
    expected = feature_distance(classifier.features(x).detach(), classifier.features(y).detach())
    assert frechet_distance(classifier, x, y) == pytest.approx(expected, abs=1e-4)


# Likelihood


def test_bits_of_a_flow_whose_density_is_known():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 4, generator=generator)
    flow = OneStepFlow.fit(lz.vector_bijection(4), [x])
    nats = -torch.distributions.MultivariateNormal(x.mean(0), x.T.cov()).log_prob(x).mean() / 4
    expected = float(nats) / math.log(2) + math.log2(255 / 2)
    assert bits_per_dimension(flow, x, quantization_levels=256) == pytest.approx(expected, abs=1e-2)
    assert bits_per_dimension(flow, x, 256, batch_size=77) == pytest.approx(
        bits_per_dimension(flow, x, 256, batch_size=2000), abs=1e-5
    )


def test_kernel_distance_of_points():
    zeros, ones = torch.zeros(60, 5), torch.ones(50, 5)
    assert kernel_distance(ones, zeros) == pytest.approx(1 + 2**3 - 2)
    assert kernel_distance(ones, ones) == pytest.approx(0)


def test_kernel_distance_is_as_often_below_zero_as_above_and_draws_from_its_own_seed():
    generator = torch.Generator().manual_seed(0)
    state = torch.random.get_rng_state()
    found = [
        kernel_distance(*torch.randn(2, 100, 4, generator=generator), seed=i) for i in range(12)
    ]
    assert 1 < sum(distance > 0 for distance in found) < 11
    assert torch.equal(torch.random.get_rng_state(), state)
    x, y = torch.randn(2, 1010, 4, generator=generator)
    assert kernel_distance(x, y, seed=1) != kernel_distance(x, y, seed=2)


# Strokes


def bar(lean: float, width: float, side: int = 64) -> torch.Tensor:
    """A bar that goes `lean` to the right while it goes up by one, so wide from left to right."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    middle = (side - 1) / 2
    off = (columns - middle + lean * (rows - middle)).abs()
    ink = (width / 2 + 0.5 - off).clamp(0, 1) * ((rows - middle).abs() < 21)
    return (2 * ink - 1)[None, None]


@pytest.mark.parametrize("lean", [-0.7, 0.0, 0.3])
@pytest.mark.parametrize("width", [2.0, 5.0])
def test_slant_and_stroke_width_of_bars(lean, width):
    image = bar(lean, width)
    assert float(slant(image)) == pytest.approx(lean, abs=0.01)
    height = 42
    perimeter = 2 * (width + height * math.hypot(1, lean))
    assert float(stroke_width(image)) == pytest.approx(2 * width * height / perimeter, rel=0.1)


def test_strokes_of_empty_paper_and_of_what_is_not_clamped():
    assert slant(-torch.ones(2, 1, 8, 8)).tolist() == [0, 0]
    assert stroke_width(-torch.ones(2, 3, 8, 8)).tolist() == [0, 0]
    assert torch.equal(slant(3 * bar(0.3, 4.0)), slant((3 * bar(0.3, 4.0)).clamp(-1, 1)))
