"""The Linearizer: a nonlinear network that is a linear map between two induced spaces."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from linearizer import linalg
from linearizer._arrays import Array, Points, as_tensor, takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_like, reference
from linearizer.bijections import Bijection
from linearizer.errors import RangeError, ShapeError, SpaceMismatchError
from linearizer.estimation import LeastSquares
from linearizer.operators import LinearOperator, as_operator
from linearizer.saving import Saveable
from linearizer.spaces import InducedSpace
from linearizer.spectral import EigenPoints, SingularPoints

Subspace = Literal["range", "row_space", "null_space", "left_null_space"]


class Linearizer(nn.Module, Saveable):
    """`f(x) = g_y⁻¹(A g_x(x))`: linear from the space that g_x induces to that of g_y.

    `f(a ⊙ x ⊕ y) = a ⊙ f(x) ⊕ f(y)` holds exactly, so the operations of linear algebra act on
    f itself, each as a new Linearizer that shares the bijections. Source: Berman, Hallak,
    Shocher, "Who Said Neural Networks Aren't Linear?", arXiv:2510.08570.

    Args:
        g_x: Bijection of the domain.
        operator: A, a `LinearOperator`, a matrix (m, n), trained if an `nn.Parameter`, or an
            `nn.Linear` without bias.
        g_y: Bijection of the codomain; g_x if not given.

    Raises:
        ShapeError: If A does not map the latents of g_x to those of g_y.
        DtypeError: If A and the bijections differ in dtype.
        DeviceError: If they lie on different devices.

    Example:
        >>> import torch, linearizer as lz
        >>> g_x, g_y = (lz.vector_bijection(n, start="random") for n in (6, 4))
        >>> f = lz.Linearizer(g_x, torch.randn(4, 6), g_y)
        >>> f(torch.randn(10, 6)).shape, f.rank()
        (torch.Size([10, 4]), 4)
    """

    def __init__(
        self,
        g_x: Bijection,
        operator: LinearOperator | nn.Linear | Tensor,
        g_y: Bijection | None = None,
    ) -> None:
        super().__init__()
        self.g_x = g_x
        self.operator = as_operator(operator)
        self.g_y = g_x if g_y is None else g_y
        latents = (self.g_x.out_shape, self.g_y.out_shape)
        if (self.operator.in_shape, self.operator.out_shape) != latents:
            raise ShapeError(
                f"expected an operator {latents[0]} -> {latents[1]} between the latents of g_x "
                f"and g_y, got {self.operator.in_shape} -> {self.operator.out_shape}"
            )
        for g in (self.g_x, self.g_y):
            tensor = reference(g)
            if tensor is not None:
                check_like(tensor, reference(self.operator), "a Linearizer with this operator")

    __repr__ = brief

    def forward(self, x: Points) -> Points:
        """`g_y⁻¹(A g_x(x))` for points x of shape (*batch, *in_shape).

        Points are tensors, or NumPy arrays: then what is returned is an array, of their dtype.
        """
        return self.g_y.inverse(self.operator(self.g_x(x)))

    @property
    def domain(self) -> InducedSpace:
        """The induced space that f maps from."""
        return InducedSpace(self.g_x)

    @property
    def codomain(self) -> InducedSpace:
        """The induced space that f maps to."""
        return InducedSpace(self.g_y)

    @classmethod
    def fit(
        cls,
        g_x: Bijection,
        g_y: Bijection,
        x: Tensor | Array | Iterable[tuple[Tensor | Array, Tensor | Array]],
        y: Tensor | Array | None = None,
        *,
        ridge: float = 0.0,
        rank: int | None = None,
        batch_size: int = 1024,
    ) -> "Linearizer":
        """The Linearizer nearest to given pairs, in closed form: no gradient steps.

        `A = Z_y Z_xᵀ (Z_x Z_xᵀ + ridge I)⁻¹` for latents `Z_x = g_x(x)`, `Z_y = g_y(y)`.

        Args:
            g_x: Bijection of the domain.
            g_y: Bijection of the codomain.
            x: Points (N, *in_shape), or an iterable of batches (x, y), read once.
            y: Points (N, *out_shape), unless x is an iterable of batches.
            ridge: Weight of |A|², for few or noisy pairs.
            rank: Largest rank of A; any if not given.
            batch_size: Points encoded at a time.

        Raises:
            NonFiniteError: If a point or its latent is NaN or infinite.
            RangeError: If there are no pairs, or ridge or rank is out of range.

        Example:
            >>> import torch, linearizer as lz
            >>> g = lz.vector_bijection(4)
            >>> f = lz.Linearizer(g, torch.randn(4, 4))
            >>> x = torch.randn(100, 4)
            >>> h = lz.Linearizer.fit(g, g, x, f(x))
            >>> torch.allclose(h(x), f(x), atol=1e-2)
            True
        """
        pairs: Iterable[tuple[Tensor | Array, Tensor | Array]] = x
        if isinstance(x, Tensor | np.ndarray):
            if y is None:
                raise RangeError("expected points y beside the points x, got none")
            if len(x) != len(y):
                raise ShapeError(f"expected pairs, got {len(x)} inputs and {len(y)} outputs")
            starts = range(0, len(x), batch_size)
            pairs = ((x[i : i + batch_size], y[i : i + batch_size]) for i in starts)
        solver = LeastSquares(g_x.out_shape, g_y.out_shape)
        domain, codomain = InducedSpace(g_x), InducedSpace(g_y)
        with torch.no_grad():
            for points, images in pairs:
                solver.update(
                    domain.encode(as_tensor(points, g_x)), codomain.encode(as_tensor(images, g_y))
                )
        return cls(g_x, solver.solve(ridge, rank), g_y)

    # Composition and linear combination

    def __matmul__(self, other: "Linearizer") -> "Linearizer":
        """`(h @ f)(x) = h(f(x))`; h's domain must be f's codomain, the same g."""
        if not isinstance(other, Linearizer):
            return NotImplemented
        if self.domain != other.codomain:
            raise SpaceMismatchError(
                f"expected h @ f with h's domain equal to f's codomain, got {self.domain!r} and "
                f"{other.codomain!r} of different bijections; build both on one g object"
            )
        return Linearizer(other.g_x, self.operator @ other.operator, self.g_y)

    def __add__(self, other: "Linearizer") -> "Linearizer":
        """`(f + h)(x) = f(x) ⊕ h(x)`."""
        if not isinstance(other, Linearizer):
            return NotImplemented
        if (self.domain, self.codomain) != (other.domain, other.codomain):
            raise SpaceMismatchError(
                "expected two maps between the same spaces to add, got different bijections; "
                "build both on the same g objects"
            )
        return self._with(self.operator + other.operator)

    def __sub__(self, other: "Linearizer") -> "Linearizer":
        return self + (-other) if isinstance(other, Linearizer) else NotImplemented

    def __mul__(self, a: float | Tensor) -> "Linearizer":
        """`(a f)(x) = a ⊙ f(x)`."""
        return self._with(self.operator * a)

    __rmul__ = __mul__

    def __truediv__(self, a: float | Tensor) -> "Linearizer":
        return self._with(self.operator / a)

    def __neg__(self) -> "Linearizer":
        return self._with(-self.operator)

    def __pow__(self, exponent: float) -> "Linearizer":
        return self.power(exponent)

    # Transpose, inverse, functions

    @property
    def T(self) -> "Linearizer":
        """The adjoint for the induced inner products: `⟨f(x), y⟩ = ⟨x, f.T(y)⟩`."""
        return self._backwards(self.operator.T)

    @property
    def inv(self) -> "Linearizer":
        """The inverse, which undoes f: `f.inv(f(x)) = x`, by the inverse of A.

        Raises:
            ShapeError: If A is not square.
            SingularOperatorError: If A has no inverse; `pinv` is there all the same.

        Example:
            >>> import torch, linearizer as lz
            >>> f = lz.Linearizer(lz.vector_bijection(3, start="random"), 2 * torch.eye(3))
            >>> x = torch.randn(5, 3)
            >>> torch.allclose(f.inv(f(x)), x, atol=1e-4)
            True
        """
        return self._backwards(linalg.matrix_power(self.operator, -1))

    def pinv(self) -> "Linearizer":
        """The Moore-Penrose pseudo-inverse between the induced spaces."""
        return self._backwards(linalg.pinv(self.operator))

    def power(self, exponent: float) -> "Linearizer":
        """`f ** s`: f applied s times, for any real s that the operator allows.

        Raises:
            SpaceMismatchError: If g_x is not g_y.
            NoRealRootError: If s is not whole and there is no real power.
            SingularOperatorError: If s is negative and f has no inverse.

        Example:
            >>> import torch, linearizer as lz
            >>> f = lz.Linearizer(lz.vector_bijection(3), torch.diag(torch.tensor([1., 4., 9.])))
            >>> x = torch.randn(5, 3)
            >>> half = f.power(.5)
            >>> torch.allclose(half(half(x)), f(x), atol=1e-4)
            True
        """
        self._check_endomorphism("a power")
        return self._with(linalg.power(self.operator, exponent))

    def expm(self, t: float | Tensor = 1.0) -> "Linearizer":
        """exp(t f): the flow at time t of the linear dynamics that f generates."""
        self._check_endomorphism("an exponential")
        return self._with(linalg.expm(self.operator, t))

    def fuse(self) -> "Linearizer":
        """The same map with its lazy operator evaluated into one: quicker to apply often."""
        return self._with(linalg.fuse(self.operator))

    # Spectrum

    def svd(self, k: int | None = None) -> SingularPoints:
        """The k leading singular triplets; all if not given. Vectors are given as points."""
        left, values, right = linalg.svd(self.operator, k)
        return SingularPoints(self.codomain.decode(left), values, self.domain.decode(right))

    def eig(self) -> EigenPoints:
        """Eigenvalues, eigenpoints and invariant planes; needs g_x is g_y."""
        self._check_endomorphism("eigenvalues")
        values, vectors, pair_values, planes = linalg.eig(self.operator)
        decode = self.domain.decode
        return EigenPoints(values, decode(vectors), pair_values, decode(planes))

    def singular_values(self) -> Tensor:
        """All singular values, largest first."""
        return linalg.singular_values(self.operator)

    def rank(self) -> int:
        """Singular values strictly above `eps · max(m, n) · σ_max`."""
        return linalg.rank(self.operator)

    def cond(self) -> Tensor:
        """σ_max / σ_min; infinite for a singular f."""
        return linalg.cond(self.operator)

    def norm(self) -> Tensor:
        """σ_max, the operator norm between the induced spaces."""
        return linalg.norm(self.operator)

    # Equations and subspaces

    @takes_arrays
    def solve(self, y: Tensor) -> Tensor:
        """The point x of least norm among those with f(x) nearest to y, in induced norms."""
        return self.domain.decode(linalg.solve(self.operator, self.codomain.encode(y)))

    @takes_arrays
    def project(self, point: Tensor, onto: Subspace = "range") -> Tensor:
        """The nearest point, in the induced norm, of one of the four subspaces of f.

        Args:
            point: (*batch, *shape), of the codomain for `range` and `left_null_space`, of the
                domain for `row_space` and `null_space`.
            onto: The subspace.

        Raises:
            RangeError: If there is no such subspace.
        """
        A, inverse = self.operator, linalg.pinv(self.operator)
        of_codomain = onto in ("range", "left_null_space")
        if not of_codomain and onto not in ("row_space", "null_space"):
            raise RangeError(
                f"expected 'range', 'row_space', 'null_space' or 'left_null_space', got '{onto}'"
            )
        space = self.codomain if of_codomain else self.domain
        z = space.encode(point)
        projected = A(inverse(z)) if of_codomain else inverse(A(z))
        return space.decode(z - projected if onto.endswith("null_space") else projected)

    def null_space(self) -> Tensor:
        """Points (n - rank, *in_shape), orthonormal, that f maps to the zero vector."""
        return self.domain.decode(linalg.null_basis(self.operator))

    def range(self) -> Tensor:
        """Points (rank, *out_shape), orthonormal, whose combinations are all that f reaches."""
        return self.codomain.decode(linalg.range_basis(self.operator))

    def _with(self, operator: LinearOperator) -> "Linearizer":
        return Linearizer(self.g_x, operator, self.g_y)

    def _backwards(self, operator: LinearOperator) -> "Linearizer":
        return Linearizer(self.g_y, operator, self.g_x)

    def _check_endomorphism(self, what: str) -> None:
        if self.domain != self.codomain:
            raise SpaceMismatchError(
                f"expected g_x and g_y to be one bijection for {what}, got two; "
                "leave g_y out when building the Linearizer"
            )
