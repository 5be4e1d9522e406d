"""A Linearizer is a linear map for every g and every A that fits it: to 1e-10 in float64.

In float32 the same laws are asked up to 1e-3: g⁻¹ multiplies the rounding of its input by its
own condition, and the laws apply it several times.
"""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import linearizer as lz
from linearizer.testing import check_linear
from registry import BIJECTIONS, bijection, fitting, operator, points

SEEDS = st.integers(0, 2**16)
NUMBERS = st.floats(-2.0, 2.0)
TOLERANCE = 1e-10
FLOAT32_TOLERANCE = 1e-3

every_bijection = pytest.mark.parametrize("name", BIJECTIONS)


def assert_equal(actual: Tensor, expected: Tensor, *scales: Tensor) -> None:
    """Relative to the largest entry of both sides, and of what they were computed from."""
    assert actual.shape == expected.shape
    size = max(float(t.detach().abs().max()) for t in (actual, expected, *scales))
    assert float((actual - expected).detach().abs().max()) <= TOLERANCE * size


def endomorphism(name: str, seed: int, data: st.DataObject) -> lz.Linearizer:
    g = bijection(name, seed=seed)
    families = st.sampled_from(fitting(g.out_shape, g.out_shape))
    return lz.Linearizer(g, operator(data.draw(families), seed=seed, shapes=(g.out_shape,) * 2))


def between(name: str, seed: int, data: st.DataObject) -> lz.Linearizer:
    """A map from the space of one bijection to that of any other."""
    g_x = bijection(name, seed=seed)
    g_y = bijection(data.draw(st.sampled_from(sorted(BIJECTIONS))), seed=seed + 1)
    shapes = (g_x.out_shape, g_y.out_shape)
    return lz.Linearizer(
        g_x, operator(data.draw(st.sampled_from(fitting(*shapes))), seed=seed, shapes=shapes), g_y
    )


@every_bijection
def test_every_operator_that_fits_is_linear(name: str) -> None:
    g = bijection(name)
    shapes = (g.out_shape, g.out_shape)
    for family in fitting(*shapes):
        check_linear(lz.Linearizer(g, operator(family, shapes=shapes)))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_linear_in_float32(name: str, data: st.DataObject, seed: int) -> None:
    g = bijection(name, torch.float32, seed)
    shapes = (g.out_shape, g.out_shape)
    A = operator(data.draw(st.sampled_from(fitting(*shapes))), torch.float32, seed, shapes)
    check_linear(lz.Linearizer(g, A), rtol=FLOAT32_TOLERANCE, seed=seed)


@every_bijection
@given(data=st.data(), seed=SEEDS, a=NUMBERS, b=NUMBERS)
def test_superposition(name: str, data: st.DataObject, seed: int, a: float, b: float) -> None:
    f = between(name, seed, data)
    V, W = f.domain, f.codomain
    x, y = points(f.g_x, seed), points(f.g_x, seed + 1)
    left = f(V.add(V.scale(a, x), V.scale(b, y)))
    assert_equal(left, W.add(W.scale(a, f(x)), W.scale(b, f(y))), f(x), f(y))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_composition(name: str, data: st.DataObject, seed: int) -> None:
    f = between(name, seed, data)
    shapes = (f.g_y.out_shape, f.g_x.out_shape)
    family = data.draw(st.sampled_from(fitting(*shapes)))
    h = lz.Linearizer(f.g_y, operator(family, seed=seed + 1, shapes=shapes), f.g_x)
    x = points(f.g_x, seed)
    assert_equal((h @ f)(x), h(f(x)), f(x))
    assert_equal((h @ f).fuse()(x), h(f(x)), f(x))


@every_bijection
@given(data=st.data(), seed=SEEDS, a=NUMBERS, b=NUMBERS)
def test_linear_combination(name: str, data: st.DataObject, seed: int, a: float, b: float) -> None:
    f = between(name, seed, data)
    shapes = (f.g_x.out_shape, f.g_y.out_shape)
    family = data.draw(st.sampled_from(fitting(*shapes)))
    h = lz.Linearizer(f.g_x, operator(family, seed=seed + 1, shapes=shapes), f.g_y)
    W, x = f.codomain, points(f.g_x, seed)
    expected = W.add(W.scale(a, f(x)), W.scale(b, h(x)))
    assert_equal((a * f + b * h)(x), expected, f(x), h(x))
    assert_equal((f - h / 2.0)(x), W.sub(f(x), W.scale(0.5, h(x))), f(x), h(x))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_transpose(name: str, data: st.DataObject, seed: int) -> None:
    f = between(name, seed, data)
    x, y = points(f.g_x, seed), points(f.g_y, seed + 1)
    left, right = f.codomain.inner(f(x), y), f.domain.inner(x, f.T(y))
    assert_equal(left, right, f.codomain.norm(f(x)) * f.codomain.norm(y))
    assert_equal(f.T.T(x), f(x))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_pseudo_inverse(name: str, data: st.DataObject, seed: int) -> None:
    """The Penrose conditions hold between the induced spaces."""
    f = between(name, seed, data)
    p = f.pinv()
    V, W = f.domain, f.codomain
    x, y = points(f.g_x, seed), points(f.g_y, seed + 1)
    assert_equal(f(p(f(x))), f(x))
    assert_equal(p(f(p(y))), p(y))
    x2, y2 = x.flip(0), y.flip(0)
    on_x, on_y = (p @ f), (f @ p)
    assert_equal(V.inner(on_x(x), x2), V.inner(x, on_x(x2)), V.norm(x) * V.norm(x2))
    assert_equal(W.inner(on_y(y), y2), W.inner(y, on_y(y2)), W.norm(y) * W.norm(y2))
    assert_equal(f.solve(y), p(y))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_singular_points(name: str, data: st.DataObject, seed: int) -> None:
    """`f(v_i) = σ_i ⊙ u_i`, and f is put together again from its triplets."""
    f = between(name, seed, data)
    V, W, s = f.domain, f.codomain, f.svd()
    largest = s.singular_values[0]
    assert_equal(f(s.right), W.scale(s.singular_values, s.left), W.zero().double())
    assert_equal(f.T(s.left), V.scale(s.singular_values, s.right), V.zero().double())
    for space, vectors in ((V, s.right), (W, s.left)):
        z = space.encode(vectors).flatten(1)
        assert_equal(z @ z.mT, torch.eye(len(z)).double())
    x = points(f.g_x, seed)
    components = torch.stack([V.inner(x, v.expand_as(x)) for v in s.right], dim=1)
    image = W.combine(components * s.singular_values, s.left)
    assert_equal(image, f(x), (largest * V.norm(x)).reshape(-1))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_four_subspaces(name: str, data: st.DataObject, seed: int) -> None:
    f = between(name, seed, data)
    V, W = f.domain, f.codomain
    x, y = points(f.g_x, seed), points(f.g_y, seed + 1)
    zero = W.zero().double().expand_as(y)
    assert_equal(f(f.project(x, "null_space")), zero, f(x))
    assert_equal(f(f.project(x, "row_space")), f(x))
    assert_equal(V.add(f.project(x, "row_space"), f.project(x, "null_space")), x)
    assert_equal(W.add(f.project(y, "range"), f.project(y, "left_null_space")), y)
    assert_equal(f.project(f(x), "range"), f(x))
    assert len(f.range()) == f.rank() == torch.Size(V.shape).numel() - len(f.null_space())


@every_bijection
@given(data=st.data(), seed=SEEDS, n=st.integers(0, 4))
def test_iteration(name: str, data: st.DataObject, seed: int, n: int) -> None:
    f = endomorphism(name, seed, data)
    x = points(f.g_x, seed)
    repeated = x
    for _ in range(n):
        repeated = f(repeated)
    assert_equal((f**n)(x), repeated)


@every_bijection
@given(data=st.data(), seed=SEEDS, s=NUMBERS, t=NUMBERS)
def test_exponential(name: str, data: st.DataObject, seed: int, s: float, t: float) -> None:
    f = endomorphism(name, seed, data)
    f = f / max(1.0, float(f.norm().detach()))
    x = points(f.g_x, seed)
    assert_equal(f.expm(s)(f.expm(t)(x)), f.expm(s + t)(x), f.expm(t)(x))


@every_bijection
@given(data=st.data(), seed=SEEDS)
def test_fit_recovers_the_operator(name: str, data: st.DataObject, seed: int) -> None:
    f = between(name, seed, data)
    x = points(f.g_x, seed, count=12 * f.g_x(points(f.g_x, 0))[0].numel())
    fitted = lz.Linearizer.fit(f.g_x, f.g_y, x, f(x))
    assert_equal(fitted.operator.to_dense(), f.operator.to_dense())


@pytest.mark.parametrize("function", [lambda f: f.T, lambda f: f.pinv(), lambda f: f.fuse()])
def test_results_share_the_bijections(function: Callable[[lz.Linearizer], lz.Linearizer]) -> None:
    f = lz.Linearizer(bijection("affine"), torch.eye(5).double(), bijection("lu"))
    assert {function(f).g_x, function(f).g_y} == {f.g_x, f.g_y}
