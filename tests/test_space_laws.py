"""The space that any bijection induces obeys all axioms, for any points and numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

import linearizer as lz
from linearizer.errors import RangeError
from linearizer.testing import check_vector_space
from registry import BIJECTIONS, bijection, points

SEEDS = st.integers(0, 2**16)


@pytest.mark.parametrize("name", BIJECTIONS)
@given(seed=SEEDS)
def test_axioms(name: str, seed: int) -> None:
    g = bijection(name, seed=seed)
    check_vector_space(lz.InducedSpace(g), x=points(g, seed))


@pytest.mark.parametrize("name", BIJECTIONS)
def test_axioms_in_float32(name: str) -> None:
    check_vector_space(lz.InducedSpace(bijection(name, torch.float32)))


@given(
    name=st.sampled_from(sorted(BIJECTIONS)),
    seed=SEEDS,
    size=st.floats(1e-2, 1e1),
    count=st.integers(3, 9),
)
@settings(max_examples=10 * settings.default.max_examples)
def test_axioms_at_points_of_any_size(name: str, seed: int, size: float, count: int) -> None:
    g = bijection(name, seed=seed)
    check_vector_space(lz.InducedSpace(g), x=size * points(g, seed, count=count))


# Dependent points

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def spans(name: str, dtype: torch.dtype) -> tuple[lz.InducedSpace, torch.Tensor, torch.Tensor]:
    g = bijection(name, torch.float64).to(dtype)
    return lz.InducedSpace(g), *points(g, count=5, dtype=dtype).split((3, 2))


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("name", BIJECTIONS)
def test_dependent_points_span_what_the_independent_ones_do(name: str, dtype: torch.dtype) -> None:
    V, x, (u, v) = spans(name, dtype)
    close = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-3, "atol": 1e-3}
    one = V.project(x, u[None])
    for onto in ((u, V.scale(2.0, u)), (V.zero().to(u), u), (u, u), (V.scale(-1e-3, u), u)):
        torch.testing.assert_close(V.project(x, torch.stack(onto)), one, **close)
        with pytest.raises(RangeError, match="expected independent points, got 2 that span 1 d"):
            V.orthonormalize(torch.stack(onto))
    if x[0].numel() > 2:
        three = torch.stack([u, v, V.combine([0.5, -1.5], torch.stack([u, v]))])
        torch.testing.assert_close(V.project(x, three), V.project(x, three[:2]), **close)
        with pytest.raises(RangeError, match="got 3 that span 2 dimensions; drop"):
            V.orthonormalize(three)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BIJECTIONS)
def test_the_zero_vector_spans_nothing(name: str, dtype: torch.dtype) -> None:
    V, x, _ = spans(name, dtype)
    zero = V.zero().to(x)
    close = {"rtol": 0.0, "atol": 0.1 if dtype == torch.bfloat16 else 1e-5}
    torch.testing.assert_close(V.project(x, zero[None]), zero.expand_as(x), **close)
    with pytest.raises(RangeError, match="got 1 that span 0 dimensions"):
        V.orthonormalize(zero[None])
    assert torch.isfinite(V.project(x, x[:0])).all()


def test_points_of_any_size_are_independent() -> None:
    """Only directions count: no size is too small beside the point, nor beside another g."""
    for size in (1e-150, 1e-6, 1.0, 1e6):
        V = lz.InducedSpace(lz.Identity(4))
        onto = size * torch.randn(2, 4, dtype=torch.float64)
        gram = V.orthonormalize(onto) @ V.orthonormalize(onto).mT
        torch.testing.assert_close(gram, torch.eye(2, dtype=torch.float64))
    g = lz.ActNorm(4).double()
    with torch.no_grad():
        g.log_scale.fill_(-40.0)
    onto = torch.randn(2, 4, dtype=torch.float64)
    nearest = lz.InducedSpace(g).project(onto, onto)
    torch.testing.assert_close(nearest, onto)


@pytest.mark.parametrize("name", ["vector bijection", "wavelet image bijection", "haar"])
def test_gradients_of_projections(name: str) -> None:
    V, x, onto = spans(name, torch.float64)
    x, onto = x[:1].detach().requires_grad_(), onto.detach().requires_grad_()
    assert gradcheck(V.project, (x, onto), fast_mode=True)
    assert gradcheck(V.orthonormalize, onto, fast_mode=True)
    u = onto[0].detach()
    for dependent in ((u, V.scale(2.0, u)), (u, u), (V.zero().to(u), V.zero().to(u))):
        held = torch.stack(dependent).detach().requires_grad_()
        for gradient in torch.autograd.grad(V.project(x, held).sum(), (x, held)):
            assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("name", BIJECTIONS)
def test_gradients_of_lengths(name: str) -> None:
    """Right where there is one, and zero, a subgradient, at length zero."""
    V, x, onto = spans(name, torch.float64)
    u, v = x[:2].detach().requires_grad_(), onto.detach().requires_grad_()
    assert gradcheck(V.distance, (u, v), fast_mode=True)
    assert gradcheck(V.norm, u, fast_mode=True)
    assert gradcheck(lambda u: V(u).norm(), u, fast_mode=True)
    assert not torch.autograd.grad(V.distance(u, u.detach()).sum(), u)[0].any()
    z = torch.zeros(3, *V.g.out_shape, dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.grad(lz.InducedVector(V, z).norm().sum(), z)[0].any()
    zero = V.zero().to(x).detach().requires_grad_()
    assert bool(torch.isfinite(torch.autograd.grad(V.norm(zero), zero)[0]).all())
