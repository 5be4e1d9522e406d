"""The generator of given latents: exact where there is no noise, and little biased by it."""

import pytest
import torch
from torch import Tensor

from linearizer.errors import NonFiniteError, RangeError
from linearizer.estimation import fit_generator, total_least_squares
from linearizer.flows import FreeGenerator

TURN = torch.tensor([[-0.2, -3.0, 0.0], [3.0, -0.2, 0.0], [0.5, 0.0, -1.0]], dtype=torch.float64)


def runs(L: Tensor, clocks: list[Tensor], seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    starts = torch.randn(len(clocks), len(L), 1, generator=random, dtype=torch.float64)
    E = FreeGenerator(L).propagators
    return [(E(t - t[0]) @ z).squeeze(-1) for t, z in zip(clocks, starts, strict=True)]


def irregular(count: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return 5 + torch.rand(count, generator=random, dtype=torch.float64).sort().values * 4


REGULAR = torch.linspace(0, 4, 41, dtype=torch.float64)


@pytest.mark.parametrize("refinement", [0, 50])
def test_equal_steps_need_no_refinement(refinement: int) -> None:
    clocks = [REGULAR, REGULAR[:7] + 3]
    found = fit_generator(runs(TURN, clocks), clocks, refinement=refinement)
    torch.testing.assert_close(found, TURN, rtol=1e-8, atol=1e-8)


def test_unequal_steps_are_refined() -> None:
    clocks = [irregular(40, 1), irregular(25, 2), irregular(1, 3)]
    latents = runs(TURN, clocks)
    rough = fit_generator(latents, clocks, refinement=0)
    found = fit_generator(latents, clocks, refinement=200)
    torch.testing.assert_close(found, TURN, rtol=1e-4, atol=1e-4)
    assert (rough - TURN).norm() > 10 * (found - TURN).norm()


def test_rows_that_are_missing_leave_the_rest() -> None:
    keep = torch.arange(41) % 7 != 3
    clocks = [REGULAR[keep]]
    torch.testing.assert_close(fit_generator(runs(TURN, clocks), clocks), TURN)


def test_noise() -> None:
    clocks = [REGULAR] * 20
    random = torch.Generator().manual_seed(1)
    latents = [
        z + 0.02 * torch.randn(z.shape, generator=random, dtype=z.dtype) for z in runs(TURN, clocks)
    ]
    refined = fit_generator(latents, clocks)
    values = torch.linalg.eigvals(refined)
    true = torch.linalg.eigvals(TURN)
    assert float((values.real.sort().values - true.real.sort().values).abs().max()) < 0.03
    assert abs(float(values.imag.max()) - 3.0) < 0.01
    closed = fit_generator(latents, clocks, refinement=0)
    assert (refined - TURN).norm() < (closed - TURN).norm()


def test_total_least_squares_is_not_biased_by_noise_in_the_inputs() -> None:
    random = torch.Generator().manual_seed(0)
    x, noise_x, noise_y = torch.randn(3, 20000, 2, generator=random, dtype=torch.float64)
    A = torch.tensor([[0.9, 0.3], [-0.3, 0.9]], dtype=torch.float64)
    seen, image = x + 0.5 * noise_x, x @ A.mT + 0.5 * noise_y
    ordinary = torch.linalg.lstsq(seen, image).solution.mT
    assert float((total_least_squares(seen, image) - A).norm()) < 0.05
    assert float((ordinary - A).norm()) > 0.2
    with pytest.raises(RangeError, match="2 pairs or more"):
        total_least_squares(x[:1], x[:1])


def test_directions_without_data_do_not_move() -> None:
    padded = [torch.cat([z, torch.zeros(len(z), 2).double()], 1) for z in runs(TURN, [REGULAR])]
    expected = torch.block_diag(TURN, torch.zeros(2, 2).double())
    torch.testing.assert_close(fit_generator(padded, [REGULAR]), expected, atol=1e-8, rtol=1e-8)


def test_a_flip_has_no_real_logarithm_and_is_fitted_all_the_same() -> None:
    """Sampled at half its period, a turn looks like a flip: the slope of means is used."""
    z = torch.tensor([[1.0], [-0.9], [0.8], [-0.7]])
    found = fit_generator([z], [torch.arange(4.0)], refinement=0)
    assert found.dtype == torch.float32
    assert bool(found.isfinite().all())


def test_what_grows_beyond_all_numbers_is_not_refined() -> None:
    t = torch.linspace(0, 1e5, 11, dtype=torch.float64)
    z = torch.rand(11, 2, dtype=torch.float64)
    assert bool(fit_generator([z], [t]).isfinite().all())


def test_units_of_time_and_of_latents_do_not_matter() -> None:
    clocks = [irregular(30, 1), irregular(30, 2)]
    latents = runs(TURN, clocks)
    other = fit_generator([1e-6 * z for z in latents], [1e5 * t for t in clocks])
    torch.testing.assert_close(1e5 * other, fit_generator(latents, clocks), rtol=1e-3, atol=1e-3)


def test_what_is_refused() -> None:
    one = torch.ones(1, 2)
    with pytest.raises(RangeError, match="two points or more"):
        fit_generator([one], [torch.zeros(1)])
    with pytest.raises(RangeError, match="iterations"):
        fit_generator([one, torch.ones(2, 2)], [torch.zeros(1), torch.arange(2.0)], refinement=-1)
    for x, t in ((torch.tensor([[1.0], [torch.nan]]), torch.arange(2.0)),):
        with pytest.raises(NonFiniteError):
            fit_generator([x], [t])
        with pytest.raises(NonFiniteError):
            fit_generator([torch.ones(2, 1)], [x[:, 0]])
