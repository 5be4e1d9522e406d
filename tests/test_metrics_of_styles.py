"""Metrics of stylized pictures: exact where the answer is known."""

import math
from pathlib import Path

import pytest
import torch

pytest.importorskip("torchmetrics")
from linearizer.errors import FileFormatError, RangeError, ShapeError
from linearizer.metrics import SqueezeNet, border_ratio, gram_distance, grid_energy

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
BACKBONE = DATA / "perceptual" / "squeezenet1_1_features.pth"
needs_weights = pytest.mark.skipif(not BACKBONE.is_file(), reason="no published weights here")


@pytest.fixture
def noise():
    return torch.randn(8, 1, 128, 192, generator=torch.Generator().manual_seed(0))


# Gram distances


@needs_weights
def test_style_is_what_stays_when_places_change():
    backbone = SqueezeNet.from_file(BACKBONE)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 128, 128, generator=generator) * 2 - 1
    other = torch.nn.functional.interpolate(x[..., :16, :16], size=(128, 128), mode="bilinear")
    moved = x.roll((32, 48), (-2, -1))
    assert gram_distance(x, moved, backbone) < 0.05 * gram_distance(x, other, backbone)
    torch.testing.assert_close(gram_distance(x, other, backbone), gram_distance(other, x, backbone))


def test_gram_distances_are_those_of_gram_matrices():
    torch.manual_seed(0)
    backbone = SqueezeNet()
    x, y = torch.rand(2, 3, 80, 96), torch.rand(1, 3, 64, 72)
    expected = torch.zeros(2)
    for f, g in zip(backbone(x), backbone(y), strict=True):
        c, h, w = f.shape[1:]
        of_x = torch.einsum("nihw,njhw->nij", f, f) / (c * h * w)
        of_y = torch.einsum("nihw,njhw->nij", g, g) / (c * g.shape[2] * g.shape[3])
        expected += ((of_x - of_y) ** 2).sum((1, 2)) / c**2
    torch.testing.assert_close(gram_distance(x, y, backbone), expected)


def test_gram_distances_refuse_what_does_not_fit(tmp_path):
    backbone = SqueezeNet()
    with pytest.raises(ShapeError, match="one style picture or 3"):
        gram_distance(torch.zeros(3, 3, 64, 64), torch.zeros(2, 3, 64, 64), backbone)
    with pytest.raises(ShapeError, match="batch of images"):
        gram_distance(torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64), backbone)
    with pytest.raises(FileFormatError, match="no such file"):
        SqueezeNet.from_file(tmp_path / "none.pth")


# Grids


@pytest.mark.parametrize("period", [2, 4, 8])
@pytest.mark.parametrize("axis", [-2, -1])
def test_a_wave_on_noise_has_the_energy_of_its_amplitude(noise, period, axis):
    """The power of a cos(2π x / p) is (a n / 2)², or (a n)² of period 2; that of noise is n."""
    n, amplitude = noise.shape[axis], 0.5
    wave = amplitude * torch.cos(2 * math.pi / period * torch.arange(n))
    wave = wave if axis == -1 else wave[:, None]
    expected = 1 + amplitude**2 * n / (1 if period == 2 else 4)
    assert grid_energy(noise + wave) == pytest.approx(expected, rel=0.15)
    assert grid_energy(noise) < 1.2


def test_a_grid_is_seen_in_color_and_in_images_of_any_side(noise):
    colors = noise[..., :99, :133].expand(-1, 3, -1, -1).clone()
    assert grid_energy(colors) < 1.3
    colors[..., ::4] += 0.8
    assert grid_energy(colors) > 4
    assert grid_energy(colors, periods=(3,)) < 1.3


def test_a_wave_of_no_period_is_no_grid(noise):
    wave = 0.5 * torch.cos(2 * math.pi / 5 * torch.arange(noise.shape[-1]))
    assert grid_energy(noise + wave) < 1.2


def test_grids_are_refused_of_what_is_too_small(noise):
    assert grid_energy(noise[..., :32, :32]) < 2
    with pytest.raises(ShapeError, match="32 pixels or more"):
        grid_energy(noise[..., :31, :64])
    for periods in ((), (1, 2)):
        with pytest.raises(RangeError, match="periods of 2 pixels"):
            grid_energy(noise, periods)


# Borders


def test_a_border_with_twice_the_error_has_four_times_its_square():
    errors = torch.ones(2, 3, 40, 50)
    assert border_ratio(errors) == 1.0
    errors[..., 8:-8, 8:-8] = -0.5
    assert border_ratio(errors) == 4.0
    assert border_ratio(errors, width=4) < 4.0


def test_borders_are_refused_without_an_interior():
    with pytest.raises(ShapeError, match="two borders of 8"):
        border_ratio(torch.ones(3, 16, 40))
    with pytest.raises(RangeError, match="one pixel or more"):
        border_ratio(torch.ones(3, 40, 40), width=0)
