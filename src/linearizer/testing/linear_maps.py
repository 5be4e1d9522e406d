"""The laws of a Linearizer."""

import torch
from torch import Tensor

from linearizer._checks import reference
from linearizer.linearizer import Linearizer
from linearizer.testing.laws import Laws, Random


@torch.no_grad()
def check_linear(
    f: Linearizer, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that f is linear between its induced spaces, and `f.T` its adjoint there.

    `f(a ⊙ x ⊕ b ⊙ y) = a ⊙ f(x) ⊕ b ⊙ f(y)`, `f(0) = 0`, `⟨f(x), u⟩ = ⟨x, f.T(u)⟩`.

    Args:
        f: The Linearizer.
        x: At least two points (N, *shape) of its domain; random ones if not given.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random points.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import check_linear, perturb_
        >>> f = lz.Linearizer(perturb_(lz.vector_bijection(4)), torch.randn(4, 4))
        >>> check_linear(f)["superposition"] < 1e-4
        True
    """
    V, W = f.domain, f.codomain
    random = Random(seed, reference(f))
    if x is None:
        x = random(6, *V.shape)
    laws = Laws(f, x.dtype, rtol)
    y, a, b = x.roll(1, 0), 1.75, -0.5
    image = f(x)
    laws.holds("shape of forward", image.shape == (len(x), *W.shape))
    laws.equal("additive", f(V.add(x, y)), W.add(image, f(y)))
    laws.equal("homogeneous", f(V.scale(a, x)), W.scale(a, image))
    sides = f(V.add(V.scale(a, x), V.scale(b, y))), W.add(W.scale(a, image), W.scale(b, f(y)))
    laws.equal("superposition", *sides)
    laws.equal("zero", f(V.zero().to(x)), W.zero().to(x), image)
    u = random(len(x), *W.shape)
    size = (f.norm() * V.norm(x) + W.norm(image)) * W.norm(u)
    laws.equal("adjoint", W.inner(image, u), V.inner(x, f.T(u)), size)
    laws.equal("adjoint of the adjoint", f.T.T(x), image)
    return laws.errors
