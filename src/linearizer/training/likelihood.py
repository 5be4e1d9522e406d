"""Training a bijection by exact maximum likelihood."""

import math

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from linearizer.bijections import Bijection, forward_and_log_det
from linearizer.training.optimization import adamw_with_cosine


class MaximumLikelihood(LightningModule):
    """Trains g so that g(x) is N(0, I): `-log p(x) = ½|g(x)|² - log|det J_g(x)| + const`.

    The loss is in nats a dimension. AdamW with a short warm-up and cosine decay.

    Args:
        g: The bijection; trained in place.
        steps: Steps of the whole run, for the decay.
        learning_rate: Its peak.
        weight_decay: Decoupled, against learning small data sets by heart.
    """

    def __init__(
        self,
        g: Bijection,
        steps: int,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__()
        self.g, self.steps = g, steps
        self.learning_rate, self.weight_decay = learning_rate, weight_decay

    def loss(self, images: Tensor) -> Tensor:
        """The mean negative log-likelihood of images, in nats a dimension."""
        z, log_det = forward_and_log_det(self.g, images)
        energy = 0.5 * z.flatten(1).square().sum(1) - log_det
        return energy.mean() / z[0].numel() + 0.5 * math.log(2 * math.pi)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch of images; their labels are not used."""
        loss = self.loss(batch[0])
        self.log("loss", loss, sync_dist=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, and one factor a step for its rate."""
        return adamw_with_cosine(
            self.parameters(),
            steps=self.steps,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )
