"""The laws, checked on your own g and A: relative errors by name, or a `LawError`.

Each check returns how far every law is from holding, for printing and for certificates, and
raises at the first law that is further off than the tolerance. The default tolerance is 1e-10
in float64, 1e-4 in float32 and 0.1 in shorter formats: rounding alone, times what a well
conditioned map makes of it. A NaN is never within the tolerance.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from linearizer import operators as ops
from linearizer._checks import reference
from linearizer.bijections import Bijection, HasLogDet, forward_and_log_det
from linearizer.errors import LawError, NoRealRootError
from linearizer.linearizer import Linearizer
from linearizer.operators import LinearOperator
from linearizer.spaces import InducedSpace

LARGEST_JACOBIAN = 64
"""Up to this dimension log-determinants are compared with those of the full Jacobian."""

_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
_Module = TypeVar("_Module", bound=nn.Module)


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
        noise = torch.randn(parameter.shape, generator=random, dtype=torch.float32, device="cpu")
        parameter.add_(scale * noise.to(parameter))
    return module


@torch.no_grad()
def check_bijection(
    g: Bijection, *, x: Tensor | None = None, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that g is a bijection: `g⁻¹(g(x)) = x`, `g(g⁻¹(z)) = z`, batch axes, dtype, log-det.

    Args:
        g: The bijection.
        x: At least two points (N, *in_shape); random ones if not given.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random points.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.testing import check_bijection, perturb_
        >>> errors = check_bijection(perturb_(lz.vector_bijection(6)))
        >>> errors["inverse after forward"] < 1e-4
        True
    """
    if x is None:
        x = _Random(seed, reference(g))(6, *g.in_shape)
    laws = _Laws(g, x.dtype, rtol)
    z, n = g(x), len(x)
    laws.holds("shape of forward", z.shape == (n, *g.out_shape))
    laws.holds("shape of inverse", g.inverse(z).shape == x.shape)
    laws.holds("dtype and device", (z.dtype, z.device) == (x.dtype, x.device))
    laws.equal("inverse after forward", g.inverse(z), x)
    latent = z.roll(1, 0) + 0.5 * z
    laws.equal("forward after inverse", g(g.inverse(latent)), latent)
    _check_batches(laws, g, x, z, "")
    _check_batches(laws, g.inverse, z, x, " of the inverse")
    laws.holds("inv undoes inv", g.inv.inv.same_as(g))
    laws.equal("inv is the inverse", g.inv(z), g.inverse(z))
    laws.equal("inverse of inv is forward", g.inv.inverse(x), z)
    if isinstance(g, HasLogDet) and x[0].numel() <= LARGEST_JACOBIAN:
        image, log_det = g.forward_and_log_det(x)
        laws.equal("forward beside log-determinant", image, z)
        laws.holds("shape of log-determinant", log_det.shape == (n,))
        with torch.enable_grad():
            reached = torch.stack([_log_det_of_jacobian(g, event) for event in x[:2]])
        one = torch.ones_like(reached)
        laws.equal("log-determinant", log_det[:2], reached, one)
        laws.equal("log-determinant of inv", forward_and_log_det(g.inv, z)[1], -log_det, one[0])
    return laws.errors


@torch.no_grad()
def check_operator(
    A: LinearOperator, *, rtol: float | None = None, seed: int = 0
) -> dict[str, float]:
    """Check that A is linear, and that its algebra is that of its matrix.

    `A(az + by) = a A z + b A y`, `⟨Az, y⟩ = ⟨z, Aᵀy⟩`, the four Penrose conditions of `pinv`,
    `A = U Σ Vᵀ` with orthonormal U and V, rank, norm, condition; and for a square A its
    powers, `exp(sA) exp(tA) = exp((s+t)A)`, `log|det A|` and, where there is one, the root.

    Args:
        A: The operator; its matrix is formed, so take a small one.
        rtol: Largest relative error; by dtype if not given.
        seed: Of the random vectors.

    Returns:
        The relative error of each law.

    Raises:
        LawError: At the first law that does not hold.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.testing import check_operator
        >>> errors = check_operator(lz.LowRank(*torch.randn(2, 5, 2)))
        >>> errors["A A⁺ A = A"] < 1e-4
        True
    """
    laws = _Laws(A, A.dtype, rtol)
    random = _Random(seed, reference(A))
    z, z2, y = random(4, *A.in_shape), random(4, *A.in_shape), random(4, *A.out_shape)
    M = A.to_dense()
    laws.holds("shape of the matrix", M.shape == (A.n_out, A.n_in))
    laws.holds("finite matrix", bool(torch.isfinite(M).all()))
    size = torch.linalg.matrix_norm(M, ord=2)
    image, back = A(z), A.adjoint(y)
    laws.holds("shape of forward", image.shape == y.shape)
    laws.holds("shape of adjoint", back.shape == z.shape)
    laws.holds("dtype and device", (image.dtype, image.device) == (z.dtype, z.device))
    laws.equal("linear", A(2.5 * z - 0.75 * z2), 2.5 * image - 0.75 * A(z2), size)
    sides = (image * y).flatten(1).sum(1), (z * back).flatten(1).sum(1)
    laws.equal("adjoint", *sides, size * _length(z) * _length(y))
    laws.equal("matrix", image.flatten(1), z.flatten(1) @ M.mT, size)
    laws.equal("matrix of the transpose", A.T.to_dense(), M.mT, size)
    laws.equal("transpose of the transpose", A.T.T(z), image, size)
    laws.equal("fuse", ops.fuse(A).to_dense(), M, size)
    _check_batches(laws, A, z, image, "")
    _check_batches(laws, A.adjoint, y, back, " of the adjoint")
    _check_pseudo_inverse(laws, A, M)
    _check_singular(laws, A, M)
    if A.in_shape == A.out_shape:
        _check_powers(laws, A, M)
        _check_exponential(laws, A, M)
        _check_root(laws, A, M)
    return laws.errors


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
        x = _Random(seed, reference(V.g))(6, *V.shape)
    laws = _Laws(V, x.dtype, rtol)
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
    random = _Random(seed, reference(f))
    if x is None:
        x = random(6, *V.shape)
    laws = _Laws(f, x.dtype, rtol)
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


class _Laws:
    """Errors by law, and the tolerance that none may exceed."""

    def __init__(self, subject: object, dtype: torch.dtype, rtol: float | None) -> None:
        self.subject = type(subject).__name__
        self.rtol = _TOLERANCES.get(dtype, 0.1) if rtol is None else rtol
        self.errors: dict[str, float] = {}

    def equal(self, law: str, left: Tensor, right: Tensor, *scales: Tensor) -> None:
        """Record `max|left - right|` beside the largest of both sides and the scales."""
        if left.shape != right.shape:
            self._record(law, math.inf)
            return
        error = _largest(left - right)
        size = max(_largest(t) for t in (left, right, *scales))
        self._record(law, error / size if error > 0 else error)  # NaN passes through

    def holds(self, law: str, truth: bool) -> None:
        """Record a law without degrees."""
        self._record(law, 0.0 if truth else math.inf)

    def _record(self, law: str, error: float) -> None:
        self.errors[law] = max(self.errors.get(law, 0.0), error)
        if not error <= self.rtol:
            raise LawError(
                f"expected the law '{law}' of {self.subject} to hold up to {self.rtol:.1e}, got "
                f"a relative error of {error:.1e}; repair the class, use float64, or pass a "
                "larger rtol if it is ill-conditioned on purpose"
            )


class _Random:
    """Seeded normal numbers in the dtype and on the device of a tensor."""

    def __init__(self, seed: int, like: Tensor | None) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.like = torch.empty(0) if like is None else like

    def __call__(self, *shape: int) -> Tensor:
        numbers = torch.randn(shape, generator=self.generator, dtype=torch.float64, device="cpu")
        return numbers.to(self.like)


def _check_batches(
    laws: _Laws, function: Callable[[Tensor], Tensor], x: Tensor, image: Tensor, which: str
) -> None:
    """A single event, several batch axes and an empty batch, beside one batch axis."""
    laws.equal(f"single event{which}", function(x[0]), image[0], image)
    axes = function(torch.stack([x, x.flip(0)])[:, None])
    laws.equal(f"several batch axes{which}", axes, torch.stack([image, image.flip(0)])[:, None])
    laws.holds(f"empty batch{which}", function(x[:0]).shape == image[:0].shape)


def _check_pseudo_inverse(laws: _Laws, A: LinearOperator, M: Tensor) -> None:
    P = ops.pinv(A).to_dense()
    one = torch.ones_like(M[0, 0])
    laws.equal("A A⁺ A = A", M @ P @ M, M)
    laws.equal("A⁺ A A⁺ = A⁺", P @ M @ P, P)
    laws.equal("A A⁺ is symmetric", (M @ P).mT, M @ P, one)
    laws.equal("A⁺ A is symmetric", (P @ M).mT, P @ M, one)


def _check_singular(laws: _Laws, A: LinearOperator, M: Tensor) -> None:
    values = torch.linalg.svdvals(M)
    U, S, V = ops.svd(A)
    U, V = U.flatten(1), V.flatten(1)
    identity = torch.eye(len(S)).to(M)
    laws.equal("A = U Σ Vᵀ", (U.mT * S) @ V, M, values[0])
    laws.equal("U is orthonormal", U @ U.mT, identity)
    laws.equal("V is orthonormal", V @ V.mT, identity)
    laws.equal("svd's singular values", S, values[: len(S)], values[0])
    laws.equal("singular values", ops.singular_values(A), values)
    laws.equal("norm", ops.norm(A), values[0])
    zero, rank = ops.tolerance(A), ops.rank(A)
    surely, at_most = (int((values > factor * zero).sum()) for factor in (10.0, 0.1))
    laws.holds("rank", surely <= rank <= at_most)
    laws.equal("cond", values[0] / ops.cond(A), values[-1], values[0])


def _check_powers(laws: _Laws, A: LinearOperator, M: Tensor) -> None:
    identity = torch.eye(len(M)).to(M)
    laws.equal("A⁰ = I", ops.matrix_power(A, 0).to_dense(), identity)
    laws.equal("A³ = A A A", ops.matrix_power(A, 3).to_dense(), M @ M @ M)
    log_det = ops.logabsdet(A)
    if ops.rank(A) == len(M):
        laws.equal("A⁻¹ A = I", ops.matrix_power(A, -1).to_dense() @ M, identity)
        expected = torch.linalg.slogdet(M).logabsdet
        laws.equal("log|det A|", log_det, expected, torch.ones_like(expected))
    elif bool(ops.norm(A) > 0):
        relative = (log_det - len(M) * ops.norm(A).log()).exp()
        laws.equal("det A = 0", relative, torch.zeros_like(relative), torch.ones_like(relative))


def _check_exponential(laws: _Laws, A: LinearOperator, M: Tensor) -> None:
    s, t = (factor / max(float(ops.norm(A)), 1e-30) for factor in (0.7, -1.1))
    first, second = ops.expm(A, s).to_dense(), ops.expm(A, t).to_dense()
    laws.equal("exp(sA) exp(tA) = exp((s+t)A)", first @ second, ops.expm(A, s + t).to_dense())
    laws.equal("exp(sA)", first, torch.linalg.matrix_exp(s * M))


def _check_root(laws: _Laws, A: LinearOperator, M: Tensor) -> None:
    """A^½ A^½ = A, or a refusal exactly where an eigenvalue is negative or A is singular."""
    values, zero = torch.linalg.eigvals(M), ops.tolerance(A)
    negative = bool(((values.real < -10 * zero) & (values.imag == 0)).any())
    clear = ops.rank(A) == len(M) and not bool(
        ((values.real < 0) & (values.imag.abs() <= 10 * zero)).any()
    )
    try:
        root = ops.power(A, 0.5).to_dense()
    except NoRealRootError:
        laws.holds("A^½ exists", not clear)
        return
    laws.holds("A^½ is refused", not negative)
    laws.equal("A^½ A^½ = A", root @ root, M)


def _log_det_of_jacobian(g: Bijection, event: Tensor) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(g, event.detach())
    assert isinstance(jacobian, Tensor)
    n = event.numel()
    return torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _length(z: Tensor) -> Tensor:
    return z.flatten(1).norm(dim=1)
