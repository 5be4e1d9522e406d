"""Conditional one-step flow: a class is an operator, as a style is."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from linearizer._arrays import Array, takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_between
from linearizer.applications.conditional_flow.components import (
    Kind,
    between,
    carried,
    guided,
    log_density,
    shared,
    whitened,
)
from linearizer.applications.conditional_flow.fitting import label, measure, parts
from linearizer.applications.one_step_flow import OneStepFlow, tweedie
from linearizer.bijections import Bijection
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation import GaussianMixture
from linearizer.estimation.latents import BATCH
from linearizer.linearizer import Linearizer
from linearizer.saving import Saveable

Label = int | str


class ConditionalFlow(nn.Module, Saveable):
    """A mixture of one-step flows on one bijection g, one for each class or cluster.

    Component c has a weight π_c, a mean μ_c and a covariance C_c of its latents. With
    `g_c = g - μ_c` it has an induced space V_c of its own, and `f_c = g_c⁻¹ ∘ C_c^½` is a
    Linearizer from noise to the class. So a class is an operator: what leads from class a to
    class b is the Linearizer `f_b f_a⁺`, guidance is arithmetic of operators, and the density
    `Σ_c π_c N(g(x); μ_c, C_c) |det J_g(x)|` and its posterior are exact.

    Args:
        components: One-step flows from the same noise; the bijection of each is
            `Chain(g, Centering(μ_c))` of one and the same g.
        labels: The class of each component; a class may have several.
        weights: π, (K,), positive; they are divided by their sum.
        pooled: The flow of all classes as one, which guidance leads away from.
        density: The same components, measured on data with noise: what densities and posteriors
            are computed with; the components themselves if not given.

    Raises:
        ShapeError: If there are not as many labels and weights as components.
        RangeError: If the components do not share g, or a weight is not positive.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications import ConditionalFlow
        >>> x, y = torch.randn(300, 4), torch.arange(300) % 3
        >>> flow = ConditionalFlow.fit(lz.vector_bijection(4), x + 5. * y[:, None], y)
        >>> flow.sample(5, label=2).shape, flow.classes
        (torch.Size([5, 4]), [0, 1, 2])
        >>> float((flow.classify(x + 5. * y[:, None]) == y).float().mean()) > 0.9
        True
        >>> there, back = flow.between(0, 1), flow.between(1, 0)
        >>> torch.allclose(back(there(x)), x, atol=1e-3)
        True
    """

    certified = True
    weights: Tensor

    __repr__ = brief

    def __init__(
        self,
        components: Sequence[OneStepFlow],
        labels: Sequence[Label],
        weights: Tensor,
        pooled: OneStepFlow,
        density: "GaussianMixture | ConditionalFlow | None" = None,
    ) -> None:
        super().__init__()
        if not len(components) == len(labels) == weights.numel() or not labels:
            raise ShapeError(
                f"expected a label and a weight for each component, got {len(components)} "
                f"components, {len(labels)} labels and {weights.numel()} weights"
            )
        if not bool((weights > 0).all()):
            raise RangeError("expected positive weights, got one of zero or below; leave it out")
        self.components, self.labels = nn.ModuleList(components), list(labels)
        self.pooled, self.density = pooled, density
        self.register_buffer("weights", weights / weights.sum())
        if any(shared(f.g_data) is not self.g for f in (*components, pooled)):
            raise RangeError(
                "expected components on one g, got several; build each on Chain(g, Centering(mean))"
            )
        if density is not None and density.weights.shape != self.weights.shape:
            raise RangeError(
                f"expected a density of {len(labels)} components, as there are, got "
                f"{len(density.weights)}; fit both together"
            )

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        g: Bijection,
        data: Tensor | Array | Iterable[tuple[Tensor | Array, Tensor | Array]],
        labels: Tensor | Array | None = None,
        *,
        components: int | None = None,
        rank: int | None = None,
        shrinkage: float | None = None,
        noise: float = 0.0,
        density_shrinkage: float | None = None,
        seed: int = 0,
    ) -> "ConditionalFlow":
        """The components of a given g, in closed form: one pass over the data.

        A class with few images borrows from the others: its covariance is
        `(N_c C_c + α C) / (N_c + α)`, C the covariance within classes.

        Args:
            g: Bijection of the data, onto vectors (n,).
            data: Points (N, *g.in_shape), or batches of points and their labels, read once.
            labels: Whole numbers (N,), with points.
            components: Number of clusters to find by k-means of the latents: within each class,
                or of all points if there are no labels.
            rank: Directions of each covariance to keep, with one variance for all others, so
                that no n × n matrix is kept; the whole covariance if not given.
            shrinkage: α, the points that C counts for; n if not given.
            noise: Standard deviation of the noise that g was trained with. Samples come from
                data as they are, so that they have no noise; the density is that of data with
                this noise, without which directions that hardly vary would outweigh all others.
            density_shrinkage: α of the density, a `GaussianMixture`, which a larger one suits:
                moments that fit the data too well are surer of them than of new ones; 4 n if not
                given.
            seed: Of clustering and noise.

        Raises:
            RangeError: If there are neither labels nor a number of components, or more components
                than points.
            ShapeError: If there is not one label for each point.
        """
        labeled, owners = label(g, data, labels, components, seed)
        clean, noisy, like = measure(g, labeled, rank, shrinkage, noise, density_shrinkage, seed)
        names = [owners.get(i, i) for i in clean.labels]
        density: GaussianMixture | ConditionalFlow | None = None
        if noisy is not None and noisy.exact:
            density = noisy.mixture().to(like)
        elif noisy is not None:
            flows, weights, pooled = parts(g, noisy, rank, like)
            density = cls(flows, names, weights, pooled)
        flows, weights, pooled = parts(g, clean, rank, like)
        return cls(flows, names, weights, pooled, density)

    # Components

    @property
    def g(self) -> Bijection:
        """The bijection that all components share, without their means."""
        return shared(self.pooled.g_data)

    def component(self, i: int) -> OneStepFlow:
        """The one-step flow of component i."""
        flow = self.components[i]
        assert isinstance(flow, OneStepFlow), "checked when built"
        return flow

    @property
    def classes(self) -> list[Label]:
        """The labels, each once, in order."""
        return sorted(set(self.labels), key=lambda label: (isinstance(label, str), label))

    def indices(self, label: Label | None) -> list[int]:
        """The components of a class, or all if none is given.

        Raises:
            RangeError: If there is no such class.
        """
        found = [i for i, other in enumerate(self.labels) if label is None or other == label]
        if not found:
            known = ", ".join(map(str, self.classes))
            raise RangeError(f"expected a class of {known}, got {label}; choose one of these")
        return found

    def at(self, label: Label) -> OneStepFlow:
        """The one-step flow of a class, with every method that one has.

        Raises:
            RangeError: If there is no such class, or it has several components.
        """
        found = self.indices(label)
        if len(found) > 1:
            raise RangeError(
                f"expected a class of one component, got {label} with {len(found)}; take one of "
                f"components[i] for i in {found}"
            )
        return self.component(found[0])

    def between(self, a: Label, b: Label, kind: Kind = "noise") -> Linearizer:
        """The Linearizer from class a to class b, `V_a → V_b`.

        - `noise`: `f_b f_a⁺`, through the same noise; `between(b, c) @ between(a, b)` is
          `between(a, c)`.
        - `transport`: the optimal transport map between the two Gaussians of latents,
          `C_a^-½ (C_a^½ C_b C_a^½)^½ C_a^-½`, which moves latents as little as it can.

        Raises:
            RangeError: If there is no such class or kind.
        """
        return between(self.at(a), self.at(b), kind)

    # Samples

    @torch.no_grad()
    def sample(
        self,
        count: int,
        *,
        label: Label | None = None,
        temperature: float = 1.0,
        guidance: float = 0.0,
        seed: int | None = None,
    ) -> Tensor:
        """New data (count, *g.in_shape) of a class, or of all by their weights, in one step.

        Args:
            count: Number of samples.
            label: The class; drawn anew for each sample if not given.
            temperature: Standard deviation of the noise; below 1 for fewer outliers.
            guidance: w of `(1 + w) B_c - w B` and `(1 + w) μ_c - w μ`, with B and μ of all
                classes as one: above 0 for more typical, less varied samples.
            seed: Seed of noise and classes; new ones each time if not given.

        Raises:
            RangeError: If there is no such class, or the guidance is so large that numbers
                overflow.
        """
        noise = self.pooled.noise(count, seed, temperature)
        return self.decode(noise, self.draw(count, label, seed), guidance)

    def draw(self, count: int, label: Label | None = None, seed: int | None = None) -> Tensor:
        """Components (count,) by their weights, of one class or of all."""
        among = torch.tensor(self.indices(label))
        weights = self.weights.detach().cpu().double()[among]
        generator = None if seed is None else torch.Generator().manual_seed(seed + 1)
        return among[torch.multinomial(weights, count, replacement=True, generator=generator)]

    def draw_evenly(self, count: int, seed: int | None = None) -> Tensor:
        """Components (count,), as many of each class, in the order of `classes`."""
        parts = torch.arange(count).tensor_split(len(self.classes))
        pairs = [pair for pair in zip(self.classes, parts, strict=True) if len(pair[1])]
        return torch.cat([self.draw(len(part), label, seed) for label, part in pairs])

    @takes_arrays
    def decode(self, noise: Tensor, components: Tensor, guidance: float = 0.0) -> Tensor:
        """Noise (N, n) to data, each through the component (N,) that is given for it."""
        z = torch.empty_like(noise)
        for i in components.unique().tolist():
            rows = components == i
            B, center = guided(self.component(i), self.pooled, guidance)
            z[rows] = B(noise[rows]) + center
        if not bool(torch.isfinite(z).all()):
            raise RangeError(
                f"expected a guidance that keeps numbers finite, got {guidance:g}; take less"
            )
        return torch.cat([self.g.inverse(part) for part in z.split(BATCH)])

    @takes_arrays
    def encode(self, data: Tensor, label: Label | None = None) -> Tensor:
        """Data (N, *g.in_shape) to the noise that it comes from, as a class or the likeliest."""
        z = self.g(data)
        components = self._likeliest(z, label)
        noise = torch.empty_like(z)
        for i in components.unique().tolist():
            rows = components == i
            noise[rows] = whitened(self.component(i), z[rows])
        return noise

    @takes_arrays
    @torch.no_grad()
    def translate(self, data: Tensor, to: Label, kind: Kind = "noise") -> Tensor:
        """Data (N, *g.in_shape) of any classes as data of one class, by `between`.

        What all classes share, the hand that wrote a digit, stays: it is the noise. Of several
        components of the class, the one that moves the latents least takes them.
        """
        z = self._carried(self.g(data), to, kind)
        return torch.cat([self.g.inverse(part) for part in z.split(BATCH)])

    @takes_arrays
    @torch.no_grad()
    def morph(self, x: Tensor, to: Label, count: int, kind: Kind = "noise") -> Tensor:
        """Points (count, *shape) from x to its translation, on the line between two classes.

        The noise of x stays; mean and operator go from one class to the other,
        `(1 - t) μ_a + t μ_b` and `(1 - t) B_a + t B_b`.
        """
        check_between(count, 2, math.inf, "the number of points")
        z = self.g(x[None])
        places = torch.linspace(0, 1, count, dtype=x.dtype, device=x.device)[:, None]
        return self.g.inverse(torch.lerp(z, self._carried(z, to, kind), places))

    @takes_arrays
    def interpolate(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Points (count, *shape) from x to y on the straight line of the induced space."""
        return self.pooled.interpolate(x, y, count)

    # Density

    @takes_arrays
    def log_prob(self, data: Tensor) -> Tensor:
        """`log Σ_c π_c N(g(x); μ_c, C_c) + log|det J_g(x)|` at data points, (*batch)."""
        z, log_det = self.g.forward_and_log_det(data)
        return self.log_joints(z).logsumexp(-1) + log_det

    @takes_arrays
    def posterior(self, data: Tensor) -> Tensor:
        """`p(c | x)` of the classes in the order of `classes`, (*batch, classes), by Bayes."""
        shares = self.log_joints(self.g(data)).softmax(-1)
        return torch.stack([shares[..., self.indices(label)].sum(-1) for label in self.classes], -1)

    @takes_arrays
    def classify(self, data: Tensor) -> Tensor:
        """The place in `classes` of the likeliest class, (*batch)."""
        return self.posterior(data).argmax(-1)

    @takes_arrays
    def likeliest(self, data: Tensor, label: Label | None = None) -> Tensor:
        """The likeliest component (N,) of data (N, *g.in_shape), of one class or of all."""
        return self._likeliest(self.g(data), label)

    @takes_arrays
    def denoise(self, data: Tensor, std: float) -> Tensor:
        """The mean of what data was before noise, `x + σ² ∇ log p(x)` (Tweedie's formula).

        See `OneStepFlow.denoise`; the density is that of the mixture: fit it with this noise.
        """
        return tweedie(self, data, std)

    def log_joints(self, z: Tensor) -> Tensor:
        """`log π_c + log N(z; μ_c, C_c)` of latents (*batch, n), (*batch, K)."""
        if self.density is not None:
            return self.density.log_joints(z)
        joints = [
            weight.log() + log_density(self.component(i), z)
            for i, weight in enumerate(self.weights)
        ]
        return torch.stack(joints, -1)

    def _carried(self, z: Tensor, to: Label, kind: Kind) -> Tensor:
        """Latents (N, n), each of its likeliest component, as latents of a class."""
        targets = [self.component(i) for i in self.indices(to)]
        components, result = self._likeliest(z, None), torch.empty_like(z)
        for i in components.unique().tolist():
            rows = components == i
            result[rows] = carried(self.component(i), targets, kind, z[rows])
        return result

    @torch.no_grad()
    def _likeliest(self, z: Tensor, label: Label | None) -> Tensor:
        """The likeliest component of each of the latents (N, n), of one class or of all."""
        kept = self.indices(label)
        return torch.tensor(kept, device=z.device)[self.log_joints(z)[..., kept].argmax(-1)]
