"""The one-step sampler: it is its many-step sampler, it is invertible, it has a density."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.errors import RangeError, ShapeError
from linearizer.flows import Method
from linearizer.testing import perturb_

METHODS: list[Method] = ["euler", "midpoint", "heun", "rk4"]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
N = 6


def latents(seed: int = 0, n: int = N) -> lz.Bijection:
    torch.manual_seed(seed)
    return perturb_(lz.vector_bijection(n, depth=2, width=8).double(), seed=seed)


def data(count: int = 400, n: int = N) -> Tensor:
    torch.manual_seed(1)
    mixing = torch.eye(n) + 0.4 * torch.randn(n, n)
    return (torch.randn(count, n) @ mixing + 2.0).double()


@pytest.fixture(params=["closed form", "closed form, two g", "paper"])
def flow(request: pytest.FixtureRequest) -> lz.OneStepFlow:
    if request.param == "closed form":
        return lz.OneStepFlow.fit(latents(), data().split(100))
    if request.param == "closed form, two g":
        noise = torch.randn(400, N, dtype=torch.float64).split(100)
        return lz.OneStepFlow.fit(latents(), data().split(100), g_noise=latents(5), noise=noise)
    return paper()


def paper(steps: int | None = 20, method: Method = "euler") -> lz.OneStepFlow:
    torch.manual_seed(2)
    operator = perturb_(lz.flows.LowRankHypernetwork(N, rank=2, width=8).double())
    return lz.OneStepFlow(latents(), operator, latents(5), steps=steps, method=method)


def test_fit_takes_means_and_covariances_to_standard_noise() -> None:
    flow = lz.OneStepFlow.fit(latents(), data().split(100))
    white = flow.collapse().pinv().operator(flow.g_data(data()))
    torch.testing.assert_close(white.mean(0), torch.zeros(N).double(), rtol=0, atol=1e-10)
    torch.testing.assert_close(white.mT @ white / len(white), torch.eye(N).double(), **CLOSE)


def test_fit_reads_its_data_once_and_needs_vectors() -> None:
    flow = lz.OneStepFlow.fit(latents(), iter(data().split(150)))
    assert flow.sample(3).shape == (3, N)
    with pytest.raises(ShapeError, match="Flatten"):
        lz.OneStepFlow.fit(lz.Squeeze((1, 4, 4)), [torch.randn(8, 1, 4, 4)])


def test_samples_have_the_moments_of_the_data() -> None:
    flow = lz.OneStepFlow.fit(lz.Identity(N), [data(2000)])
    samples = flow.sample(20000, seed=0).double()
    torch.testing.assert_close(samples.mean(0), data(2000).mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(samples.mT.cov(), data(2000).mT.cov(), rtol=0.05, atol=0.05)


def test_seeds_and_temperature(flow: lz.OneStepFlow) -> None:
    assert torch.equal(flow.sample(4, seed=7), flow.sample(4, seed=7))
    assert not torch.equal(flow.sample(4, seed=7), flow.sample(4, seed=8))
    assert not torch.equal(flow.sample(4), flow.sample(4))
    cold = flow.sample(2, temperature=0.0)
    assert torch.equal(cold[0], cold[1])
    assert not flow.sample(2).requires_grad


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [2, 9, 30])
def test_collapse_is_the_sampler(flow: lz.OneStepFlow, steps: int, method: Method) -> None:
    x = torch.randn(5, N, dtype=torch.float64)
    many = flow.integrate(x, steps, method)
    torch.testing.assert_close(flow.collapse(steps, method)(x), many, **CLOSE)
    torch.testing.assert_close(
        flow.sample(3, steps=steps, method=method, seed=0),
        flow.collapse(steps, method)(flow.noise(3, seed=0)),
        **CLOSE,
    )


@pytest.mark.parametrize("method", METHODS)
def test_many_steps_approach_the_exact_flow(method: Method) -> None:
    flow = lz.OneStepFlow.fit(latents(), data().split(100))
    exact = flow.collapse().operator.to_dense()
    errors = [
        float((flow.collapse(steps, method).operator.to_dense() - exact).norm())
        for steps in (40, 80)
    ]
    order = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}[method]
    assert errors[0] / errors[1] > 0.8 * 2**order


def test_encode_and_decode(flow: lz.OneStepFlow) -> None:
    noise = torch.randn(8, N, dtype=torch.float64)
    points = flow.decode(noise)
    torch.testing.assert_close(flow.encode(points), noise, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(flow.decode(flow.encode(data(20))), data(20), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("s", [0.25, 0.5])
def test_two_parts_make_the_whole(s: float) -> None:
    flow = lz.OneStepFlow.fit(latents(), data().split(100), g_noise=latents(5), noise=[data()])
    x = torch.randn(5, N, dtype=torch.float64)
    whole = flow.flow_map(s, 1.0)(flow.flow_map(0.0, s)(x))
    torch.testing.assert_close(whole, flow.collapse()(x), rtol=1e-10, atol=1e-10)
    back = flow.flow_map(1.0, s)(flow.collapse()(x))
    torch.testing.assert_close(back, flow.flow_map(0.0, s)(x), rtol=1e-10, atol=1e-10)
    steps = int(8 * s)
    first, second = flow.flow_map(0.0, s, steps, "rk4"), flow.flow_map(s, 1.0, 8 - steps, "rk4")
    torch.testing.assert_close(second(first(x)), flow.collapse(8, "rk4")(x), **CLOSE)


def test_interpolation_is_straight_in_the_latents(flow: lz.OneStepFlow) -> None:
    x, y = data(2)
    z = flow.g_data(flow.interpolate(x, y, 5))
    expected = torch.lerp(z[0], z[-1], torch.linspace(0, 1, 5).double()[:, None])
    torch.testing.assert_close(z, expected, rtol=1e-8, atol=1e-8)


# Density -----------------------------------------------------------------------------------


def plane(kind: str) -> lz.OneStepFlow:
    if kind == "paper":
        torch.manual_seed(2)
        operator = perturb_(lz.flows.LowRankHypernetwork(2, rank=1, width=8).double())
        return lz.OneStepFlow(latents(0, 2), operator, latents(5, 2), steps=4, method="midpoint")
    return lz.OneStepFlow.fit(latents(0, 2), data(n=2).split(100))


@pytest.mark.parametrize("kind", ["closed form", "paper"])
@torch.no_grad()
def test_density_integrates_to_one(kind: str) -> None:
    flow = plane(kind)
    samples = flow.sample(4000, seed=0)
    low, high = samples.amin(0), samples.amax(0)
    low, high = low - 0.7 * (high - low), high + 0.7 * (high - low)
    grids = [torch.linspace(float(a), float(b), 600).double() for a, b in zip(low, high)]  # noqa: B905
    points = torch.cartesian_prod(*grids)
    cell = torch.stack([grid[1] - grid[0] for grid in grids]).prod()
    assert float(flow.log_prob(points).exp().sum() * cell) == pytest.approx(1.0, abs=1e-3)


def test_density_is_that_of_the_change_of_variables(flow: lz.OneStepFlow) -> None:
    x = data(1)[0]
    jacobian = torch.autograd.functional.jacobian(flow.encode, x)
    normal = -0.5 * (flow.encode(x).square() + math.log(2 * math.pi)).sum()
    torch.testing.assert_close(
        flow.log_prob(x), normal + torch.linalg.slogdet(jacobian)[1], rtol=1e-8, atol=1e-8
    )


# The paper's operator ------------------------------------------------------------------------


def test_its_one_step_is_the_sampler_of_its_own_steps() -> None:
    flow = paper(12, "heun")
    x = torch.randn(4, N, dtype=torch.float64)
    torch.testing.assert_close(flow.decode(x), flow.integrate(x, 12), **CLOSE)
    torch.testing.assert_close(flow.decode(x), flow.collapse(12, "heun")(x), **CLOSE)
    torch.testing.assert_close(flow.sample(3, seed=1), flow.sample(3, steps=12, seed=1), **CLOSE)


def test_it_stops_on_the_papers_grid() -> None:
    flow = paper()
    expected = lz.flows.collapse(flow.operator, 20, "euler", 0.0, 0.95).to_dense()
    torch.testing.assert_close(flow.collapse().operator.to_dense(), expected, **CLOSE)


def test_it_needs_steps() -> None:
    flow = paper(None)
    for ask in (
        lambda: flow.sample(2),
        lambda: flow.encode(data(2)),
        lambda: flow.log_prob(data(2)),
        flow.collapse,
    ):
        with pytest.raises(RangeError, match="pass steps"):
            ask()
    for ask in (
        lambda: flow.collapse(1),
        lambda: flow.sample(2, steps=1),
        lambda: flow.integrate(data(2), 1),
        lambda: paper(1),
    ):
        with pytest.raises(RangeError, match="paper's time grid"):
            ask()
    assert flow.sample(2, steps=5).shape == (2, N)


def test_wrong_arguments_are_refused(flow: lz.OneStepFlow) -> None:
    for ask in (
        lambda: flow.collapse(0),
        lambda: flow.collapse(5, "leapfrog"),
        lambda: flow.flow_map(-0.1, 1.0),
        lambda: flow.flow_map(0.0, 1.1),
        lambda: flow.sample(0),
        lambda: flow.sample(2, temperature=-1.0),
        lambda: flow.interpolate(*data(2), 1),
        lambda: lz.OneStepFlow(flow.g_data, flow.operator, steps=0),
    ):
        with pytest.raises(RangeError):
            ask()
    with pytest.raises(ShapeError):
        flow.decode(torch.randn(2, N + 1, dtype=torch.float64))
    with pytest.raises(ShapeError, match="latents of one shape"):
        lz.OneStepFlow(lz.Identity(N + 1), flow.operator)
    with pytest.raises(ShapeError, match="latents of one shape"):
        lz.OneStepFlow(flow.g_data, flow.operator, lz.Identity(N + 1))


def test_saved_and_loaded(flow: lz.OneStepFlow, tmp_path: Path) -> None:
    flow.save_pretrained(tmp_path)
    loaded = lz.load(tmp_path)
    assert isinstance(loaded, lz.OneStepFlow)
    assert (loaded.steps, loaded.method) == (flow.steps, flow.method)
    torch.testing.assert_close(loaded.sample(4, seed=0), flow.sample(4, seed=0), **CLOSE)
    torch.testing.assert_close(loaded.log_prob(data(3)), flow.log_prob(data(3)), **CLOSE)


def test_denoising_is_the_posterior_mean() -> None:
    """Of a Gaussian of variance s² under noise of variance σ², it is x s² / (s² + σ²)."""
    torch.manual_seed(0)
    s, sigma = 2.0, 0.5
    operator = lz.flows.CovarianceFlow.from_covariances(
        torch.eye(3), (s**2 + sigma**2) * torch.eye(3)
    )
    flow = lz.OneStepFlow(lz.Identity(3), operator).double()
    x = torch.randn(7, 3, dtype=torch.float64)
    expected = x * s**2 / (s**2 + sigma**2)
    torch.testing.assert_close(flow.denoise(x, sigma), expected, rtol=1e-6, atol=1e-6)
    with pytest.raises(lz.errors.RangeError, match="deviation"):
        flow.denoise(x, -1.0)
