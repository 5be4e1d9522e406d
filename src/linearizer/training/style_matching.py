"""Training bijections and styles together, to do what teachers do."""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import mse_loss

from linearizer.applications import StyleTransfer
from linearizer.training.optimization import adamw_with_cosine


class StyleMatching(LightningModule):
    """Lowers `|g_y⁻¹(A_s g_x(x)) - y_s|²` over contents x, styles s and the teachers' y_s.

    Each content of a batch meets one style; batches carry the contents' numbers as labels, by
    which their targets are found.

    Args:
        model: With all styles; trained in place.
        targets: Bytes (styles, contents, C, H, W) in the order of `model.names`.
        steps: Of the whole run, for the decay of the learning rate.
        learning_rate: Its peak.
    """

    def __init__(
        self, model: StyleTransfer, targets: Tensor, steps: int, learning_rate: float = 2e-3
    ) -> None:
        super().__init__()
        self.model, self.targets = model, targets
        self.steps, self.learning_rate = steps, learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The mean squared error of a batch, every style on its share of it."""
        x, number = batch
        z = self.model.g_x(x)
        latents, truth = [], []
        for s, name in enumerate(self.model.names):
            share = slice(s, None, len(self.model.names))
            latents.append(self.model.operator(name)(z[share]))
            truth.append(self.targets[s, number[share].cpu()])
        made = self.model.g_y.inverse(torch.cat(latents))
        loss = mse_loss(made, torch.cat(truth).to(made) / 127.5 - 1)
        self.log("loss", loss, sync_dist=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, and one factor a step for its rate."""
        return adamw_with_cosine(
            self.parameters(),
            steps=self.steps,
            learning_rate=self.learning_rate,
            weight_decay=0.0,
        )
