"""Induced spaces: R^n with the +, · and ⟨·,·⟩ that a bijection carries back."""

from collections.abc import Sequence
from numbers import Real
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from linearizer._arrays import Points, takes_arrays
from linearizer._checks import check_between, check_like, reference
from linearizer._modes import in_single, own_precision
from linearizer.bijections import Bijection
from linearizer.errors import RangeError, ShapeError, SpaceMismatchError


class InducedSpace:
    """The vector space on points in which g is an isometry to R^n.

    `u ⊕ v = g⁻¹(g(u) + g(v))`, `a ⊙ v = g⁻¹(a · g(v))`, `⟨u, v⟩_g = ⟨g(u), g(v)⟩`. Points have
    shape `(*batch, *shape)`; a bijection g makes all axioms hold exactly, up to rounding.
    Source: Berman, Hallak, Shocher, arXiv:2510.08570, section 3.

    Args:
        g: The bijection.

    Example:
        >>> import torch, linearizer as lz
        >>> V = lz.InducedSpace(lz.vector_bijection(4, start="random"))
        >>> x, y = torch.randn(2, 4)
        >>> torch.allclose(V.add(x, y), (V(x) + V(y)).x)
        True
    """

    def __init__(self, g: Bijection) -> None:
        self.g = g

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of the points."""
        return self.g.in_shape

    def __repr__(self) -> str:
        return f"InducedSpace({type(self.g).__name__} {self.shape})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InducedSpace) and self.g.same_as(other.g)

    def __hash__(self) -> int:
        return hash((InducedSpace, self.shape))

    def __call__(self, x: Points) -> "InducedVector[Points]":
        """The vector at the point x."""
        return InducedVector(self, self.encode(x))

    def encode(self, x: Points) -> Points:
        """g(x): the coordinates of points; it raises as g does."""
        z: Points = self.g(x)
        return z

    def decode(self, z: Points) -> Points:
        """g⁻¹(z): the points with these coordinates."""
        return self.g.inverse(z)

    @takes_arrays
    def add(self, u: Tensor, v: Tensor) -> Tensor:
        """The sum u ⊕ v."""
        return self.decode(self.encode(u) + self.encode(v))

    @takes_arrays
    def sub(self, u: Tensor, v: Tensor) -> Tensor:
        """The difference u ⊖ v."""
        return self.decode(self.encode(u) - self.encode(v))

    @takes_arrays
    def scale(self, a: float | Tensor, v: Tensor) -> Tensor:
        """The multiple a ⊙ v; a tensor a has the batch shape of v, or broadcasts to it."""
        return self.decode(self._weigh(a, self.encode(v)))

    @takes_arrays
    def combine(self, weights: Sequence[float] | Tensor, points: Tensor) -> Tensor:
        """The linear combinations `⊕_i w_i ⊙ p_i`.

        Args:
            weights: (*batch, k), or k numbers.
            points: (k, *shape).

        Returns:
            Points (*batch, *shape).

        Example:
            >>> import torch, linearizer as lz
            >>> V = lz.InducedSpace(lz.Identity(2))
            >>> V.combine([2., -1.], torch.tensor([[1., 0.], [0., 1.]]))
            tensor([ 2., -1.])

        Raises:
            ShapeError: If the points have other than one batch axis, or are not k.
        """
        z = self._rows(points)
        w = torch.as_tensor(weights, dtype=z.dtype, device=z.device)
        if w.ndim == 0 or w.shape[-1] != len(z):
            raise ShapeError(f"expected {len(z)} weights for {len(z)} points, got {tuple(w.shape)}")
        with own_precision(z.device):
            combined = w @ z
        return self.decode(combined.unflatten(-1, self.g.out_shape))

    def zero(self) -> Tensor:
        """The zero vector, the point g⁻¹(0)."""
        like = reference(self.g)
        like = torch.empty(0) if like is None else like
        return self.decode(like.new_zeros(self.g.out_shape))

    @takes_arrays
    def inner(self, u: Tensor, v: Tensor) -> Tensor:
        """⟨u, v⟩_g, of shape (*batch)."""
        return self._sum(self.encode(u) * self.encode(v))

    @takes_arrays
    def norm(self, v: Tensor) -> Tensor:
        """|v|_g = √⟨v, v⟩_g, of shape (*batch); at the zero vector its gradient is zero."""
        return self._length(self.encode(v))

    @takes_arrays
    def distance(self, u: Tensor, v: Tensor) -> Tensor:
        """|u ⊖ v|_g, of shape (*batch); where u is v its gradient is zero, a subgradient."""
        return self._length(self.encode(u) - self.encode(v))

    @takes_arrays
    def lerp(self, u: Tensor, v: Tensor, t: float | Tensor) -> Tensor:
        """The straight line `(1-t) ⊙ u ⊕ t ⊙ v`; a tensor t broadcasts against the batch."""
        a, b = self.encode(u), self.encode(v)
        return self.decode(a + self._weigh(t, b - a))

    @takes_arrays
    def mean(self, points: Tensor, dim: int = 0) -> Tensor:
        """The mean of points over a batch axis."""
        z = self.encode(points)
        batch_axes = z.ndim - len(self.g.out_shape)
        check_between(dim, 0, batch_axes - 1, "the batch axis")
        return self.decode(z.mean(dim))

    @takes_arrays
    def project(self, x: Tensor, onto: Tensor) -> Tensor:
        """The nearest points, in the induced norm, of the span of some points.

        Points that depend on others add nothing to the span, and the zero vector nothing at all:
        a direction counts if its singular value is above `eps · max(k, n) · σ_max`, and above
        what rounding the points does to their coordinates.

        Args:
            x: Points (*batch, *shape).
            onto: (k, *shape).

        Raises:
            ShapeError: If there are more points than dimensions.

        Example:
            >>> import torch, linearizer as lz
            >>> V = lz.InducedSpace(lz.Identity(3))
            >>> V.project(torch.ones(3), torch.tensor([[1., 0., 0.], [2., 0., 0.]]))
            tensor([1., 0., 0.])
        """
        check_like(x, onto, "a projection of points")
        rows, weights = self._independent(onto)
        z = self.encode(x).flatten(-len(self.g.out_shape))
        with own_precision(z.device):
            Q = in_single(_span, rows, weights)
            projected = z @ Q @ Q.mT
        return self.decode(projected.unflatten(-1, self.g.out_shape))

    @takes_arrays
    def orthonormalize(self, points: Tensor) -> Tensor:
        """Points (k, *shape) with the same span that are orthonormal in ⟨·,·⟩_g.

        Raises:
            ShapeError: If there are more points than dimensions.
            RangeError: If they are dependent: as many orthonormal points do not exist then.
        """
        rows, weights = self._independent(points)
        if len(weights) < len(rows):
            raise RangeError(
                f"expected independent points, got {len(rows)} that span {len(weights)} "
                "dimensions; drop those that depend on the others"
            )
        with own_precision(rows.device):
            Q = in_single(_orthonormal, rows)
        return self.decode(Q.mT.unflatten(-1, self.g.out_shape))

    def _independent(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (k, n) of points, and the numbers that make orthonormal rows of them."""
        rows = self._rows(points)
        if len(rows) > rows.shape[1]:
            raise ShapeError(
                f"expected at most {rows.shape[1]} points, one for each dimension, got "
                f"{len(rows)}; drop those that depend on the others"
            )
        with torch.no_grad():
            rounded = self._rows(points * (1 + torch.finfo(points.dtype).eps))
            return rows, _weights(rows, rounded - rows)

    def _rows(self, points: Tensor) -> Tensor:
        """The coordinates (k, n) of points (k, *shape)."""
        z = self.encode(points)
        if z.ndim != len(self.g.out_shape) + 1:
            raise ShapeError(
                f"expected points (k, {', '.join(map(str, self.shape))}), "
                f"got {tuple(points.shape)}; stack them along one axis"
            )
        return z.flatten(1)

    def _weigh(self, a: float | Points, z: Points) -> Points:
        if isinstance(a, Tensor | np.ndarray):
            a = a.reshape(*a.shape, *(1,) * len(self.g.out_shape))
        return a * z

    @takes_arrays
    def _sum(self, z: Tensor) -> Tensor:
        return z.flatten(-len(self.g.out_shape)).sum(-1)

    @takes_arrays
    def _length(self, z: Tensor) -> Tensor:
        return torch.linalg.vector_norm(z.flatten(-len(self.g.out_shape)), dim=-1)


class InducedVector(Generic[Points]):
    """A vector of an induced space, with the usual operators; `.x` is its point.

    Args:
        space: The space.
        z: Coordinates (*batch, *g.out_shape); points become vectors by `space(x)`.

    Example:
        >>> import torch, linearizer as lz
        >>> V = lz.InducedSpace(lz.vector_bijection(4, start="random"))
        >>> u, v = V(torch.randn(4)), V(torch.randn(4))
        >>> torch.allclose((u + 0.5 * v - u).x, (v / 2).x, atol=1e-5)
        True
    """

    __array_ufunc__ = None  # NumPy leaves `a * v` to `v * a`

    def __init__(self, space: InducedSpace, z: Points) -> None:
        self.space = space
        self.z: Points = z

    @property
    def x(self) -> Points:
        """The point g⁻¹(z)."""
        return self.space.decode(self.z)

    def __add__(self, other: "InducedVector[Points]") -> "InducedVector[Points]":
        return self._with(self.z + self._coordinates(other))

    def __sub__(self, other: "InducedVector[Points]") -> "InducedVector[Points]":
        return self._with(self.z - self._coordinates(other))

    def __mul__(self, a: float | Points) -> "InducedVector[Points]":
        if not isinstance(a, Real | Tensor | np.ndarray):
            return NotImplemented
        return self._with(self.space._weigh(a, self.z))

    __rmul__ = __mul__

    def __truediv__(self, a: float | Points) -> "InducedVector[Points]":
        return self * (1 / a)

    def __neg__(self) -> "InducedVector[Points]":
        return self._with(-self.z)

    def __matmul__(self, other: "InducedVector[Points]") -> Points:
        """The inner product ⟨u, v⟩_g."""
        return self.space._sum(self.z * self._coordinates(other))

    def norm(self) -> Points:
        """|v|_g, of shape (*batch); at the zero vector its gradient is zero."""
        return self.space._length(self.z)

    def __repr__(self) -> str:
        batch = tuple(self.z.shape[: self.z.ndim - len(self.space.g.out_shape)])
        return f"InducedVector(batch {batch} of {self.space!r})"

    def _with(self, z: Points) -> "InducedVector[Points]":
        return InducedVector(self.space, z)

    def _coordinates(self, other: "InducedVector[Points]") -> Points:
        if not isinstance(other, InducedVector) or other.space != self.space:
            raise SpaceMismatchError(
                f"expected a vector of {self.space!r}, got {other!r}; "
                "vectors add up only in the space of one and the same g"
            )
        return other.z


def _weights(rows: Tensor, rounding: Tensor) -> Tensor:
    """The numbers (r, k) that combine k rows into r orthonormal ones, r the rank of the rows.

    The zero vector is the point g⁻¹(0), and its coordinates are zero only up to rounding: beside
    themselves they would count, so they are compared with what rounding the points does.
    """
    if rows.is_meta or not len(rows):
        return rows.new_empty(len(rows), len(rows))
    eps, dtype = torch.finfo(rows.dtype).eps, torch.promote_types(rows.dtype, torch.float32)
    U, S, _ = torch.linalg.svd(rows.to(dtype), full_matrices=False)
    smallest = torch.maximum(eps * S[0], torch.linalg.matrix_norm(rounding.to(dtype), ord=2))
    counts = max(rows.shape) * smallest < S
    return (U[:, counts] / S[counts]).mT


def _orthonormal(rows: Tensor) -> Tensor:
    """Orthonormal columns (n, k) of independent rows (k, n), by Gram and Schmidt."""
    Q, R = torch.linalg.qr(rows.mT)
    return Q * torch.where(R.diagonal() < 0, -1.0, 1.0)


def _span(rows: Tensor, weights: Tensor) -> Tensor:
    """Orthonormal columns (n, r) that span what the rows do, differentiable in them."""
    return _orthonormal(weights @ rows)
