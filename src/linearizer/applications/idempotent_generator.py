"""Linear idempotent generative networks: a global projector onto what data look like."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from linearizer import linalg
from linearizer._arrays import Array, as_tensor, takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_between, check_finite
from linearizer._modes import own_precision
from linearizer._random import samples
from linearizer.bijections import Bijection, Centering, Chain, Redraw
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation import Moments, clusters, fit_redraw
from linearizer.estimation.latents import accumulate, latent_length, latents_of
from linearizer.estimation.redraw_fit import noise_of_all_kinds
from linearizer.linearizer import Linearizer
from linearizer.operators import LinearOperator, LowRank, OrthogonalProjection
from linearizer.saving import Saveable

COMPONENTS = 10
"""Clusters that stand in for classes where there are no labels."""


class Decomposition(NamedTuple):
    """`x = inside ⊕ outside`, orthogonal in the induced inner product if the projection is.

    Attributes:
        inside: `f(x)`, on the manifold.
        outside: `(I - f)(x)`, what f takes away.
    """

    inside: Tensor
    outside: Tensor


class IdempotentGenerator(nn.Module, Saveable):
    """`f = g⁻¹ A g` with `A² = A`, so that `f(f(x)) = f(x)` for every x, by construction.

    f projects anything, noise or a damaged picture, onto the manifold `g⁻¹(range A)`. Its
    range has a basis, the most telling direction first, and a variance along each: so new
    points are drawn from it, and one model holds the projections of all lower ranks.
    Source: arXiv:2510.08570, section 4.3; idempotent generation: arXiv:2311.01462.

    Args:
        g: Bijection of the data, onto vectors (n,).
        projection: A, idempotent.
        basis: Orthonormal columns (n, k) that span its range.
        variances: Of the data's latents along them (k,).
        mean: Of these latents along them (k,); zero if not given.
        redraw: The last layer of g, if that makes data of what lies far from the data; see
            `redrawing`.
        classes: The labels of its components, if they are classes.

    Raises:
        ShapeError: If the parts do not fit.
        RangeError: If A is not idempotent, or does not leave its basis as it is.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications import IdempotentGenerator
        >>> data = torch.randn(500, 2) @ torch.randn(2, 6)
        >>> f = IdempotentGenerator.fit(lz.vector_bijection(6), [data], rank=2)
        >>> torch.allclose(f.project(data), data, atol=1e-3)
        True
        >>> x = torch.randn(10, 6)
        >>> torch.allclose(f.project(f.project(x)), f.project(x), atol=1e-4)
        True
        >>> f.generate(3).shape
        torch.Size([3, 6])
    """

    certified = True
    basis: Tensor
    variances: Tensor
    mean: Tensor

    __repr__ = brief

    def __init__(
        self,
        g: Bijection,
        projection: LinearOperator,
        basis: Tensor,
        variances: Tensor,
        mean: Tensor | None = None,
        redraw: Redraw | None = None,
        classes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        n = latent_length(g)
        if projection.in_shape != (n,) or projection.out_shape != (n,):
            raise ShapeError(
                f"expected a projection of the latents {g.out_shape}, got {projection.in_shape} -> "
                f"{projection.out_shape}"
            )
        if basis.ndim != 2 or len(basis) != n or variances.shape != basis.shape[1:]:
            raise ShapeError(
                f"expected a basis ({n}, k) and variances (k,), got {tuple(basis.shape)} and "
                f"{tuple(variances.shape)}"
            )
        self.g, self.projection, self.redraw, self.classes = g, projection, redraw, list(classes)
        self.register_buffer("basis", basis)
        self._shares_basis = getattr(projection, "basis", None) is basis
        self.register_load_state_dict_post_hook(_share_basis)  # type: ignore[no-untyped-call]
        self.register_buffer("variances", variances)
        self.register_buffer("mean", torch.zeros_like(variances) if mean is None else mean)
        _check_idempotent(projection, basis)

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        g: Bijection,
        data: Iterable[Tensor | Array],
        *,
        rank: int | None = None,
        projection: LinearOperator | None = None,
    ) -> "IdempotentGenerator":
        """The best projection for a given g: principal components of the latents.

        Of all projections of a rank, it moves the latents least (Eckart and Young, 1936). The
        mean of the latents goes into g, as a centering layer.

        Args:
            g: Bijection of the data, onto vectors (n,).
            data: Batches (N, *g.in_shape), read once.
            rank: Of the projection, from 1 to n - 1; n - 1 if not given.
            projection: Take this one instead, and measure the latents in its range. Latents
                are then not centered: it was trained with them as they are.

        Raises:
            RangeError: If the rank is out of range, or given together with a projection.
        """
        n = latent_length(g)
        if projection is not None and rank is not None:
            raise RangeError("expected a rank or a projection, got both; a projection has its own")
        rank = n - 1 if rank is None else rank
        check_between(rank, 1, n - 1, f"the rank of a projection of {n} dimensions")
        if projection is not None:
            return cls._measured(g, data, projection)
        moments = Moments(n)
        like = accumulate(moments, (g(as_tensor(batch, g)) for batch in data))
        values, vectors = torch.linalg.eigh(moments.covariance())
        basis = vectors.flip(1)[:, :rank].to(like).contiguous()  # one tensor, saved once
        variances = values.flip(0)[:rank].clamp_min(0).to(like)
        g = Chain(g, Centering(moments.mean().to(like)))
        with own_precision(like.device):
            return cls(g, OrthogonalProjection(basis), basis, variances)

    @classmethod
    def _measured(
        cls, g: Bijection, data: Iterable[Tensor | Array], projection: LinearOperator
    ) -> "IdempotentGenerator":
        Q = linalg.range_basis(projection)
        check_between(len(Q), 1, len(Q.mT) - 1, "the rank of the projection")
        moments = Moments(len(Q))
        with own_precision(Q.device):
            like = accumulate(moments, (projection(g(as_tensor(x, g))) @ Q.mT for x in data))
        values, vectors = torch.linalg.eigh(moments.covariance())
        turn = vectors.flip(1)
        mean = (moments.mean() @ turn).to(like)
        variances = values.flip(0).clamp_min(0).to(like)
        return cls(g, projection, Q.mT @ turn.to(like), variances, mean)

    @torch.no_grad()
    def redrawing(
        self,
        data: Tensor,
        labels: Tensor | None = None,
        *,
        components: int | None = None,
        far: Sequence[Tensor] | None = None,
        seed: int = 0,
    ) -> "IdempotentGenerator":
        """The same projector, but that it makes new data of what lies far from the data.

        The point of the manifold nearest to noise is like no data. So g gains a last layer in
        closed form, `bijections.Redraw`: near the manifold all stays as it is, and far from it
        codes are drawn from those of the data, with what lies outside as the random numbers. g is
        still a bijection, and f as idempotent as before. `generate` draws from the same codes.

        Args:
            data: Points (N, *g.in_shape).
            labels: Their classes (N,), each with a Gaussian of its own.
            components: Clusters to find without labels; ten if not given.
            far: What is far, points (N, *g.in_shape) of each kind; noise of many if not given.
            seed: Of clusters and noise.

        Raises:
            RangeError: If points that should be far are not farther from the manifold than data.
        """
        g = self.g_of_data
        far = noise_of_all_kinds(g.in_shape, self.basis, seed) if far is None else far

        z = latents_of(g, data)
        classes = () if labels is None else labels.unique().tolist()
        if labels is None:
            labels = clusters(z @ self.basis, components or COMPONENTS, seed)
        with own_precision(z.device):
            redraw = fit_redraw(
                self.basis, z, labels, [latents_of(g, kind) for kind in far], seed=seed
            )
            parts = self.projection, self.basis, self.variances, self.mean
            return IdempotentGenerator(Chain(g, redraw), *parts, redraw, classes)

    # The projection

    @property
    def g_of_data(self) -> Bijection:
        """g without the layer that redraws what lies far from the data."""
        if self.redraw is None:
            return self.g
        return self.g.bijections[0]  # type: ignore[index,return-value]

    @property
    def rank(self) -> int:
        """Dimension of the manifold."""
        return self.basis.shape[1]

    def at(self, rank: int | None = None) -> Linearizer:
        """f, or the projection onto the first directions of its range alone.

        These are nested: that of rank j after that of rank k is that of rank min(j, k).

        Raises:
            RangeError: If the rank is not from 1 to that of f.
        """
        return Linearizer(self.g, self._operator(rank), self.g)

    @takes_arrays
    @torch.no_grad()
    def project(self, x: Tensor, rank: int | None = None) -> Tensor:
        """f(x), of the shape of x, (*batch, *g.in_shape).

        Raises:
            NonFiniteError: If there is NaN or infinity.
        """
        check_finite(x, "the points to project")
        projected: Tensor = self.at(rank)(x)
        return projected

    @takes_arrays
    @torch.no_grad()
    def residual(self, x: Tensor, rank: int | None = None) -> Tensor:
        """`|g(x) - A g(x)|` (*batch): the induced distance to the manifold, an outlier score."""
        check_finite(x, "the points to measure")
        z = self.g(x)
        return torch.linalg.vector_norm(z - self._operator(rank)(z), dim=-1)

    @takes_arrays
    @torch.no_grad()
    def decompose(self, x: Tensor, rank: int | None = None) -> Decomposition:
        """`x = f(x) ⊕ (I - f)(x)`."""
        check_finite(x, "the points to decompose")
        z = self.g(x)
        inside = self._operator(rank)(z)
        return Decomposition(self.g.inverse(inside), self.g.inverse(z - inside))

    @takes_arrays
    @torch.no_grad()
    def interpolate(self, x: Tensor, y: Tensor, count: int, rank: int | None = None) -> Tensor:
        """Points (count, *shape) on the manifold, from f(x) straight to f(y)."""
        check_between(count, 2, math.inf, "the number of points")
        P = self._operator(rank)
        a, b = P(self.g(x)), P(self.g(y))
        line = [torch.lerp(a, b, i / (count - 1)) for i in range(count)]
        return self.g.inverse(torch.stack(line))

    # Generation

    @torch.no_grad()
    def generate(
        self,
        count: int,
        *,
        rank: int | None = None,
        label: int | None = None,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> Tensor:
        """New points of the manifold (count, *g.in_shape), from the Gaussian of the latents.

        Or from one Gaussian of each class, if `redrawing` found them.

        Args:
            count: Number of points.
            rank: Draw along so many directions; all if not given.
            label: A class that `redrawing` was given; any if not given.
            temperature: Factor of the standard deviations; below 1 for fewer outliers.
            seed: A new one each time if not given.

        Raises:
            RangeError: If there is no such class.
        """
        check_between(temperature, 0.0, math.inf, "the temperature")
        k = self._checked(rank)
        place = None if label is None else self._place_of(label)
        if self.redraw is None:
            draws = samples(count, (k,), seed, self.basis)
            coordinates = self.mean[:k] + temperature * self.variances[:k].sqrt() * draws
        else:
            draws = samples(count, (self.redraw.reader.shape[1],), seed, self.basis)
            components = self.redraw.pick(draws[:, 0])
            if place is not None:
                components = torch.full_like(components, place)
            coordinates = self.redraw.code(components, temperature * draws[:, 1:])[:, :k]
        with own_precision(coordinates.device):
            z = coordinates @ self.basis[:, :k].mT
        return self.g.inverse(z)

    def noise(self, count: int, seed: int | None = None) -> Tensor:
        """N(0, I) points (count, *g.in_shape), nothing like data: what there is to project."""
        return samples(count, self.g.in_shape, seed, self.basis)

    # Details

    def _place_of(self, label: int) -> int:
        if label not in self.classes:
            known = ", ".join(map(str, self.classes)) or "none: call redrawing with labels"
            raise RangeError(f"expected a class that the projector has ({known}), got {label}")
        return self.classes.index(label)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Keep one tensor one: the projection makes its basis orthonormal in a finer dtype."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        _share_basis(self)
        return self

    def _checked(self, rank: int | None) -> int:
        if rank is None:
            return self.rank
        check_between(rank, 1, self.rank, "the rank")
        return rank

    def _operator(self, rank: int | None) -> LinearOperator:
        k = self._checked(rank)
        if k == self.rank:
            return self.projection
        part = self.basis[:, :k]
        if not isinstance(self.projection, OrthogonalProjection):
            return LowRank(part, self.projection.adjoint(part.mT).mT)  # Q Qᵀ A
        with own_precision(part.device):
            return OrthogonalProjection.onto(part)


def _share_basis(model: IdempotentGenerator, _: object = None) -> None:
    if model._shares_basis:
        model.basis = model.projection.basis  # type: ignore[assignment]


@torch.no_grad()
def _check_idempotent(projection: LinearOperator, basis: Tensor) -> None:
    if basis.is_meta:
        return
    n, k = basis.shape
    check_between(k, 1, n - 1, "the rank of the projection")
    some = torch.randn(4, n, generator=torch.Generator().manual_seed(0)).to(basis)
    image = projection(some)
    tolerance = 10 * n**0.5 * torch.finfo(basis.dtype).eps ** 0.75
    for points, images, what in (
        (image, projection(image), "A² = A"),
        (basis.mT, projection(basis.mT), "A to leave its basis as it is"),
    ):
        error = float((points - images).norm() / points.norm())
        if not error < tolerance:
            raise RangeError(
                f"expected {what}, got a relative error of {error:.1g}; take an "
                "OrthogonalProjection, or another operator that is idempotent by construction"
            )
