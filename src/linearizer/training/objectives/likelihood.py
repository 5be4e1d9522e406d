"""Training a bijection by exact maximum likelihood."""

import math

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from linearizer._checks import check_between
from linearizer.bijections import Bijection
from linearizer.training.noise import reach
from linearizer.training.objectives.optimization import CosineTraining


class LikelihoodTraining(CosineTraining):
    """Trains g so that g(x) is N(0, I): `-log p(x) = ½|g(x)|² - log|det J_g(x)| + const`.

    The loss is in nats per dimension. AdamW with a short warm-up and cosine decay.

    With a weight w of reconstruction, `w · |g⁻¹(g(x) + σ ε) - x|²` is added, ε ~ N(0, I): g
    then keeps close what is close in the latent space, for the price of an inverse pass.

    With a weight v of out-of-distribution images, `v · mean log(1 + max(0, max|g(n)| / 5 - 1))` is
    added for pure noise n, uniform and Gaussian: likelihood says nothing of what lies far from the
    data, and where latents grow without bound, g cannot be inverted in finite precision.

    Args:
        g: The bijection; trained in place.
        steps: Steps of the whole run, for the decay.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay, against overfitting small data sets.
        reconstruction: The weight w.
        latent_noise: The standard deviation σ.
        ood_weight: The weight v.

    Raises:
        RangeError: If w, σ or v is negative.
    """

    def __init__(
        self,
        g: Bijection,
        steps: int,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
        reconstruction: float = 0.0,
        latent_noise: float = 0.3,
        ood_weight: float = 0.0,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        check_between(reconstruction, 0.0, math.inf, "the weight of the reconstruction")
        check_between(latent_noise, 0.0, math.inf, "the noise of the latents")
        check_between(ood_weight, 0.0, math.inf, "the weight of out-of-distribution images")
        self.reconstruction, self.latent_noise = reconstruction, latent_noise
        self.ood_weight = ood_weight
        self.g = g

    def loss(self, images: Tensor) -> Tensor:
        """The mean negative log-likelihood of images, in nats per dimension, and what is added."""
        z, log_det = self.g.forward_and_log_det(images)
        energy = 0.5 * z.flatten(1).square().sum(1) - log_det
        loss = energy.mean() / z[0].numel() + 0.5 * math.log(2 * math.pi)
        if self.reconstruction:
            decoded = self.g.inverse(z + self.latent_noise * torch.randn_like(z))
            loss = loss + self.reconstruction * mse_loss(decoded, images)
        if self.ood_weight:
            loss = loss + self.ood_weight * reach(self.g, images)
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images; their labels are not used."""
        loss = self.loss(batch[0])
        self.log("loss", loss, sync_dist=True)
        return loss
