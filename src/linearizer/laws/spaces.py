"""The laws of an induced space."""

import torch
from torch import Tensor

from linearizer._checks import reference
from linearizer.laws.relative import Laws, Random, Within
from linearizer.spaces import InducedSpace


@torch.no_grad()
def space_laws(
    space: InducedSpace, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> Laws:
    """The axioms of a Euclidean space, and what is built on them: `testing.check_vector_space`."""
    V = space
    if x is None:
        x = Random(seed, reference(V.g))(6, *V.shape)
    within = Within(rtol, x.dtype)
    u, v, w = x, x.roll(1, 0), x.roll(2, 0)
    zero = V.zero().to(x)
    a, b = 1.75, -0.5
    add, scale = V.add, V.scale
    yield within.equal("addition commutes", add(u, v), add(v, u), x)
    yield within.equal("addition associates", add(add(u, v), w), add(u, add(v, w)), x)
    yield within.equal("zero is neutral", add(u, zero.expand_as(u)), u)
    yield within.equal("negatives cancel", add(u, scale(-1.0, u)), zero.expand_as(u), x)
    yield within.equal("one is neutral", scale(1.0, u), u)
    yield within.equal("scaling associates", scale(a, scale(b, u)), scale(a * b, u), x)
    sums = scale(a, add(u, v)), add(scale(a, u), scale(a, v))
    yield within.equal("scaling distributes over vectors", *sums, x)
    yield within.equal(
        "scaling distributes over numbers", scale(a + b, u), add(scale(a, u), scale(b, u))
    )
    yield within.equal("subtraction undoes addition", V.sub(add(u, v), v), u)

    lengths = V.norm(u) * V.norm(v) + V.norm(v) * V.norm(w)
    yield within.equal("inner product is symmetric", V.inner(u, v), V.inner(v, u), lengths)
    left = V.inner(add(scale(a, u), w), v)
    yield within.equal("inner product is linear", left, a * V.inner(u, v) + V.inner(w, v), lengths)
    yield within.true("inner product is positive", bool((V.inner(u, u) > 0).all()))
    yield within.equal(
        "zero has length zero", V.norm(zero), torch.zeros_like(lengths[0]), V.norm(u)
    )
    excess = V.inner(u, v).abs() - V.norm(u) * V.norm(v)
    yield within.equal("Cauchy-Schwarz", excess.clamp_min(0), torch.zeros_like(excess), lengths)

    yield within.equal("norm", V.norm(u).square(), V.inner(u, u))
    yield within.equal("distance", V.distance(u, v), V.norm(V.sub(u, v)))
    yield within.equal("lerp", V.lerp(u, v, 0.3), add(scale(0.7, u), scale(0.3, v)), x)
    weights = x.new_tensor([1.5, -2.0, 0.25])
    combined = add(add(scale(1.5, x[0]), scale(-2.0, x[1])), scale(0.25, x[2]))
    yield within.equal("combine", V.combine(weights, x[:3]), combined, x)
    yield within.equal("mean", V.mean(x), V.combine(x.new_full((len(x),), 1 / len(x)), x), x)
    vectors = (a * V(u) - V(v) / 2.0 + (-V(w))).x
    yield within.equal("vectors", vectors, V.sub(V.sub(scale(a, u), scale(0.5, v)), w), x)

    onto = x[: min(2, x[0].numel())]
    near = V.project(w, onto)
    yield within.equal("projection is idempotent", V.project(near, onto), near, x)
    yield within.equal("projection keeps its range", V.project(onto, onto), onto)
    for point in onto:
        products = V.inner(V.sub(w, near), point.expand_as(w))
        yield within.equal(
            "projection is orthogonal", products, torch.zeros_like(products), lengths
        )
    units = V.orthonormalize(onto)
    gram = torch.stack([V.inner(units, unit.expand_as(units)) for unit in units])
    yield within.equal("orthonormalize", gram, torch.eye(len(gram)).to(gram))
    yield within.equal("orthonormalize keeps the span", V.project(onto, units), onto)
