"""Training a bijection by the exact likelihood of a mixture of Gaussians, one for each class."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from linearizer._checks import check_between
from linearizer.bijections import Bijection
from linearizer.training.batches import of_all_processes
from linearizer.training.noise import reach
from linearizer.training.objectives.class_moments import ClassMoments
from linearizer.training.objectives.optimization import CosineTraining

REFRESH_EVERY = 50
"""Steps between two renewals of the classes' moments: a renewal costs as much as some steps."""
OOD_EVERY = 4
"""Steps between two batches of pure noise, whose weight it multiplies."""


class MixtureLikelihoodTraining(CosineTraining):
    """Trains g by the exact joint likelihood of images and classes, and a little by Bayes.

        loss = mean(-log p(x, y) - β log p(y | x)) / n + v · reach
        -log p(x, y) = -log π_y - log N(g(x); μ_y, C_y) - log|det J_g(x)|

    and `p(y | x) = p(x, y) / Σ_c p(x, c)`, in which the log-determinant cancels. The moments are
    those of the classes' latents, in closed form as g moves (`ClassMoments`); they are constants
    for the gradient, as the likelihood is stationary in them. Likelihood alone spends few of its
    hundreds of nats on the class, so Bayes's term is weighted, as in IB-INN (Ardizzone et al.,
    arXiv:2001.06448). `reach` keeps the latents of pure noise short, so that g can be inverted
    there too. Images get Gaussian noise, for which Tweedie's formula is exact.

    Without labels y is the likeliest component of each image under the moments of that step, so
    components and g are found together: expectation-maximization with hard assignments, online.
    It goes to where its start leads; start it from clusters.

    Args:
        g: The bijection, onto vectors; trained in place.
        moments: Of its latents; call `start` before the first step.
        steps: Steps of the whole run, for the decay.
        learning_rate: The largest.
        weight_decay: Decoupled.
        std: Standard deviation of the noise that images get.
        beta: β.
        ood_weight: v.
        labeled: Whether the labels of batches are y; otherwise they are not looked at.

    Raises:
        RangeError: If std, β or v is negative.
    """

    def __init__(
        self,
        g: Bijection,
        moments: ClassMoments,
        steps: int,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        std: float = 0.1,
        beta: float = 3.0,
        ood_weight: float = 0.05,
        *,
        labeled: bool = True,
    ) -> None:
        super().__init__(steps, learning_rate, weight_decay)
        check_between(std, 0.0, math.inf, "the standard deviation of the noise")
        check_between(beta, 0.0, math.inf, "the weight of the posterior")
        check_between(ood_weight, 0.0, math.inf, "the weight of out-of-distribution images")
        self.g, self.moments = g, moments
        self.std, self.beta, self.ood_weight = std, beta, ood_weight
        self.labeled = labeled

    @torch.no_grad()
    def start(self, images: Tensor, labels: Tensor, batch_size: int = 1000) -> None:
        """Measure the moments of images with noise, before the first step."""
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            self.moments.update(self.g(self._noisy(x)), y)
        self.moments.refresh()

    @torch.no_grad()
    def likeliest(self, images: Tensor, batch_size: int = 1000) -> Tensor:
        """The likeliest component (N,) of images as they are, under the moments of now."""
        return torch.cat(
            [self.moments.mixture.log_joints(self.g(x)).argmax(1) for x in images.split(batch_size)]
        )

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The joint and the posterior part of the loss, in nats a dimension and an image."""
        z, log_det = self.g.forward_and_log_det(self._noisy(images))
        log_joints = self.moments.mixture.log_joints(z)
        if not self.labeled:
            labels = log_joints.argmax(1)
        self.moments.update(*of_all_processes(z, labels))
        joint = log_joints.gather(1, labels[:, None])[:, 0] + log_det
        return {
            "joint": -joint.mean() / z[0].numel(),
            "posterior": cross_entropy(log_joints, labels),
        }

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images and labels."""
        if self.global_step % REFRESH_EVERY == 0 and self.global_step:
            self.moments.refresh()
        losses = self.losses(*batch)
        loss = losses["joint"] + self.beta / batch[0][0].numel() * losses["posterior"]
        if self.ood_weight and self.global_step % OOD_EVERY == 0:
            losses["reach"] = reach(self.g, batch[0])
            loss = loss + OOD_EVERY * self.ood_weight * losses["reach"]
        self.log_dict({"loss": loss, **losses}, sync_dist=True)
        return loss

    def _noisy(self, images: Tensor) -> Tensor:
        return images + self.std * torch.randn_like(images)
