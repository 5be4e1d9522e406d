"""Training a bijection so that projections of its latents are projections onto the data."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import huber_loss, mse_loss

from linearizer._checks import check_between
from linearizer.bijections import Bijection
from linearizer.data.corruptions import CORRUPTIONS
from linearizer.errors import RangeError
from linearizer.operators.learned_projection import LearnedProjection
from linearizer.training.noise import pure_noise
from linearizer.training.objectives.optimization import CosineTraining
from linearizer.training.strangers import strangers

REFIT_EVERY, MEMORY, RAMP, NOISE_EVERY, FAR = 25, 0.98, 0.3, 8, 4.0


NEAREST, FARTHEST, FIRMNESS = 0.5, 0.95, 100.0
"""Of data and of strangers, in distances of noise, and how much more the first matters."""


class RestorationLosses(NamedTuple):
    """The parts of the loss of `PrincipalProjectionTraining`, weighted."""

    restoration: Tensor
    likelihood: Tensor
    excess: Tensor
    apart: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.restoration + self.likelihood + self.excess + self.apart


class ProjectionLosses(NamedTuple):
    """The parts of the loss of `LearnedProjectionTraining`, weighted."""

    reconstruction: Tensor
    sparsity: Tensor
    tightness: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.reconstruction + self.sparsity + self.tightness


class PrincipalProjectionTraining(CosineTraining):
    """Trains g so that the principal components of its latents hold what data look like.

    With P_k the projection onto the first k principal components of the latents, which are
    found anew every 25 steps, x' a clean or damaged image with noise, and k in turn from
    `ranks`, it lowers

        w · |g⁻¹(P_k g(x')) - x|²               restoration, by every rank of one nested model,
      + -log p(x + noise) / n                   likelihood, if the latents were Gaussian,
      + mean log(1 + max(0, |f(n)| / s - 1))    how far f throws noise n of any scale s
      + v · mean max(0, 0.95 - |o(q)| / ρ)      strangers q are as far from the range as noise,
      + 100 v · mean max(0, |o(x')| / ρ - 0.5)² and images, damaged or not, half as far at most.

    The density is that of probabilistic principal components (Tipping and Bishop, 1999): the
    variances found for the first `ranks[-1]`, and one for all others. It is what keeps the
    latents apart where the restoration does not look, and Gaussian, so that new points can be
    drawn. Errors above 1 count by their size and not their square, as an image that g throws
    far would outweigh all others. The last part keeps the inverse of g stable where there are no
    data, for f is to project anything. With o(x) = g(x) - P g(x) for the largest rank, and ρ the
    median of |o| of noise, the last parts keep what looks like no data (`strangers`: blank, smooth
    and mixed images) away from the range, so that `IdempotentGenerator.redrawing` knows it from
    damaged images. g starts near the identity, so training starts at principal
    components of pixels.

    Args:
        g: Bijection of images, onto vectors (n,); trained in place.
        steps: Steps of the whole run.
        noise: Width of uniform noise, in units of [-1, 1].
        ranks: Ascending.
        restoration: The weight w.
        likelihood: Weight of the second part.
        damaged: Share of the images that are damaged, each by one of `data.CORRUPTIONS`.
        apart: The weight v.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.

    Raises:
        RangeError: If the ranks are not ascending and below n, or a weight is out of range.
    """

    mean: Tensor
    second: Tensor
    basis: Tensor
    variances: Tensor
    seen: Tensor

    def __init__(
        self,
        g: Bijection,
        steps: int,
        *,
        noise: float,
        ranks: Sequence[int] = (16, 32, 64, 128),
        restoration: float = 20.0,
        likelihood: float = 1.0,
        damaged: float = 0.5,
        apart: float = 0.03,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        (n,) = g.out_shape
        if list(ranks) != sorted(set(ranks)) or not ranks or ranks[0] < 1 or ranks[-1] >= n:
            raise RangeError(f"expected ascending ranks from 1 to {n - 1}, got {tuple(ranks)}")
        check_between(restoration, 0.0, 1e6, "the weight of the restoration")
        check_between(likelihood, 0.0, 1e6, "the weight of the likelihood")
        check_between(damaged, 0.0, 1.0, "the share of damaged images")
        check_between(apart, 0.0, 1e6, "the weight of the distance of strangers")
        self.g, self.noise, self.ranks = g, noise, tuple(ranks)
        self.restoration, self.likelihood, self.damaged = restoration, likelihood, damaged
        self.apart = apart
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("second", torch.zeros(n, n))
        self.register_buffer("basis", torch.eye(n))
        self.register_buffer("variances", torch.ones(n))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def initialize(self, images: Tensor) -> None:
        """Find the components of the untrained g; from more images than there are dimensions."""
        z = self.g(self._noisy(images))
        self._remember(z, memory=0.0)

    def project(self, z: Tensor, rank: int) -> Tensor:
        """P_k z, around the mean of the latents."""
        Q = self.basis[:, :rank]
        return self.mean + ((z - self.mean) @ Q) @ Q.mT

    def losses(self, x: Tensor) -> RestorationLosses:
        """The losses of a batch of clean images, with noise and damage drawn anew."""
        count = round(self.damaged * len(x))
        noisy = torch.cat([self._noisy(self._damaged(x[:count])), self._noisy(x[count:])])
        z, log_det = self.g.forward_and_log_det(noisy)
        likelihood = x.new_zeros(())
        if count < len(x):
            self._remember(z[count:].detach())
            likelihood = -self.likelihood * self._log_density(z[count:], log_det[count:])
        rank = self.ranks[int(self.seen) % len(self.ranks)]
        restored = self.g.inverse(self.project(z, rank))
        return RestorationLosses(
            2 * self.restoration * huber_loss(restored, x),
            likelihood,
            self._excess(x[::NOISE_EVERY]),
            self._apart(z, x[: max(3, len(x) // 3)]) if self.apart else x.new_zeros(()),
        )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of clean images; their labels are not used."""
        losses = self.losses(batch[0])
        self.log_dict(losses._asdict(), sync_dist=True)
        self.log("loss", losses.total(), sync_dist=True)
        return losses.total()

    def _log_density(self, z: Tensor, log_det: Tensor) -> Tensor:
        """The mean log-density of the images with latents z, in nats per dimension."""
        variances = self.variances.clone()
        variances[self.ranks[-1] :] = variances[self.ranks[-1] :].mean()
        coordinates = (z - self.mean) @ self.basis
        energy = (coordinates.square() / variances + variances.log()).sum(1) / 2
        return (log_det - energy).mean() / len(variances)

    def _excess(self, like: Tensor) -> Tensor:
        """How far pure noise is thrown by f: nothing if into the range that it came from."""
        count = len(like)
        noise = pure_noise(like)
        scale = 10 ** (3 * torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 0.5))
        scale = scale.to(like)
        thrown = self.g.inverse(self.project(self.g(scale * noise), self.ranks[-1]))
        return torch.log1p((thrown.abs() / scale - 1).clamp_min(0)).mean()

    def _apart(self, z: Tensor, like: Tensor) -> Tensor:
        """How far data with latents z are from the range, and how near strangers are to it."""
        with torch.no_grad():
            noise = self._outside(self.g(pure_noise(like[: max(2, len(like) // 5)]))).median()
        near = self._outside(self.g(strangers(like))) / noise
        far = (self._outside(z) / noise - NEAREST).clamp_min(0).square()
        return self.apart * ((FARTHEST - near).clamp_min(0).mean() + FIRMNESS * far.mean())

    def _outside(self, z: Tensor) -> Tensor:
        """The distance of latents (N, n) from the largest range, (N,)."""
        return torch.linalg.vector_norm(z - self.project(z, self.ranks[-1]), dim=1)

    @torch.no_grad()
    def _remember(self, z: Tensor, memory: float = MEMORY) -> None:
        """Moving averages of the latents' moments, and now and then their components.

        Latents far out are left out: a single one would turn the leading component to itself,
        and all else would be projected away.
        """
        step = int(self.seen)
        self.seen += 1
        if memory:
            far = (z - self.mean).square().sum(1) > FAR * self.variances.sum()
            z = z[~far]
            if not len(z):
                return
        self.mean.lerp_(z.mean(0), 1 - memory)
        self.second.lerp_(z.mT @ z / len(z), 1 - memory)
        if step % REFIT_EVERY == 0:
            covariance = self.second.double() - torch.outer(self.mean, self.mean).double()
            values, vectors = torch.linalg.eigh(covariance)
            self.basis.copy_(vectors.flip(1))
            self.variances.copy_(values.flip(0).clamp_min(1e-6))

    def _noisy(self, x: Tensor) -> Tensor:
        return x + self.noise * (torch.rand_like(x) - 0.5)

    def _damaged(self, x: Tensor) -> Tensor:
        """Each of these images damaged in one of the ways there are, the more the later.

        A g that knows clean images alone may be wild elsewhere, and its gradients with it.
        """
        random = Generator().manual_seed(int(torch.randint(2**31, ())))
        parts = x.tensor_split(len(CORRUPTIONS))
        ways = CORRUPTIONS.values()
        damaged = torch.cat([way(part, random) for way, part in zip(ways, parts, strict=True)])
        return torch.lerp(x, damaged, min(1.0, int(self.seen) / (RAMP * self.steps)))


class LearnedProjectionTraining(CosineTraining):
    """The paper's objective: g and a binary projection A together, by gradient descent.

        |f(x) - x|²                                   data stay where they are,
      + s · mean p                                    few coordinates are kept,
      + t · mean (|g(x)| - |x - g⁻¹(0)|)²             latent norms are distances from the origin.

    p are the mask's probabilities. No noise is injected: f is idempotent by construction, and
    maps everything onto its range. Source: arXiv:2510.08570, section 4.3.

    Args:
        g: Bijection of images, onto vectors; trained in place.
        projection: A, trained in place.
        steps: Steps of the whole run.
        sparsity: The weight s; it has no effect on a mask of fixed rank.
        tightness: The weight t.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
    """

    def __init__(
        self,
        g: Bijection,
        projection: LearnedProjection,
        steps: int,
        *,
        sparsity: float = 0.1,
        tightness: float = 0.01,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        check_between(sparsity, 0.0, 1e6, "the weight of the sparsity")
        check_between(tightness, 0.0, 1e6, "the weight of the tightness")
        self.g, self.projection = g, projection
        self.sparsity, self.tightness = sparsity, tightness

    def losses(self, x: Tensor) -> ProjectionLosses:
        """The losses of a batch of images."""
        z = self.g(x)
        origin = self.g.inverse(torch.zeros_like(z[:1]))
        apart = torch.linalg.vector_norm((x - origin).flatten(1), dim=1)
        lengths = torch.linalg.vector_norm(z, dim=1)
        return ProjectionLosses(
            reconstruction=mse_loss(self.g.inverse(self.projection(z)), x),
            sparsity=self.sparsity * self.projection.mask.probabilities().mean(),
            tightness=self.tightness * mse_loss(lengths, apart),
        )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images; their labels are not used."""
        losses = self.losses(batch[0])
        self.log_dict(losses._asdict(), sync_dist=True)
        self.log("kept", self.projection.mask().detach().mean(), sync_dist=True)
        self.log("loss", losses.total(), sync_dist=True)
        return losses.total()
