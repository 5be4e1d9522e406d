"""Training the small classifier whose features measure generated images."""

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR

from linearizer.data.images import Images
from linearizer.metrics import Classifier
from linearizer.training import loop
from linearizer.training.config import TrainingBudget


class _Classification(LightningModule):
    def __init__(self, classifier: Classifier, steps: int) -> None:
        super().__init__()
        self.classifier, self.steps = classifier, steps

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        loss = cross_entropy(self.classifier(images + 0.1 * torch.randn_like(images)), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)
        decay = OneCycleLR(optimizer, max_lr=3e-3, total_steps=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": decay, "interval": "step"}}


def train_classifier(data: Images, *, steps: int, seed: int = 0) -> Classifier:
    """A classifier of the images' labels, in evaluation mode."""
    torch.manual_seed(seed)
    classifier = Classifier(data.shape, classes=int(data.labels.max()) + 1).train()
    budget = TrainingBudget(steps=steps, batch_size=64, noise=0.0, seed=seed)
    loop.train(_Classification(classifier, steps), data, budget, title="Training the classifier")
    return classifier.eval()
