"""How good generated images are, judged by a classifier trained on the real ones."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from linearizer.saving import Saveable

_LARGEST_FOR_PERCEPTRON = 16
_BATCH = 500
_SUBSET, _SUBSETS = 1000, 20


class Classifier(nn.Module, Saveable):
    """A small classifier of images, whose last hidden layer gives the features.

    A perceptron for images of up to 16 pixels a side; two strided convolutions before the
    last hidden layer for larger ones. Made in evaluation mode, so that a loaded one measures
    as the saved one did; training it is `linearizer.training.train_classifier`'s work.

    Args:
        shape: (C, H, W).
        classes: Number of classes.
        num_features: Width of the last hidden layer.

    Shape:
        Images (N, C, H, W), logits (N, classes), features (N, num_features).

    Example:
        >>> import torch
        >>> from linearizer.metrics import Classifier
        >>> classifier, images = Classifier((1, 28, 28)), torch.zeros(5, 1, 28, 28)
        >>> classifier(images).shape, classifier.features(images).shape
        (torch.Size([5, 10]), torch.Size([5, 128]))
    """

    def __init__(self, shape: Sequence[int], classes: int = 10, num_features: int = 128) -> None:
        super().__init__()
        self.shape, self.classes, self.num_features = tuple(shape), classes, num_features
        small = max(self.shape[1:]) <= _LARGEST_FOR_PERCEPTRON
        self.body = (_perceptron if small else _convnet)(self.shape, num_features)
        self.head = nn.Linear(num_features, classes)
        self.eval()

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
        logits = torch.cat([self(batch) for batch in images.split(_BATCH)])
        return float((logits.argmax(1) == labels).float().mean())


def _perceptron(shape: tuple[int, ...], num_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(torch.Size(shape).numel(), 2 * num_features),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(2 * num_features, num_features),
        nn.ReLU(),
    )


def _convnet(shape: tuple[int, ...], num_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(shape[0], 32, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(7),  # does nothing to 28 pixels a side
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 7 * 7, num_features),
        nn.ReLU(),
    )


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
    return feature_distance(_features(classifier, images), _features(classifier, reference))


def feature_distance(features: Tensor, reference: Tensor) -> float:
    """Fréchet distance of two sets of features (N, d) and (M, d), as `frechet_distance`.

    Example:
        >>> import torch
        >>> from linearizer.metrics import feature_distance
        >>> features = torch.randn(100, 3)
        >>> round(feature_distance(features + 1., features), 3)
        3.0
    """
    metric = FrechetInceptionDistance(feature=_Given(features.shape[1])).to(features.device)
    metric.update(reference, real=True)
    metric.update(features, real=False)
    return float(metric.compute())


def kernel_distance(features: Tensor, reference: Tensor, *, seed: int = 0) -> float:
    """Kernel distance of two sets of features (N, d) and (M, d), the KID.

    The unbiased estimate of the squared maximum mean discrepancy of the kernel `(xᵀy / d + 1)³`
    (Bińkowski et al., arXiv:1801.01401): about zero, and as often below it as above, for two sets
    of one distribution, however few there are. Of more than 1,000 it is the mean over 20 subsets of
    1,000.

    Args:
        features: Of the images to measure.
        reference: Of real images.
        seed: Seed of the subsets.

    Example:
        >>> import torch
        >>> from linearizer.metrics import kernel_distance
        >>> features = torch.randn(500, 3)
        >>> kernel_distance(features + 1., features) > 0.1
        True
    """
    size = min(_SUBSET, len(features), len(reference))
    whole = size == len(features) == len(reference)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save")
        torch.manual_seed(seed)
        metric = KernelInceptionDistance(
            feature=_Given(features.shape[1]), subset_size=size, subsets=1 if whole else _SUBSETS
        )
        metric.update(reference.double(), real=True)
        metric.update(features.double(), real=False)
        return float(metric.compute()[0])


def _features(classifier: Classifier, images: Tensor) -> Tensor:
    return torch.cat([classifier.features(batch) for batch in images.split(_BATCH)])


class _Given(nn.Module):
    """In the place of the feature network where the features are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features
