"""What lies far from the data gets codes of the data."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.applications import IdempotentGenerator
from linearizer.testing import check_bijection

N, K = 12, 3


def data(count: int = 3000) -> tuple[Tensor, Tensor]:
    """Two classes in a range of three dimensions, and little outside."""
    random = torch.Generator().manual_seed(0)
    draw = torch.randn(count, N, generator=random, dtype=torch.float64)
    scales = torch.cat([torch.ones(K), torch.full((N - K,), 0.05)]).double()
    labels = torch.arange(count) % 2
    x = draw * scales
    x[:, 0] += 12.0 * labels - 6.0
    return x, labels


@pytest.fixture
def plain() -> IdempotentGenerator:
    return IdempotentGenerator.fit(lz.Identity(N), [data()[0]], rank=K)


@pytest.fixture
def f(plain: IdempotentGenerator) -> IdempotentGenerator:
    return plain.redrawing(*data())


def test_data_stay_as_they_are(plain: IdempotentGenerator, f: IdempotentGenerator) -> None:
    x = data()[0][:200]
    torch.testing.assert_close(f.project(x), plain.project(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [1.0, 5.0, 1000.0])
def test_noise_becomes_data_of_both_classes(f: IdempotentGenerator, size: float) -> None:
    made = f.project(size * torch.randn(4000, N, dtype=torch.float64))
    places = made[:, 0]
    assert float((places > 0).double().mean()) == pytest.approx(0.5, abs=0.06)
    assert float(places.abs().mean()) == pytest.approx(6.0, abs=0.3)
    assert float(places.abs().std()) == pytest.approx(1.0, abs=0.2)
    assert float(made[:, 1:K].std()) == pytest.approx(1.0, abs=0.2)
    assert float(made[:, K:].abs().max()) < 0.1


def test_it_is_as_idempotent_as_before(f: IdempotentGenerator) -> None:
    x = torch.cat([data()[0][:20], torch.randn(20, N, dtype=torch.float64)])
    check_bijection(f.g, x=x)
    for rank in (1, 2, 3):
        torch.testing.assert_close(
            f.project(f.project(x), rank), f.project(x, rank), rtol=1e-10, atol=1e-10
        )


def test_samples_come_from_the_classes(f: IdempotentGenerator) -> None:
    made = f.generate(2000, seed=0)
    assert float(made[:, 0].abs().mean()) == pytest.approx(6.0, abs=0.3)
    assert torch.equal(made, f.generate(2000, seed=0))
    assert (f.generate(200, label=1, seed=0)[:, 0] > 0).all()
    with pytest.raises(lz.errors.RangeError, match="0, 1"):
        f.generate(2, label=7)


def test_a_class_of_a_projector_without_any(plain: IdempotentGenerator) -> None:
    with pytest.raises(lz.errors.RangeError, match="redrawing"):
        plain.generate(2, label=0)


def test_clusters_stand_in_for_labels(plain: IdempotentGenerator) -> None:
    f = plain.redrawing(data()[0], components=2)
    made = f.project(torch.randn(2000, N, dtype=torch.float64))
    assert float(made[:, 0].abs().mean()) == pytest.approx(6.0, abs=0.3)


def test_redrawing_again_replaces_what_was_redrawn(f: IdempotentGenerator) -> None:
    again = f.redrawing(*data())
    assert len(again.g.bijections) == len(f.g.bijections)  # type: ignore[arg-type]


def test_what_is_far_has_to_be_far(plain: IdempotentGenerator) -> None:
    with pytest.raises(lz.errors.RangeError, match="farther"):
        plain.redrawing(*data(), far=[data()[0]])


def test_a_basis_has_to_be_orthonormal() -> None:
    with pytest.raises(lz.errors.RangeError, match="orthonormal"):
        lz.bijections.Redraw(
            2 * torch.eye(4, 1),
            torch.eye(4)[:, 1:3],
            torch.ones(1, 1),
            torch.ones(1, 1, 1),
            torch.ones(1),
            near=1.0,
            far=2.0,
        )


def test_a_range_that_leaves_no_room() -> None:
    x, labels = data()
    f = IdempotentGenerator.fit(lz.Identity(N), [x], rank=N - 1)
    with pytest.raises(lz.errors.RangeError, match="lower rank"):
        f.redrawing(x, labels)


@pytest.mark.filterwarnings("ignore::linearizer.errors.CertificateWarning")
def test_saved_and_loaded(f: IdempotentGenerator, tmp_path) -> None:  # type: ignore[no-untyped-def]
    f.save_pretrained(tmp_path)
    again = lz.load(tmp_path)
    x = torch.randn(20, N, dtype=torch.float64)
    assert torch.equal(f.project(x), again.project(x))
    assert again.redraw is again.g.bijections[-1]
