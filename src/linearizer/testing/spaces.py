"""The laws of an induced space."""

import torch
from torch import Tensor

from linearizer._checks import reference
from linearizer.spaces import InducedSpace
from linearizer.testing.laws import Laws, Random


@torch.no_grad()
def check_vector_space(
    space: InducedSpace, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check the eight axioms of a vector space, those of ⟨·,·⟩, and all that is built on them.

    `u ⊕ v = v ⊕ u`, `(u ⊕ v) ⊕ w = u ⊕ (v ⊕ w)`, `u ⊕ 0 = u`, `u ⊕ (-1) ⊙ u = 0`,
    `1 ⊙ u = u`, `a ⊙ (b ⊙ u) = ab ⊙ u`, `a ⊙ (u ⊕ v) = a ⊙ u ⊕ a ⊙ v`,
    `(a + b) ⊙ u = a ⊙ u ⊕ b ⊙ u`; ⟨·,·⟩ is symmetric, linear and positive.

    Args:
        space: The space.
        x: At least three points (N, *shape); random ones if not given.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random points.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.testing import check_vector_space, perturb_
        >>> errors = check_vector_space(lz.InducedSpace(perturb_(lz.vector_bijection(6))))
        >>> errors["addition commutes"] < 1e-4
        True
    """
    V = space
    if x is None:
        x = Random(seed, reference(V.g))(6, *V.shape)
    laws = Laws(V, x.dtype, rtol)
    u, v, w = x, x.roll(1, 0), x.roll(2, 0)
    zero = V.zero().to(x)
    a, b = 1.75, -0.5
    add, scale = V.add, V.scale
    laws.equal("addition commutes", add(u, v), add(v, u), x)
    laws.equal("addition associates", add(add(u, v), w), add(u, add(v, w)), x)
    laws.equal("zero is neutral", add(u, zero.expand_as(u)), u)
    laws.equal("negatives cancel", add(u, scale(-1.0, u)), zero.expand_as(u), x)
    laws.equal("one is neutral", scale(1.0, u), u)
    laws.equal("scaling associates", scale(a, scale(b, u)), scale(a * b, u), x)
    sums = scale(a, add(u, v)), add(scale(a, u), scale(a, v))
    laws.equal("scaling distributes over vectors", *sums, x)
    laws.equal("scaling distributes over numbers", scale(a + b, u), add(scale(a, u), scale(b, u)))
    laws.equal("subtraction undoes addition", V.sub(add(u, v), v), u)

    lengths = V.norm(u) * V.norm(v) + V.norm(v) * V.norm(w)
    laws.equal("inner product is symmetric", V.inner(u, v), V.inner(v, u), lengths)
    left = V.inner(add(scale(a, u), w), v)
    laws.equal("inner product is linear", left, a * V.inner(u, v) + V.inner(w, v), lengths)
    laws.holds("inner product is positive", bool((V.inner(u, u) > 0).all()))
    laws.equal("zero has length zero", V.norm(zero), torch.zeros_like(lengths[0]), V.norm(u))
    excess = V.inner(u, v).abs() - V.norm(u) * V.norm(v)
    laws.equal("Cauchy-Schwarz", excess.clamp_min(0), torch.zeros_like(excess), lengths)

    laws.equal("norm", V.norm(u).square(), V.inner(u, u))
    laws.equal("distance", V.distance(u, v), V.norm(V.sub(u, v)))
    laws.equal("lerp", V.lerp(u, v, 0.3), add(scale(0.7, u), scale(0.3, v)), x)
    weights = x.new_tensor([1.5, -2.0, 0.25])
    combined = add(add(scale(1.5, x[0]), scale(-2.0, x[1])), scale(0.25, x[2]))
    laws.equal("combine", V.combine(weights, x[:3]), combined, x)
    laws.equal("mean", V.mean(x), V.combine(x.new_full((len(x),), 1 / len(x)), x), x)
    vectors = (a * V(u) - V(v) / 2.0 + (-V(w))).x
    laws.equal("vectors", vectors, V.sub(V.sub(scale(a, u), scale(0.5, v)), w), x)

    onto = x[: min(2, x[0].numel())]
    near = V.project(w, onto)
    laws.equal("projection is idempotent", V.project(near, onto), near, x)
    laws.equal("projection keeps its range", V.project(onto, onto), onto)
    for point in onto:
        products = V.inner(V.sub(w, near), point.expand_as(w))
        laws.equal("projection is orthogonal", products, torch.zeros_like(products), lengths)
    units = V.orthonormalize(onto)
    gram = torch.stack([V.inner(units, unit.expand_as(units)) for unit in units])
    laws.equal("orthonormalize", gram, torch.eye(len(gram)).to(gram))
    laws.equal("orthonormalize keeps the span", V.project(onto, units), onto)
    return laws.errors
