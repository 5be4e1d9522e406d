"""The laws, checked on your own g and A: relative errors by name, or a `LawError`.

Each check returns the relative error of every law by its name, and raises `LawError` at the first
law that is further off than `rtol`: by default 1e-10 in float64, 1e-4 in float32 and 0.1 in shorter
formats, which is rounding alone, times what a well conditioned map makes of it. NaN is never within
it. Points `x` (N, *shape), at least three, and vectors are drawn at random with `seed` if they are
not given. `linearizer.laws` measures the same without raising.
"""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from linearizer.bijections import Bijection
from linearizer.errors import LawError
from linearizer.laws import Laws, bijection_laws, linear_laws, operator_laws, space_laws
from linearizer.laws.relative import relative_error
from linearizer.linearizer import Linearizer
from linearizer.operators import LinearOperator
from linearizer.spaces import InducedSpace

__all__ = [
    "SuperpositionErrors",
    "check_bijection",
    "check_linear",
    "check_operator",
    "check_vector_space",
    "perturb_",
    "superposition_errors",
]

_Module = TypeVar("_Module", bound=nn.Module)


def check_bijection(
    g: Bijection, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that g is a bijection: `g⁻¹(g(x)) = x`, `g(g⁻¹(z)) = z`, batch axes, dtype, log-det.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.testing import check_bijection, perturb_
        >>> errors = check_bijection(perturb_(lz.vector_bijection(6)))
        >>> errors["inverse after forward"] < 1e-4
        True
    """
    return _checked(g, bijection_laws(g, x=x, rtol=rtol, seed=seed))


def check_operator(
    A: LinearOperator, *, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that A is linear, and that its algebra is that of its matrix.

    `A(az + by) = a A z + b A y`, `⟨Az, y⟩ = ⟨z, Aᵀy⟩`, the four Penrose conditions of `pinv`,
    `A = U Σ Vᵀ` with orthonormal U and V, rank, norm, condition; and for a square A its
    powers, `exp(sA) exp(tA) = exp((s+t)A)`, `log|det A|` and, where there is one, the root. The
    matrix of A is formed, so take a small one.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import check_operator
        >>> errors = check_operator(lz.LowRank(*torch.randn(2, 5, 2)))
        >>> errors["A A⁺ A = A"] < 1e-4
        True
    """
    return _checked(A, operator_laws(A, rtol=rtol, seed=seed))


def check_vector_space(
    space: InducedSpace, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check the eight axioms of a vector space, those of ⟨·,·⟩, and all that is built on them.

    `u ⊕ v = v ⊕ u`, `(u ⊕ v) ⊕ w = u ⊕ (v ⊕ w)`, `u ⊕ 0 = u`, `u ⊕ (-1) ⊙ u = 0`,
    `1 ⊙ u = u`, `a ⊙ (b ⊙ u) = ab ⊙ u`, `a ⊙ (u ⊕ v) = a ⊙ u ⊕ a ⊙ v`,
    `(a + b) ⊙ u = a ⊙ u ⊕ b ⊙ u`; ⟨·,·⟩ is symmetric, linear and positive.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.testing import check_vector_space, perturb_
        >>> errors = check_vector_space(lz.InducedSpace(perturb_(lz.vector_bijection(6))))
        >>> errors["addition commutes"] < 1e-4
        True
    """
    return _checked(space, space_laws(space, x=x, rtol=rtol, seed=seed))


def check_linear(
    f: Linearizer, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that f is linear between its induced spaces, and `f.T` its adjoint there.

    `f(a ⊙ x ⊕ b ⊙ y) = a ⊙ f(x) ⊕ b ⊙ f(y)`, `f(0) = 0`, `⟨f(x), u⟩ = ⟨x, f.T(u)⟩`.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import check_linear, perturb_
        >>> f = lz.Linearizer(perturb_(lz.vector_bijection(4)), torch.randn(4, 4))
        >>> check_linear(f)["superposition"] < 1e-4
        True
    """
    return _checked(f, linear_laws(f, x=x, rtol=rtol, seed=seed))


class SuperpositionErrors(NamedTuple):
    """How far a network is from linear, with either addition.

    Attributes:
        induced: With the addition that g induces: rounding, whatever g is.
        plain: With the usual addition: about 1 for a nonlinear network, rounding for a matrix.
    """

    induced: float
    plain: float

    def __repr__(self) -> str:
        return f"induced {self.induced:.1e}, plain {self.plain:.1e}"


@torch.no_grad()
def superposition_errors(f: Linearizer, x: Tensor, y: Tensor) -> SuperpositionErrors:
    """How far f is from linear: in its induced spaces, and for the usual addition.

    `max|f(x ⊕ y) - f(x) ⊕ f(y)|` and `max|f(x + y) - f(x) - f(y)|`, each beside the largest entry
    of its two sides. A network is nonlinear if the second is about 1; if both are rounding, g does
    nothing but reorder or rotate, and f is an ordinary matrix.

    Args:
        f: The Linearizer.
        x: Points (*batch, *f.g_x.in_shape).
        y: As many.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import superposition_errors
        >>> x, y, A = torch.randn(5, 8), torch.randn(5, 8), torch.randn(8, 8)
        >>> new = superposition_errors(lz.Linearizer(lz.vector_bijection(8), A), x, y)
        >>> new.plain < 1e-4  # a new g is a permutation, until it is trained
        True
        >>> g = lz.vector_bijection(8, start="random")
        >>> errors = superposition_errors(lz.Linearizer(g, A), x, y)
        >>> errors.induced < 1e-4, errors.plain > 0.1
        (True, True)
    """
    V, W = f.domain, f.codomain
    u, v = f(x), f(y)
    return SuperpositionErrors(
        induced=relative_error(f(V.add(x, y)), W.add(u, v)),
        plain=relative_error(f(x + y), u + v),
    )


def _checked(subject: object, laws: Laws) -> dict[str, float]:
    """The largest error by law, up to the first law that does not hold, which raises."""
    errors: dict[str, float] = {}
    for law in laws:
        if not law.holds:
            raise LawError(
                f"expected the law '{law.name}' of {type(subject).__name__} to hold up to "
                f"{law.threshold:.1e}, got a relative error of {law.value:.1e}; repair the class, "
                "use float64, or pass a larger rtol if it is ill-conditioned on purpose"
            )
        errors[law.name] = max(errors.get(law.name, 0.0), law.value)
    return errors


@torch.no_grad()
def perturb_(module: _Module, scale: float = 0.1, seed: int = 0) -> _Module:
    """Add `scale · N(0, 1)` to every parameter, in place: g leaves the identity it starts at.

    Args:
        module: A bijection, an operator, a Linearizer or any module.
        scale: Standard deviation of the noise.
        seed: The same seed gives the same noise in every dtype.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import perturb_
        >>> g, x = perturb_(lz.AdditiveCoupling(4, lz.conditioners.MLP())), torch.ones(4)
        >>> torch.equal(g(x), x)
        False
    """
    random = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if not parameter.is_floating_point():  # a permutation, in other libraries
            continue
        noise = torch.randn(parameter.shape, generator=random, dtype=torch.float32, device="cpu")
        parameter.add_(scale * noise.to(parameter))
    return module
