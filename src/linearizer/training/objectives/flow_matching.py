"""Training bijections and a time-dependent operator together, by the paper's losses."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from linearizer.bijections import Bijection, Identity
from linearizer.errors import RangeError
from linearizer.flows import LowRankHypernetwork
from linearizer.training.objectives.optimization import CosineTraining

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Distances of images from others, (B, *shape) and (B, *shape) to (B,); `metrics.LPIPS` is one."""


class FlowMatchingLosses(NamedTuple):
    """The parts of the paper's loss, each a mean over batch and dimensions."""

    induced: Tensor
    data: Tensor
    noise: Tensor
    perceptual: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.induced + self.data + self.noise + self.perceptual


class FlowMatchingTraining(CosineTraining):
    """Trains g_data, A(t) and g_noise jointly, as the paper does.

    With `x_0 ~ N(0, I)`, data x_1, t uniform in [0, 1], `z_0 = g_noise(x_0)`,
    `z_1 = g_data(x_1)`, `z_t = (1-t) z_0 + t z_1` and ε ~ N(0, I), it lowers

        |A(t) z_t - z_1|²                           the loss in the induced space,
      + |g_data⁻¹(z_1 + σ ε) - x_1|²                reconstruction of the data,
      + |g_noise⁻¹(z_0 + σ ε) - x_0|²               reconstruction of the noise,
      + perceptual(g_data⁻¹(z_1 + σ ε), x_1)        if there is one.

    Noisy latents must decode to nearly the same point, which keeps g from shrinking its
    latents to make the first loss small. The alternative is to train g alone
    (`LikelihoodTraining`) and to solve for A(t) (`OneStepFlow.fit`).
    Source: arXiv:2510.08570, section 4.1.

    Args:
        g_data: Bijection of the data, onto vectors; trained in place.
        operator: A(t), trained in place.
        g_noise: Bijection of the noise, trained in place; the identity if not given. It may be
            g_data itself.
        steps: Steps of the whole run, for the decay of the learning rate.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay.
        latent_noise: The standard deviation σ.
        perceptual: A further distance between reconstructed and true data, not trained.

    Raises:
        RangeError: If σ is negative.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.training import FlowMatchingTraining
        >>> g, operator = lz.vector_bijection(4, width=8), lz.flows.LowRankHypernetwork(4, rank=2)
        >>> losses = FlowMatchingTraining(g, operator, steps=100).losses(torch.randn(32, 4))
        >>> losses.total().shape
        torch.Size([])
        >>> float(losses.noise)         # of the identity: σ², sampled
        0.1
        >>> flow = lz.OneStepFlow(g, operator, steps=50)
        >>> flow.sample(3).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        g_data: Bijection,
        operator: LowRankHypernetwork,
        g_noise: Bijection | None = None,
        *,
        steps: int,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        latent_noise: float = 0.3,
        perceptual: Perceptual | None = None,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        if not latent_noise >= 0:
            raise RangeError(f"expected a noise of the latents of 0 or more, got {latent_noise}")
        self.g_data, self.operator = g_data, operator
        self.g_noise = Identity(g_data.out_shape) if g_noise is None else g_noise
        self.latent_noise, self.perceptual = latent_noise, perceptual

    def losses(self, x_1: Tensor) -> FlowMatchingLosses:
        """The losses of a batch (B, *g_data.in_shape), with noise and times drawn anew."""
        x_0 = torch.randn(len(x_1), *self.g_noise.in_shape, dtype=x_1.dtype, device=x_1.device)
        t = torch.rand(len(x_1), dtype=x_1.dtype, device=x_1.device)
        z_0, z_1 = self.g_noise(x_0), self.g_data(x_1)
        z_t = torch.lerp(z_0, z_1, t[:, None])
        decoded = self.g_data.inverse(self._noisy(z_1))
        return FlowMatchingLosses(
            induced=mse_loss(self.operator.predict(z_t, t), z_1),
            data=mse_loss(decoded, x_1),
            noise=mse_loss(self.g_noise.inverse(self._noisy(z_0)), x_0),
            perceptual=self.perceptual(decoded, x_1).mean()
            if self.perceptual
            else x_1.new_zeros(()),
        )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images; their labels are not used."""
        losses = self.losses(batch[0])
        parts = {f"loss_{name}": part for name, part in losses._asdict().items()}
        self.log_dict(parts, sync_dist=True)
        self.log("loss", losses.total(), sync_dist=True)
        return losses.total()

    def trained(self) -> Iterable[nn.Parameter]:
        """Bijections and operator; a perceptual network stays as it is."""
        return nn.ModuleList([self.g_data, self.operator, self.g_noise]).parameters()

    def _noisy(self, z: Tensor) -> Tensor:
        return z + self.latent_noise * torch.randn_like(z)
