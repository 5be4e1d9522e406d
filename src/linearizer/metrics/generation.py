"""How good generated images are, judged by a classifier trained on the real ones."""

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance


class Classifier(nn.Module):
    """A small perceptron on images, whose last hidden layer gives the features.

    Args:
        shape: (C, H, W).
        classes: Number of classes.
        num_features: Width of the last hidden layer.
    """

    def __init__(self, shape: tuple[int, ...], classes: int = 10, num_features: int = 128) -> None:
        super().__init__()
        self.num_features = num_features
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(torch.Size(shape).numel(), 2 * num_features),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(2 * num_features, num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(num_features, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer (N, num_features)."""
        out: Tensor = self.body(images)
        return out

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes)."""
        out: Tensor = self.head(self.features(images))
        return out

    @torch.no_grad()
    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The share of images whose class is told right."""
        return float((self(images).argmax(1) == labels).float().mean())


@torch.no_grad()
def confidence(classifier: Classifier, images: Tensor) -> float:
    """The mean probability of the likeliest class: high where images read as some class."""
    return float(classifier(images).softmax(1).amax(1).mean())


@torch.no_grad()
def frechet_distance(classifier: Classifier, images: Tensor, reference: Tensor) -> float:
    """Fréchet distance of two sets of images in the features of `classifier`.

    `|μ - ν|² + tr(C + D - 2 (C D)^½)` of the features' means and covariances (Heusel et al.,
    arXiv:1706.08500). The features are not Inception's: compare only numbers of one classifier.
    """
    metric = FrechetInceptionDistance(feature=_Features(classifier))
    metric.update(reference, real=True)
    metric.update(images, real=False)
    return float(metric.compute())


class _Features(nn.Module):
    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier, self.num_features = classifier, classifier.num_features

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier.features(images)
