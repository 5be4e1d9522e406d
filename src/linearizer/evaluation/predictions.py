"""What a classifier says of images: classes, confidence, and features to compare sets by."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from linearizer.data import Images
from linearizer.metrics import Classifier, feature_distance, kernel_distance


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of a set of images."""

    features: Tensor
    classes: Tensor
    confidence: float
    histogram: list[int]

    def distance(self, reference: "Predictions") -> float:
        """Fréchet distance to the features of other images; NaN if any is not finite."""
        if not (self.features.isfinite().all() and reference.features.isfinite().all()):
            return math.nan
        return feature_distance(self.features, reference.features)

    def kernel_distance(self, reference: "Predictions", seed: int) -> float:
        """KID to the features of other images; NaN if any is not finite."""
        if not (self.features.isfinite().all() and reference.features.isfinite().all()):
            return math.nan
        return kernel_distance(self.features, reference.features, seed=seed)


def predict(classifier: Classifier, batches: Iterable[Tensor]) -> Predictions:
    """The predictions for images clamped to [-1, 1], on the device of the classifier."""
    like = next(classifier.parameters())
    features = torch.cat([classifier.features(batch.to(like).clamp(-1, 1)) for batch in batches])
    probabilities = classifier.head(features).softmax(1)
    likeliest = probabilities.max(1)
    histogram = torch.bincount(likeliest.indices, minlength=probabilities.shape[1])
    return Predictions(
        features, likeliest.indices, float(likeliest.values.mean()), histogram.tolist()
    )


def has_labels(data: Images) -> bool:
    """Whether there are two classes or more."""
    return bool((data.labels != data.labels[0]).any())
