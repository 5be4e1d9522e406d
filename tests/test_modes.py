"""Autocast, inference mode and short types: right, or refused by our own error."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.applications import StyleTransfer
from linearizer.bijections import Bijection
from linearizer.errors import LinearizerError
from linearizer.testing import perturb_
from registry import BIJECTIONS, bijection
from test_state import low_rank_flow, trained_projector
from test_verification import flow, projector, styles

HALF = (torch.bfloat16, torch.float16)


def draws(shape, like: nn.Module, count: int = 4) -> Tensor:
    x = torch.randn(count, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return x.to(next((t for t in like.state_dict().values() if t.is_floating_point()), x.float()))


# Everything public, as functions of a bijection, a Linearizer or an application

GATES: dict[str, Callable[[Bijection], Tensor]] = {
    "forward": lambda g: g(draws(g.in_shape, g)),
    "inverse": lambda g: g.inverse(draws(g.out_shape, g)),
    "log-determinant": lambda g: g.forward_and_log_det(draws(g.in_shape, g))[1],
    "inv": lambda g: g.inv(draws(g.out_shape, g)),
}


def space(
    function: Callable[[lz.InducedSpace, Tensor, Tensor], Tensor],
) -> Callable[[Bijection], Tensor]:
    def of(g: Bijection) -> Tensor:
        x = draws(g.in_shape, g)
        return function(lz.InducedSpace(g), x, x.roll(1, 0))

    return of


SPACES: dict[str, Callable[[Bijection], Tensor]] = {
    "add": space(lambda V, u, v: V.add(u, v)),
    "sub": space(lambda V, u, v: V.sub(u, v)),
    "scale": space(lambda V, u, v: V.scale(0.75, u)),
    "combine": space(lambda V, u, v: V.combine([0.5, -1.0], u[:2])),
    "zero": space(lambda V, u, v: V.zero()),
    "inner": space(lambda V, u, v: V.inner(u, v)),
    "norm": space(lambda V, u, v: V.norm(u)),
    "distance": space(lambda V, u, v: V.distance(u, v)),
    "lerp": space(lambda V, u, v: V.lerp(u, v, 0.25)),
    "mean": space(lambda V, u, v: V.mean(u)),
    "project": space(lambda V, u, v: V.project(u[2:], u[:2])),
    "orthonormalize": space(lambda V, u, v: V.orthonormalize(u[:2])),
    "vectors": space(lambda V, u, v: (V(u) - 0.5 * V(v)).x),
    "length of a vector": space(lambda V, u, v: (V(u) / 2).norm()),
}


def linearizer() -> lz.Linearizer:
    g_x, g_y = (perturb_(lz.vector_bijection(5, depth=2, width=8), seed=s) for s in (1, 2))
    return lz.Linearizer(g_x, torch.eye(5) + 0.1 * torch.randn(5, 5), g_y)


def endomorphism() -> lz.Linearizer:
    f = linearizer()
    return lz.Linearizer(f.g_x, f.operator)


def x_of(f: lz.Linearizer) -> Tensor:
    return draws(f.domain.shape, f)


def images(f: StyleTransfer) -> Tensor:
    return draws((3, 8, 8), f, 2).tanh()


USES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Tensor]]] = {
    "f": (linearizer, lambda f: f(x_of(f))),
    "f.T": (linearizer, lambda f: f.T(x_of(f))),
    "f + f": (linearizer, lambda f: (f + f)(x_of(f))),
    "f - f.T": (endomorphism, lambda f: (f - 0.5 * f.T)(x_of(f))),
    "f @ f": (endomorphism, lambda f: (f @ f)(x_of(f))),
    "f.pinv": (linearizer, lambda f: f.pinv()(x_of(f))),
    "f ** 2": (endomorphism, lambda f: (f**2)(x_of(f))),
    "f.power": (endomorphism, lambda f: f.power(0.5)(x_of(f))),
    "f.expm": (endomorphism, lambda f: f.expm(0.5)(x_of(f))),
    "f.fuse": (linearizer, lambda f: f.fuse()(x_of(f))),
    "f.svd": (linearizer, lambda f: f.svd().singular_values),
    "f.singular_values": (linearizer, lambda f: f.singular_values()),
    "f.cond": (linearizer, lambda f: f.cond()),
    "f.norm": (linearizer, lambda f: f.norm()),
    "f.solve": (linearizer, lambda f: f.solve(x_of(f))),
    "f.project": (linearizer, lambda f: f.project(x_of(f), "row_space")),
    "f.range": (linearizer, lambda f: f.domain.norm(f.range())),
    "Linearizer.fit": (
        linearizer,
        lambda f: lz.Linearizer.fit(f.g_x, f.g_y, draws((5,), f, 40), f(draws((5,), f, 40)))(
            x_of(f)
        ),
    ),
    "flow.sample": (flow, lambda f: f.sample(4, seed=0)),
    "flow.sample in steps": (flow, lambda f: f.sample(4, seed=0, steps=4, method="rk4")),
    "flow.encode": (flow, lambda f: f.encode(draws((5,), f))),
    "flow.reconstruct": (flow, lambda f: f.reconstruct(draws((5,), f))),
    "flow.log_prob": (flow, lambda f: f.log_prob(draws((5,), f))),
    "flow.denoise": (flow, lambda f: f.denoise(draws((5,), f), 0.3)),
    "flow.interpolate": (flow, lambda f: f.interpolate(*draws((5,), f, 2), 3)),
    "flow.directions": (flow, lambda f: f.directions(draws((5,), f)[0], [0.0, 1.0], 2)[1]),
    "flow of low rank": (low_rank_flow, lambda f: f.sample(4, seed=0)),
    "density of low rank": (low_rank_flow, lambda f: f.log_prob(draws((5,), f))),
    "denoising of low rank": (low_rank_flow, lambda f: f.denoise(draws((5,), f), 0.3)),
    "project": (projector, lambda f: f.project(draws((5,), f))),
    "project to a lower rank": (projector, lambda f: f.project(draws((5,), f), 2)),
    "project, trained": (trained_projector, lambda f: f.project(draws((5,), f), 1)),
    "residual": (projector, lambda f: f.residual(draws((5,), f))),
    "decompose": (projector, lambda f: torch.stack([*f.decompose(draws((5,), f))])),
    "interpolate": (projector, lambda f: f.interpolate(*draws((5,), f, 2), 3)),
    "generate": (projector, lambda f: f.generate(4, seed=0)),
    "IdempotentGenerator.fit": (
        projector,
        lambda f: lz.IdempotentGenerator.fit(f.g, [draws((5,), f, 40)], rank=2).variances,
    ),
    "stylize": (styles, lambda f: f.stylize(images(f), "one")),
    "stylize a mix": (styles, lambda f: f.stylize(images(f), {"one": 0.5}, strength=0.5)),
    "undo": (styles, lambda f: f.undo(images(f), "one")),
    "compose": (styles, lambda f: f.compose(images(f), "one", "one")),
    "distances": (styles, lambda f: f.distances()),
    "directions": (styles, lambda f: f.directions("one", 2)[0](draws((48, 2, 2), f))),
    "StyleTransfer.fit": (
        styles,
        lambda f: f.fit([(images(f), images(f).flip(-1))], kernel_size=1, ridge=0.1).kernel,
    ),
    "refined": (
        styles,
        lambda f: (
            f.fit([(images(f), images(f).flip(-1))], kernel_size=1, ridge=0.1, refinement=2).kernel
        ),
    ),
    "whitening": (styles, lambda f: f.from_picture([images(f)], images(f)[0]).kernel),
    "fingerprint": (styles, lambda f: torch.tensor(float(len(f.fingerprint())))),
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return USES[name][0]()


# Autocast


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", BIJECTIONS)
def test_autocast_changes_no_bijection(name: str, dtype: torch.dtype) -> None:
    g = bijection(name, torch.float32)
    for function in (*GATES.values(), *SPACES.values()):
        expected = function(g)
        with torch.autocast("cpu", dtype):
            assert torch.equal(function(g), expected)


@pytest.mark.parametrize("name", USES)
def test_autocast_changes_nothing_else(name: str) -> None:
    model, use = made(name), USES[name][1]
    expected = use(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(use(model), expected)


def test_autocast_of_a_coupling_is_its_own() -> None:
    g = bijection("affine", torch.float32)
    x = draws((5,), g)
    exact = g(x)
    g.autocast = torch.bfloat16
    rounded = g(x)
    with torch.autocast("cpu", torch.float16):
        assert torch.equal(g(x), rounded)
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)


def test_autocast_is_ended_in_a_compiled_graph_too() -> None:
    torch.compiler.reset()
    f = linearizer()
    x = x_of(f)
    expected = f(x)
    compiled = torch.compile(f, fullgraph=True, backend="eager")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(x), expected)
    torch.testing.assert_close(compiled(x), expected)


# Inference mode


@pytest.mark.parametrize("built_inside", [False, True])
@pytest.mark.parametrize("name", USES)
def test_inference_mode_changes_nothing(name: str, built_inside: bool) -> None:
    use = USES[name][1]
    expected = use(made(name))
    model = None if built_inside else made(name)
    with torch.inference_mode():
        result = use(made(name) if model is None else model)
    torch.testing.assert_close(result, expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_inference_mode_of_bijections(name: str) -> None:
    g = bijection(name)
    for function in (*GATES.values(), *SPACES.values()):
        expected = function(g).detach()
        with torch.inference_mode():
            torch.testing.assert_close(function(g), expected)
            torch.testing.assert_close(function(bijection(name)), expected)


# Short types


def right_or_refused(
    use: Callable[[nn.Module], Tensor], module: nn.Module, dtype: torch.dtype
) -> bool:
    """Whether a module of a short type computes what it does in float64, up to its precision."""
    module = module.to(dtype)
    try:
        short = use(module)
    except LinearizerError:
        return False
    exact = use(copy.deepcopy(module).double())
    size = float(exact.abs().max())
    assert short.shape == exact.shape
    assert float((short.double() - exact).abs().max()) <= 20 * torch.finfo(dtype).eps * max(
        size, 1.0
    )
    return True


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", BIJECTIONS)
def test_bijections_and_spaces_are_right_in_short_types(name: str, dtype: torch.dtype) -> None:
    for function in (*GATES.values(), *SPACES.values()):
        assert right_or_refused(function, bijection(name, torch.float32), dtype)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", USES)
def test_short_types_are_right_or_refused(name: str, dtype: torch.dtype) -> None:
    right_or_refused(USES[name][1], made(name), dtype)
