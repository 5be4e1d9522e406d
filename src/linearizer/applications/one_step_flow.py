"""One-step flow matching: an N-step sampler of a linear flow is one linear operator."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from linearizer import flows, linalg
from linearizer._arrays import Array, as_tensor, takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_between, numbers_of
from linearizer._modes import differentiable, own_precision
from linearizer._random import normal, samples
from linearizer.bijections import Bijection, Centering, Chain, Identity
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation import Moments, PrincipalMoments
from linearizer.estimation.latents import accumulate, latent_length
from linearizer.flows import CovarianceFlow, Method, PrincipalCovarianceFlow, TimeDependentOperator
from linearizer.linearizer import Linearizer
from linearizer.saving import Saveable
from linearizer.spaces import InducedSpace


class OneStepFlow(nn.Module, Saveable):
    """A flow from noise to data that is linear between two induced spaces.

    With `z_0 = g_noise(x_0)`, `x_0 ~ N(0, I)`, and `z_1 = g_data(x_1)`, the flow follows
    `dz/dt = L(t) z` from z_0 to z_1. Its sampler, of however many steps, is the Linearizer
    `g_data⁻¹(B g_noise(x_0))`, invertible and with an exact density.
    Source: arXiv:2510.08570, section 4.1; `fit` puts the closed form in place of training A.

    Args:
        g_data: Bijection of the data, onto vectors.
        operator: A(t) on the latents; `OneStepFlow.fit` finds the optimal one.
        g_noise: Bijection of the noise; the identity if not given.
        steps: Steps of the sampler that the one step stands for; the exact flow if not given.
            A operator without an exact flow, such as `LowRankHypernetwork`, needs them.
        method: The Runge-Kutta method of these steps.

    Raises:
        ShapeError: If the latents of the two differ from the operator's shape.
        RangeError: If the operator cannot take so few steps.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications import OneStepFlow
        >>> data = torch.randn(500, 4) @ torch.randn(4, 4) + 3.
        >>> flow = OneStepFlow.fit(lz.vector_bijection(4), [data])
        >>> flow.sample(10).shape
        torch.Size([10, 4])
        >>> torch.allclose(flow.decode(flow.encode(data)), data, atol=1e-3)
        True
    """

    certified = True

    __repr__ = brief

    def __init__(
        self,
        g_data: Bijection,
        operator: TimeDependentOperator,
        g_noise: Bijection | None = None,
        steps: int | None = None,
        method: Method = "euler",
    ) -> None:
        super().__init__()
        self.g_data, self.operator = g_data, operator
        self.steps, self.method = steps, method
        if steps is not None:
            check_between(steps, 1, math.inf, "the number of steps")
            operator.end_time(steps)
        self.g_noise = Identity(g_data.out_shape) if g_noise is None else g_noise
        if not self.g_data.out_shape == self.g_noise.out_shape == operator.shape:
            raise ShapeError(
                f"expected latents of one shape, got {self.g_data.out_shape} of the data, "
                f"{self.g_noise.out_shape} of the noise and {operator.shape} of the operator"
            )

    @classmethod
    def fit(
        cls,
        g_data: Bijection,
        data: Iterable[Tensor | Array],
        *,
        rank: int | None = None,
        g_noise: Bijection | None = None,
        noise: Iterable[Tensor | Array] = (),
    ) -> "OneStepFlow":
        """The optimal flow for given bijections: one pass over the data, one eigenproblem.

        The latents' means go into the bijections, as centering layers, so that the map is
        linear and not affine; their covariances give the operator.

        Args:
            g_data: Bijection of the data, onto vectors (n,).
            data: Batches (N, *g_data.in_shape), read once.
            rank: Directions of the covariance to keep, with one variance for all others, so
                that no n × n matrix is made; the whole covariance if not given.
            g_noise: Bijection of the noise; the identity if not given, whose latents have
                covariance I.
            noise: Batches of N(0, I) noise, to measure the latents of a given g_noise.

        Raises:
            RangeError: If the rank is not below n, or given together with a g_noise.
        """
        if rank is not None:
            if g_noise is not None:
                raise RangeError(
                    "expected a rank or a bijection of the noise, got both; the low-rank flow "
                    "starts at white noise"
                )
            return cls._fit_principal(g_data, data, rank)
        g_data, C1 = _centered(g_data, data)
        if g_noise is None:
            C0 = torch.eye(len(C1), dtype=C1.dtype, device=C1.device)
        else:
            g_noise, C0 = _centered(g_noise, noise)
        return cls(g_data, CovarianceFlow.from_covariances(C0, C1), g_noise)

    @classmethod
    @torch.no_grad()
    def _fit_principal(
        cls, g: Bijection, data: Iterable[Tensor | Array], rank: int
    ) -> "OneStepFlow":
        moments = PrincipalMoments(latent_length(g), rank)
        like = accumulate(moments, (g(as_tensor(batch, g)) for batch in data))
        directions, variances = (x.to(like) for x in moments.components())
        smallest = torch.finfo(variances.dtype).eps * len(directions) * variances[0]
        operator = PrincipalCovarianceFlow(directions, variances.clamp_min(smallest))
        return cls(Chain(g, Centering(moments.mean().to(like))), operator)

    def collapse(self, steps: int | None = None, method: Method | None = None) -> Linearizer:
        """The sampler as one Linearizer from noise to data; keep it to sample often.

        Args:
            steps: Steps of the sampler to collapse; the flow's own if not given, and the exact
                flow if it has none.
            method: Its Runge-Kutta method; the flow's own if not given.

        Raises:
            RangeError: If the steps or the method do not exist, or the exact flow is asked
                of an operator that has none.
        """
        return self.flow_map(0.0, 1.0, steps, method)

    def flow_map(
        self, start: float, end: float, steps: int | None = None, method: Method | None = None
    ) -> Linearizer:
        """The flow between two times; `flow_map(0, s)` then `flow_map(s, 1)` is `collapse()`.

        That holds for the exact flow, and for steps that are as long on both sides of s. Time
        1 is where the grid of the operator ends, `operator.end_time(steps)`.
        """
        for time in (start, end):
            check_between(time, 0.0, 1.0, "a time of the flow")
        steps = self.steps if steps is None else steps
        if steps is None:
            operator = linalg.fuse(self.operator.flow(start, end))
        else:
            first, last = (self._on_grid(time, steps) for time in (start, end))
            operator = flows.collapse(self.operator, steps, method or self.method, first, last)
        g_x = self.g_noise if start == 0.0 else self.g_data
        g_y = self.g_noise if end == 0.0 else self.g_data
        return Linearizer(g_x, operator, g_y)

    def noise(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tensor:
        """N(0, temperature²) noise (count, *g_noise.in_shape), the same for the same seed."""
        check_between(temperature, 0.0, math.inf, "the temperature")
        return temperature * samples(count, self.g_noise.in_shape, seed, numbers_of(self.operator))

    @torch.no_grad()
    def sample(
        self,
        count: int,
        *,
        steps: int | None = None,
        method: Method | None = None,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> Tensor:
        """New data (count, *g_data.in_shape), in one step, or in many as the sampler would.

        Args:
            count: Number of samples.
            steps: Steps to really take, one after another; the single collapsed one if not given.
            method: The Runge-Kutta method of many steps; the flow's own if not given.
            temperature: Standard deviation of the noise; below 1 for fewer outliers.
            seed: Seed of the noise; a new one each time if not given.
        """
        noise = self.noise(count, seed, temperature)
        return self.decode(noise) if steps is None else self.integrate(noise, steps, method)

    @takes_arrays
    def integrate(self, noise: Tensor, steps: int, method: Method | None = None) -> Tensor:
        """Noise to data by `steps` steps one after another: what `collapse` makes one of."""
        z, end = self.g_noise(noise), self.operator.end_time(steps)
        z = flows.integrate(self.operator, z, steps, method or self.method, end=end)
        return self.g_data.inverse(z)

    @takes_arrays
    def decode(self, noise: Tensor) -> Tensor:
        """Noise to data in one step."""
        data: Tensor = self.collapse()(noise)
        return data

    @takes_arrays
    def encode(self, data: Tensor) -> Tensor:
        """Data to the noise that it comes from: the inverse of `decode`."""
        noise: Tensor = self.collapse().pinv()(data)
        return noise

    @takes_arrays
    def reconstruct(
        self, data: Tensor, *, latent_noise: float = 0.0, seed: int | None = None
    ) -> Tensor:
        """Data to noise and back, `f(f⁺(x))`: equal to the data, but for rounding.

        Args:
            data: Points (*batch, *g_data.in_shape).
            latent_noise: Standard deviation of noise added to the latents `g_data(x)` on the way,
                to see how robust g is.
            seed: Seed of that noise; a new one each time if not given.
        """
        check_between(latent_noise, 0.0, math.inf, "the noise of the latents")
        f = self.collapse()
        z = f.operator(self.g_noise(f.pinv()(data)))
        if latent_noise:
            z = z + latent_noise * normal(tuple(z.shape), seed, z)
        return self.g_data.inverse(z)

    @takes_arrays
    def interpolate(self, x: Tensor, y: Tensor, count: int) -> Tensor:
        """Points (count, *shape) from x to y on the straight line of the induced space."""
        check_between(count, 2, math.inf, "the number of points")
        space = InducedSpace(self.g_data)
        return torch.stack([space.lerp(x, y, i / (count - 1)) for i in range(count)])

    @takes_arrays
    def directions(
        self, start: Tensor, lengths: Sequence[float], count: int
    ) -> tuple[Tensor, Tensor]:
        """Walks along the leading left singular points of the sampler, in the induced space.

        Args:
            start: The point (*shape) at length 0.
            lengths: How far to go, in standard deviations of the noise: the walk along direction i
                is at `start ⊕ (length · σ_i) ⊙ left_i`.
            count: Number of directions.

        Returns:
            Points (count, len(lengths), *shape), and the singular values (count,).
        """
        f = self.collapse()
        W, s = f.codomain, f.svd(count)
        walks = [
            torch.stack([W.add(start, W.scale(float(t * sigma), point)) for t in lengths])
            for point, sigma in zip(s.left, s.singular_values, strict=True)
        ]
        return torch.stack(walks), s.singular_values

    @takes_arrays
    def log_prob(self, data: Tensor) -> Tensor:
        """The exact log-density of the one-step sampler at data points, (*batch).

        `log N(x_0) + log|det J_g_data| - log|det B| - log|det J_g_noise|` at
        `x_0 = encode(data)`.
        """
        B = self.collapse().operator
        z, log_det = self.g_data.forward_and_log_det(data)
        noise = self.g_noise.inverse(linalg.pinv(B)(z))
        log_det = log_det - linalg.logabsdet(B) - self.g_noise.forward_and_log_det(noise)[1]
        flat = noise.flatten(-len(self.g_noise.in_shape))
        return log_det - 0.5 * (flat.square() + math.log(2 * math.pi)).sum(-1)

    @takes_arrays
    def denoise(self, data: Tensor, std: float) -> Tensor:
        """The mean of what data was before noise, `x + σ² ∇ log p(x)` (Tweedie's formula).

        A g that was trained on images with noise makes images with noise; its exact density
        tells how to take it away. Exact for Gaussian noise of that standard deviation. The result
        is no point of the linear map any more: invert and interpolate what was there before.
        Source: Robbins, 1956; for flows Zhai et al., arXiv:2412.06329.

        Args:
            data: Points (*batch, *g_data.in_shape).
            std: σ, of the noise in training; `Images.noise_std` of a data set.
        """
        return tweedie(self, data, std)

    def _on_grid(self, time: float, steps: int) -> float:
        return self.operator.end_time(steps) if time == 1.0 else time


def tweedie(model: nn.Module, data: Tensor, std: float) -> Tensor:
    """`x + σ² ∇ log p(x)` at data points, with the density `model.log_prob`."""
    check_between(std, 0.0, math.inf, "the standard deviation of the noise")
    # Also the way back would be rounded by an autocast.
    with torch.inference_mode(False), torch.enable_grad(), own_precision(data.device):
        x = differentiable(data).detach().requires_grad_()
        log_prob: Tensor = differentiable(model).log_prob(x)  # type: ignore[operator]
        (score,) = torch.autograd.grad(log_prob.sum(), x)
    return data.detach() + std**2 * score


@torch.no_grad()
def _centered(g: Bijection, batches: Iterable[Tensor | Array]) -> tuple[Bijection, Tensor]:
    """g with the mean of its latents subtracted, and their covariance."""
    moments = Moments(latent_length(g))
    like = accumulate(moments, (g(as_tensor(batch, g)) for batch in batches))
    return Chain(g, Centering(moments.mean().to(like))), moments.covariance().to(like)
