"""Curves, whitening, transport, and training on plain rows: what the estimators for tables use."""

import pytest
import torch

import linearizer as lz
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.estimation import fit_marginals, fit_whitening, gaussian_transport
from linearizer.metrics import energy_distance
from linearizer.testing import check_bijection
from linearizer.training import (
    ComponentsConfig,
    DensityConfig,
    train_components,
    train_density,
    train_transport,
)

QUICK = DensityConfig(steps=60, width=16, depth=2)


def mixed(count: int = 300) -> torch.Tensor:
    """Columns of every kind: skewed, heavy-tailed, of two values, rounded, constant, and equal."""
    z = torch.randn(count, 4, dtype=torch.float64)
    two = (z[:, 2] > 1).double()
    constant = torch.full_like(two, 1e6)
    columns = [z[:, 0].exp(), z[:, 1] ** 5, two, z[:, 3].round(), constant, z[:, 0].exp()]
    return torch.stack(columns, 1) * torch.tensor([1e-3, 1, 1, 1e4, 1, 1e-3], dtype=z.dtype)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_curves_of_any_column_are_a_bijection(strength: float) -> None:
    x = mixed()
    g = fit_marginals(x, strength=strength)
    check_bijection(g, x=x[:6], rtol=1e-6)
    z = g(x)
    assert float(z.mean(0).abs().max()) < 0.7
    assert float(z.std(0)[:4].max()) < 1.5
    far = x.mean(0) + 100 * (1 + x.std(0))
    assert torch.allclose(g.inverse(g(far)), far, rtol=1e-9)


def test_curves_at_strength_zero_are_standard_scores() -> None:
    x = torch.randn(50, 3, dtype=torch.float64) * 7 + 2
    expected = (x - x.mean(0)) / x.std(0, correction=0)
    torch.testing.assert_close(fit_marginals(x, strength=0.0)(x), expected)


def test_a_column_keeps_its_order() -> None:
    x = mixed()
    z = fit_marginals(x)(x)
    order = x[:, 1].argsort()
    assert bool((z[order, 1].diff() >= 0).all())


def test_curves_that_make_no_sense_are_refused() -> None:
    spline = lz.bijections.MonotoneSpline
    knots, ones = torch.tensor([[0.0, 1.0, 2.0]]), torch.ones(1, 3)
    with pytest.raises(RangeError, match="increasing knots"):
        spline(knots.flip(1), knots, ones)
    with pytest.raises(RangeError, match="positive slopes"):
        spline(knots, knots, -ones)
    with pytest.raises(ShapeError, match="one shape"):
        spline(knots, knots, ones[:, :2])
    with pytest.raises(ShapeError, match="2 knots"):
        spline(knots[:, :1], knots[:, :1], ones[:, :1])
    for rows in (torch.zeros(0, 3), torch.zeros(3)):
        with pytest.raises(ShapeError, match="rows"):
            fit_marginals(rows)
    with pytest.raises(NonFiniteError):
        fit_marginals(torch.tensor([[1.0], [float("nan")]]))
    with pytest.raises(RangeError, match="strength"):
        fit_marginals(torch.ones(3, 1), strength=2.0)


def test_whitening_of_columns_that_do_not_vary() -> None:
    x = torch.randn(100, 1, dtype=torch.float64).repeat(1, 3)
    x[:, 2] = 5.0
    g = fit_whitening(x)
    check_bijection(g, x=x[:6], rtol=1e-6)
    assert bool(g(x).isfinite().all())
    rotation = fit_whitening(x, scaled=False)
    torch.testing.assert_close(
        torch.cdist(rotation(x), rotation(x)), torch.cdist(x, x), rtol=0, atol=1e-6
    )


def test_a_whitening_that_makes_no_sense_is_refused() -> None:
    whitening = lz.bijections.Whitening
    with pytest.raises(ShapeError, match="mean"):
        whitening(torch.zeros(2), torch.eye(3), torch.ones(3))
    with pytest.raises(RangeError, match="orthonormal"):
        whitening(torch.zeros(2), 2 * torch.eye(2), torch.ones(2))
    with pytest.raises(RangeError, match="positive scales"):
        whitening(torch.zeros(2), torch.eye(2), torch.zeros(2))


def test_the_transport_carries_one_covariance_to_the_other() -> None:
    B, C = torch.randn(2, 5, 5, dtype=torch.float64)
    S, T = B @ B.mT, C @ C.mT
    A = gaussian_transport(S, T, floor=1e-12)
    torch.testing.assert_close(A @ S @ A.mT, T, rtol=1e-5, atol=1e-5)
    assert bool((torch.linalg.eigvalsh(A) > 0).all())
    flat = torch.zeros(5, 5, dtype=torch.float64)
    assert bool(gaussian_transport(flat, T).isfinite().all())
    with pytest.raises(ShapeError, match="two covariances"):
        gaussian_transport(S, T[:3, :3])


def test_nothing_is_trained_where_there_is_nothing_to_learn() -> None:
    gaussian = torch.randn(400, 4)
    trained = train_density(gaussian, QUICK)
    assert trained.gain == 0
    assert trained.g is trained.base
    assert train_density(gaussian[:20], QUICK).steps == 0
    assert train_density(gaussian[:, :1], QUICK).steps == 0
    assert train_components(gaussian, [2], ComponentsConfig(steps=50, width=16)).gain < 0.02


@pytest.mark.parametrize("unseen", [0, 1, 2])
def test_few_rows_are_not_fitted_to_death(unseen: int) -> None:
    """Wines of a kind that was not seen are told as well as by the Gaussian that it began with."""
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_wine
    from sklearn.metrics import roc_auc_score

    rows, kinds = (torch.from_numpy(a) for a in load_wine(return_X_y=True))
    seen = rows[kinds != unseen]
    order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(0))
    train, others = seen[order[::2]], seen[order[1::2]]
    trained = train_density(train, seed=0)
    test = torch.cat([others, rows[kinds == unseen]])
    is_odd = torch.arange(len(test)) >= len(others)

    def area(g: lz.Bijection) -> float:
        z, log_det = g.forward_and_log_det(test)
        return float(roc_auc_score(is_odd, 0.5 * z.square().sum(1) - log_det))

    assert area(trained.g) > area(trained.base) - 0.02


def test_any_table_can_be_trained_on() -> None:
    trained = train_density(mixed(), QUICK)
    assert bool(trained.g(mixed()).isfinite().all())


def test_training_leaves_the_random_state_alone() -> None:
    x = torch.randn(100, 3)
    before = torch.get_rng_state()
    train_density(x, QUICK)
    assert torch.equal(torch.get_rng_state(), before)


def test_options_out_of_range_are_refused() -> None:
    x = torch.randn(60, 3)
    with pytest.raises(RangeError, match="rank"):
        train_components(x, [3])
    for train in (train_density, lambda rows, **options: train_components(rows, [1], **options)):
        with pytest.raises(RangeError, match="held out"):
            train(x, held_out=1.0)
        with pytest.raises(ShapeError, match="rows"):
            train(x[0])
        with pytest.raises(NonFiniteError):
            train(x / 0)
    with pytest.raises(ShapeError, match=r"\(N, n\) and \(M, n\)"):
        train_transport(x, x[:, :2])
    with pytest.raises(ShapeError, match="two rows"):
        train_transport(x, x[:1])


def test_the_energy_distance_of_equal_and_of_other_samples() -> None:
    x, y = torch.randn(2, 400, 3)
    assert abs(energy_distance(x, y)) < 0.05
    assert energy_distance(x, y * 2) > 0.2
    with pytest.raises(ShapeError, match="two samples"):
        energy_distance(x, y[:1])
