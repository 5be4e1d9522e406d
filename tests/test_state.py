"""What is derived from a tensor follows it: loaded, converted, changed in place, copied."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import transforms

import linearizer as lz
from linearizer.adapters import TransformBijection
from linearizer.applications import IdempotentGenerator, OneStepFlow
from linearizer.testing import perturb_
from registry import BIJECTIONS, bijection
from test_verification import flow, projector, styles
from third_party import THIRD_PARTY


def of_bijection(g: nn.Module) -> list[Tensor]:
    """All that a bijection computes, on points that are always the same."""
    like = next((t for t in g.state_dict().values() if t.is_floating_point()), torch.zeros(()))
    draws = torch.Generator().manual_seed(5)
    x = torch.randn(4, *g.in_shape, generator=draws, dtype=torch.float64).to(like)
    z = torch.randn(4, *g.out_shape, generator=draws, dtype=torch.float64).to(like)
    return [*g.forward_and_log_det(x), g.inverse(z), g(x)]


def of_flow(f: nn.Module) -> list[Tensor]:
    return [
        f.sample(3, seed=0),
        f.log_prob(f.sample(3, seed=1)),
        f.flow_map(0.0, 0.5)(f.noise(2, 0)),
    ]


def of_projector(f: nn.Module) -> list[Tensor]:
    noise = f.noise(3, seed=0)
    return [f.project(noise), f.project(noise, 1), f.residual(noise), f.generate(3, seed=0)]


def of_styles(f: nn.Module) -> list[Tensor]:
    like = next(f.parameters())
    x = torch.rand(2, *f.g_x.in_shape, generator=torch.Generator().manual_seed(0)).to(like)
    return [f.stylize(x, f.names[0]), f.stylize(x, dict.fromkeys(f.names, 0.5)), f.distances()]


def low_rank_flow() -> OneStepFlow:
    g = perturb_(lz.vector_bijection(5, depth=2, width=8))
    return OneStepFlow.fit(g, [torch.randn(90, 5)], rank=2)


def trained_projector() -> IdempotentGenerator:
    g = perturb_(lz.vector_bijection(5, depth=2, width=8))
    P = lz.operators.LearnedOrthogonalProjection(lz.operators.BinaryMask((5,), rank=2))
    return IdempotentGenerator.fit(g, [torch.randn(90, 5)], projection=P)


Outputs = Callable[[nn.Module], list[Tensor]]
MADE: dict[str, tuple[Callable[[], nn.Module], Outputs]] = {
    **{name: (build, of_bijection) for name, build in BIJECTIONS.items()},
    **{f"inverse of {n}": (lambda n=n: BIJECTIONS[n]().inv, of_bijection) for n in BIJECTIONS},
    **{f"{name}, foreign": (build, of_bijection) for name, build in THIRD_PARTY.items()},
    "one-step flow": (flow, of_flow),
    "one-step flow of low rank": (low_rank_flow, of_flow),
    "projector": (projector, of_projector),
    "projector, trained": (trained_projector, of_projector),
    "styles": (styles, of_styles),
}


def make(name: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
    """One of the above from a seed, built in a dtype."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            return perturb_(MADE[name][0](), seed=seed).to(dtype)  # others build parts in float32
        finally:
            torch.set_default_dtype(before)


def twin_of(name: str, module: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Another one, built from another seed, that loads the state of a module."""
    twin = make(name, 1, dtype)
    twin.load_state_dict(copy.deepcopy(module.state_dict()))
    return twin


@torch.no_grad()
def change_(module: nn.Module) -> None:
    """Change every tensor in place: numbers grow, permutations are permuted."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.mul_(1.03).add_(0.01)
        elif tensor.ndim:
            tensor.copy_(tensor.roll(1, 0))


def assert_equal(left: list[Tensor], right: list[Tensor]) -> None:
    torch.testing.assert_close(left, right, rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize("assign", [False, True], ids=["copied", "assigned"])
@pytest.mark.parametrize("name", MADE)
def test_loaded_state_is_followed(name: str, assign: bool) -> None:
    outputs = MADE[name][1]
    source, target = make(name), make(name, 1)
    outputs(target)  # so that whatever could be remembered is
    target.load_state_dict(copy.deepcopy(source.state_dict()), assign=assign)
    assert_equal(outputs(target), outputs(source))


@pytest.mark.parametrize("name", MADE)
def test_a_change_in_place_is_followed(name: str) -> None:
    outputs = MADE[name][1]
    module = make(name)
    before = outputs(module)
    change_(module)
    after = outputs(module)
    assert_equal(after, outputs(twin_of(name, module)))
    if any(t.is_floating_point() for t in module.state_dict().values()):
        assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", [name for name in BIJECTIONS if name != "redraw"])  # orthonormal
def test_a_bijection_is_one_whatever_its_tensors_are(name: str) -> None:
    g = bijection(name)
    change_(g)
    assert g.round_trip(torch.randn(4, *g.in_shape, dtype=torch.float64)) < 1e-9


@pytest.mark.parametrize("name", MADE)
def test_conversion_equals_construction_in_double(name: str) -> None:
    """Up to the repair of bases that were orthonormal in float32, and else exactly."""
    outputs = MADE[name][1]
    module = make(name)
    outputs(module)
    loaded = outputs(twin_of(name, module, torch.float64))
    converted = outputs(module.double())
    torch.testing.assert_close(converted, loaded, rtol=1e-5, atol=1e-5)
    with_the_same = outputs(twin_of(name, module, torch.float64))
    torch.testing.assert_close(converted, with_the_same, rtol=1e-12, atol=1e-12)
    if any(t.is_floating_point() for t in module.state_dict().values()) and name != "styles":
        assert {t.dtype for t in converted} == {torch.float64}


@pytest.mark.parametrize("name", MADE)
def test_a_copy_is_independent(name: str) -> None:
    outputs = MADE[name][1]
    module = make(name)
    expected = outputs(module)
    twin = copy.deepcopy(module)
    change_(module)
    assert_equal(outputs(twin), expected)
    changed = outputs(module)
    change_(twin)
    change_(twin)
    assert_equal(outputs(module), changed)


@pytest.mark.parametrize("name", ["permute", "lu", "orthogonal", "conv1x1", "haar", "chain"])
def test_a_compiled_map_follows(name: str) -> None:
    torch.compiler.reset()
    g = bijection(name)
    both = [torch.compile(h, fullgraph=True, backend="eager") for h in (g, g.inv)]
    x = torch.randn(3, *g.in_shape, dtype=torch.float64)
    for _ in range(2):
        z = g(x)
        torch.testing.assert_close(
            [f(y) for f, y in zip(both, (x, z), strict=True)], [z, g.inverse(z)]
        )
        change_(g)


def test_a_resized_map_follows() -> None:
    g = bijection("style bijection", torch.float32)
    wide = g.resized((8, 12))
    x = torch.randn(2, 1, 8, 12)
    wide(x)
    for assign in (False, True):
        other = bijection("style bijection", torch.float32, seed=3 + assign)
        g.load_state_dict(other.state_dict(), assign=assign)
        assert_equal([wide(x)], [other.resized((8, 12))(x)])
    g.double()
    assert wide(x.double()).dtype == torch.float64


@pytest.mark.parametrize("cache_size", [0, 1])
def test_a_transform_follows_the_tensors_of_its_module(cache_size: int) -> None:
    scale = nn.Parameter(torch.tensor([2.0, 4.0]))
    affine = transforms.AffineTransform(torch.zeros(2), scale, cache_size=cache_size)
    x = torch.ones(3, 2)
    for given, factor in ((affine, scale), (affine.inv, 1 / scale)):
        g = TransformBijection(given, 2)
        assert len(list(g.parameters())) == 1
        torch.testing.assert_close(g(x), factor * x)
        (held,) = g.parameters()
        swapped = torch.func.functional_call(
            g, {next(iter(dict(g.named_parameters()))): 2 * held}, x
        )
        torch.testing.assert_close(
            swapped, torch.where(torch.tensor(given is affine), 2, 0.5) * factor * x
        )
        torch.testing.assert_close(g(x), factor * x)
        assert copy.deepcopy(g).double()(x.double()).dtype == torch.float64
