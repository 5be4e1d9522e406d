"""Conditional flows: a class is an operator, on a g that all classes share."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

import linearizer as lz
from linearizer.applications import ConditionalFlow
from linearizer.testing import check_linear, perturb_
from linearizer.verification import certify, load_quietly

N = 4


def points(count: int = 900, n: int = N, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Classes of other means and covariances, in float64."""
    random = torch.Generator().manual_seed(0)
    draw = torch.randn(count, n, generator=random, dtype=torch.float64)
    labels = torch.arange(count) % classes
    maps = torch.randn(classes, n, n, generator=random, dtype=torch.float64) / 2
    maps = maps + torch.eye(n, dtype=torch.float64)
    means = 3.0 * torch.randn(classes, n, generator=random, dtype=torch.float64)
    return torch.einsum("bij,bj->bi", maps[labels], draw) + means[labels], labels


def bijection(n: int = N) -> lz.Bijection:
    return perturb_(lz.vector_bijection(n, depth=2, width=8).double(), scale=0.2)


@pytest.fixture(params=[None, 2], ids=["full", "rank 2"])
def rank(request: pytest.FixtureRequest) -> int | None:
    return request.param


@pytest.fixture
def flow(rank: int | None) -> ConditionalFlow:
    return ConditionalFlow.fit(bijection(), *points(), rank=rank)


# A class is a Linearizer -------------------------------------------------------------------


def test_laws(flow: ConditionalFlow) -> None:
    x = points()[0][:6]
    check_linear(flow.at(1).collapse(), x=torch.randn(6, N, dtype=torch.float64))
    for kind in ("noise", "transport"):
        check_linear(flow.between(0, 1, kind), x=x)
    check_linear(flow.between(1, 2) @ flow.between(0, 1), x=x)


def test_maps_between_classes_compose(flow: ConditionalFlow) -> None:
    x = points()[0][:20]
    ab, bc, ac, ba = (flow.between(*ends) for ends in ((0, 1), (1, 2), (0, 2), (1, 0)))
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(bc(ab(x)), ac(x), **close)
    torch.testing.assert_close((bc @ ab)(x), ac(x), **close)
    torch.testing.assert_close(ba(ab(x)), x, **close)


@pytest.mark.parametrize("kind", ["noise", "transport"])
def test_a_class_is_carried_to_another(flow: ConditionalFlow, kind: str) -> None:
    a, b = flow.at(0).operator.flow().to_dense(), flow.at(1).operator.flow().to_dense()
    A = flow.between(0, 1, kind).operator.to_dense()
    torch.testing.assert_close(A @ a @ a.mT @ A.mT, b @ b.mT)
    if kind == "transport":  # the gradient of a convex function
        torch.testing.assert_close(A, A.mT)
        assert float(torch.linalg.eigvalsh(A)[0]) > 0


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "rk4"])
def test_one_step_is_many(flow: ConditionalFlow, method: lz.flows.Method) -> None:
    noise = torch.randn(5, N, dtype=torch.float64)
    for label in flow.classes:
        f = flow.at(label)
        torch.testing.assert_close(f.collapse(50, method)(noise), f.integrate(noise, 50, method))


def test_noise_is_found_again(flow: ConditionalFlow) -> None:
    x, labels = points()
    for label in flow.classes:
        some = x[labels == label][:20]
        noise = flow.encode(some, label)
        again = flow.decode(noise, torch.full((20,), flow.indices(label)[0]))
        torch.testing.assert_close(again, some)
        torch.testing.assert_close(flow.at(label).encode(some), noise)


def test_translation_keeps_the_noise(flow: ConditionalFlow) -> None:
    x = points()[0][:30]
    there = flow.translate(x, 2)
    torch.testing.assert_close(flow.encode(there, 2), flow.encode(x))


def test_a_morph_goes_from_a_point_to_its_translation(flow: ConditionalFlow) -> None:
    x = points()[0][0]
    steps = flow.morph(x, 1, 5)
    torch.testing.assert_close(steps[0], x)
    torch.testing.assert_close(steps[-1], flow.translate(x[None], 1)[0])


# Density -----------------------------------------------------------------------------------


def test_the_density_integrates_to_one() -> None:
    flow = ConditionalFlow.fit(bijection(2), *points(n=2))
    axis = torch.linspace(-25, 25, 501, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = flow.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert float(total) == pytest.approx(1.0, abs=1e-3)


def test_the_density_is_that_of_the_parts(flow: ConditionalFlow) -> None:
    x = points()[0][:10]
    parts = torch.stack([flow.at(label).log_prob(x) for label in flow.classes])
    joint = parts + flow.weights.log()[:, None]
    torch.testing.assert_close(flow.log_prob(x), joint.logsumexp(0))
    torch.testing.assert_close(flow.posterior(x), joint.softmax(0).mT)


def test_classes_are_told(flow: ConditionalFlow) -> None:
    x, labels = points()
    assert float((flow.classify(x) == labels).double().mean()) > 0.9


def test_the_density_is_that_of_data_with_noise() -> None:
    """Samples come from data as they are; densities and posteriors from data with noise."""
    x, labels = points()
    flow = ConditionalFlow.fit(lz.Identity(N), x, labels, noise=0.5, density_shrinkage=0.0, seed=1)
    plain = ConditionalFlow.fit(lz.Identity(N), x, labels)
    assert torch.equal(flow.sample(5, seed=0), plain.sample(5, seed=0))
    noisy = [
        torch.cov(x[labels == label].mT, correction=0) + 0.25 * torch.eye(N)
        for label in flow.classes
    ]
    means = [x[labels == label].mean(0) for label in flow.classes]
    parts = [MultivariateNormal(mean, C).log_prob(x) for mean, C in zip(means, noisy, strict=True)]
    expected = (torch.stack(parts) - math.log(3)).logsumexp(0)
    torch.testing.assert_close(flow.log_prob(x), expected, rtol=0.1, atol=0.1)
    assert not torch.allclose(flow.log_prob(x), plain.log_prob(x), rtol=0.1, atol=0.1)


def test_denoising_is_exact_for_gaussian_classes() -> None:
    """Of one class of N(0, I) with noise σ, the mean of what was before is x / (1 + σ²)."""
    sigma = 0.5
    x = math.sqrt(1 + sigma**2) * torch.randn(200_000, 2, dtype=torch.float64)
    flow = ConditionalFlow.fit(lz.Identity(2), x, torch.zeros(len(x)).long())
    torch.testing.assert_close(
        flow.denoise(x[:50], sigma), x[:50] / (1 + sigma**2), rtol=2e-2, atol=2e-2
    )


# Samples -----------------------------------------------------------------------------------


def test_samples_have_the_moments_of_their_class() -> None:
    x, labels = points()
    flow = ConditionalFlow.fit(lz.Identity(N), x, labels, shrinkage=0.0)
    for label in flow.classes:
        made, real = flow.sample(40_000, label=label, seed=0), x[labels == label]
        torch.testing.assert_close(made.mean(0), real.mean(0), rtol=0.05, atol=0.05)
        covariances = torch.cov(made.mT), torch.cov(real.mT, correction=0)
        torch.testing.assert_close(*covariances, rtol=0.1, atol=0.1)


def test_classes_come_by_their_weights() -> None:
    x, labels = points()
    flow = ConditionalFlow.fit(lz.Identity(N), x[labels > 0], labels[labels > 0])
    drawn = flow.draw(2000, seed=0)
    assert flow.classes == [1, 2]
    assert float((drawn == 0).double().mean()) == pytest.approx(0.5, abs=0.05)
    assert torch.equal(flow.sample(9, seed=3), flow.sample(9, seed=3))


def test_guidance_leads_away_from_all_classes(flow: ConditionalFlow) -> None:
    plain = flow.sample(500, label=0, seed=0, temperature=0.0)
    guided = flow.sample(500, label=0, seed=0, temperature=0.0, guidance=1.0)
    z, mean = flow.g(plain)[0], flow.pooled.g_data(torch.zeros(N, dtype=torch.float64))
    expected = 2 * z - (flow.g(torch.zeros(N, dtype=torch.float64)) - mean)
    torch.testing.assert_close(flow.g(guided)[0], expected)


# Clusters ----------------------------------------------------------------------------------


def test_clusters_stand_in_for_labels() -> None:
    x, labels = points()
    flow = ConditionalFlow.fit(lz.Identity(N), 4 * x, components=3)
    found = flow.classify(4 * x)
    for label in range(3):
        share = found[labels == label].bincount(minlength=3).max() / (labels == label).sum()
        assert float(share) > 0.8


def test_clusters_within_classes() -> None:
    x, labels = points()
    flow = ConditionalFlow.fit(bijection(), x, labels, components=2, noise=0.1)
    assert flow.classes == [0, 1, 2]
    assert flow.labels == [0, 0, 1, 1, 2, 2]
    assert float((flow.classify(x) == labels).double().mean()) > 0.9
    assert (flow.classify(flow.translate(x[:30], 2)) == 2).all()
    assert flow.posterior(x).shape == (len(x), 3)
    with pytest.raises(lz.errors.RangeError, match="one component"):
        flow.at(0)


def test_a_class_of_one_point_borrows_from_the_others(rank: int | None) -> None:
    x, labels = points()
    labels[0] = 7
    flow = ConditionalFlow.fit(bijection(), x, labels, rank=rank)
    assert torch.isfinite(flow.sample(20, label=7, seed=0)).all()
    assert torch.isfinite(flow.log_prob(x)).all()


def test_a_certificate_holds(flow: ConditionalFlow, tmp_path: Path) -> None:
    flow.save_pretrained(tmp_path)
    assert certify(tmp_path, load_quietly(tmp_path)).holds


# Files and bad input -----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::linearizer.errors.CertificateWarning")
def test_saved_and_loaded(tmp_path: Path) -> None:
    flow = ConditionalFlow.fit(bijection(), *points(), noise=0.1)
    flow.save_pretrained(tmp_path)
    again = lz.load(tmp_path)
    x = points()[0][:5]
    assert torch.equal(flow.sample(7, seed=0), again.sample(7, seed=0))
    assert torch.equal(flow.log_prob(x), again.log_prob(x))
    assert again.component(0).g_data.bijections[0] is again.g  # one g, still


def refusals() -> dict[str, tuple[type[Exception], str, object]]:
    x, labels = points()
    g = lz.Identity(N)

    def fitted() -> ConditionalFlow:
        return ConditionalFlow.fit(g, x, labels)

    return {
        "an unknown class": (lz.errors.RangeError, "0, 1, 2", lambda: fitted().sample(2, label=9)),
        "no labels": (lz.errors.RangeError, "neither", lambda: ConditionalFlow.fit(g, x)),
        "too few labels": (
            lz.errors.ShapeError,
            "one label",
            lambda: ConditionalFlow.fit(g, x, labels[:3]),
        ),
        "more components than points": (
            lz.errors.RangeError,
            "at most",
            lambda: ConditionalFlow.fit(g, x[:4], components=5),
        ),
        "no component": (
            lz.errors.RangeError,
            "at most",
            lambda: ConditionalFlow.fit(g, x[:4], components=0),
        ),
        "guidance that overflows": (
            lz.errors.RangeError,
            "guidance",
            lambda: fitted().sample(2, guidance=1e308),
        ),
        "negative guidance": (
            lz.errors.RangeError,
            "guidance",
            lambda: fitted().sample(2, guidance=-1.0),
        ),
        "an unknown map": (
            lz.errors.RangeError,
            "transport",
            lambda: fitted().between(0, 1, "magic"),  # type: ignore[arg-type]
        ),
        "one point of a morph": (
            lz.errors.RangeError,
            "number of points",
            lambda: fitted().morph(x[0], 1, 1),
        ),
        "a density of other classes": (
            lz.errors.RangeError,
            "3 components",
            lambda: ConditionalFlow(
                [fitted().at(i) for i in range(3)],
                [0, 1, 2],
                torch.ones(3),
                fitted().pooled,
                ConditionalFlow.fit(g, x, labels.clamp_max(1)),
            ),
        ),
        "negative noise": (
            lz.errors.RangeError,
            "noise",
            lambda: ConditionalFlow.fit(g, x, labels, noise=-1.0),
        ),
        "components of other g": (
            lz.errors.RangeError,
            "one g",
            lambda: ConditionalFlow(
                [fitted().at(0), ConditionalFlow.fit(lz.Identity(N), x, labels).at(1)],
                [0, 1],
                torch.ones(2),
                fitted().pooled,
            ),
        ),
    }


@pytest.mark.parametrize("case", refusals())
def test_refusal(case: str) -> None:
    error, words, call = refusals()[case]
    with pytest.raises(error, match=words):
        call()
