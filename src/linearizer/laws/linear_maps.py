"""The laws of a Linearizer."""

import torch
from torch import Tensor

from linearizer._checks import reference
from linearizer.laws.relative import Laws, Random, Within
from linearizer.linearizer import Linearizer


@torch.no_grad()
def linear_laws(
    f: Linearizer, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> Laws:
    """f is linear between its induced spaces, and `f.T` its adjoint: see `testing.check_linear`."""
    V, W = f.domain, f.codomain
    random = Random(seed, reference(f))
    if x is None:
        x = random(6, *V.shape)
    within = Within(rtol, x.dtype)
    y, a = x.roll(1, 0), 1.75
    image = f(x)
    yield within.true("shape of forward", image.shape == (len(x), *W.shape))
    yield within.equal("additive", f(V.add(x, y)), W.add(image, f(y)))
    yield within.equal("homogeneous", f(V.scale(a, x)), W.scale(a, image))
    yield within.equal("superposition", *superposition(f, x, y, a, -0.5))
    yield within.equal("zero", f(V.zero().to(x)), W.zero().to(x), image)
    u = random(len(x), *W.shape)
    size = (f.norm() * V.norm(x) + W.norm(image)) * W.norm(u)
    yield within.equal("adjoint", W.inner(image, u), V.inner(x, f.T(u)), size)
    yield within.equal("adjoint of the adjoint", f.T.T(x), image)


def superposition(f: Linearizer, x: Tensor, y: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """`f(a ⊙ x ⊕ b ⊙ y)` and `a ⊙ f(x) ⊕ b ⊙ f(y)`, which are equal for a linear f."""
    V, W = f.domain, f.codomain
    return f((a * V(x) + b * V(y)).x), (a * W(f(x)) + b * W(f(y))).x
