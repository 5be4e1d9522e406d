"""The verdict on a flow without a likelihood to go by: its samples, beside real images."""

from dataclasses import dataclass
from pathlib import Path

import torch

from linearizer.applications import OneStepFlow
from linearizer.bijections import Flatten
from linearizer.data import Images
from linearizer.metrics import frechet_distance
from linearizer.training.classifier import train_classifier
from linearizer.training.verdicts.base import Verdict, share_that_fell, some

STEPS = 300
"""Of the classifier, whose features need not be good to tell samples from images."""
MUCH = 0.9
"""Of the distance of what needs no training: what is not below it is no gain."""


@dataclass(frozen=True, kw_only=True)
class SamplesVerdict(Verdict):
    """How a flow stands that was trained by other losses than its likelihood.

    Attributes:
        samples: Fréchet distance of its samples to held-out images, in features of a classifier.
        pixels: Of samples of one Gaussian of the pixels, which is no training at all.
        real: Of as many images that it was trained on: what cannot be improved.

    Example:
        >>> from linearizer.training.verdicts import SamplesVerdict
        >>> done = dict(fell=0.01, steps=3000, planned=3000)
        >>> print(SamplesVerdict(samples=80.0, pixels=240.0, real=6.0, **done).text)
        Samples are at a Fréchet distance of 80 from held-out images, ... training images at 6. ...
    """

    samples: float
    pixels: float
    real: float

    @property
    def found(self) -> list[str]:
        """Distances, and whether samples are nearer to images than those of a Gaussian."""
        said = [
            f"Samples are at a Fréchet distance of {self.samples:.3g} from held-out images, those "
            f"of a Gaussian of pixels at {self.pixels:.3g}, and training images at {self.real:.3g}."
        ]
        if not self.samples < MUCH * self.pixels:
            said.append("g has learned little yet: samples look like mixed pixels.")
        return said


@torch.no_grad()
def judged_samples(
    flow: OneStepFlow, train: Images, held_out: Images, *, logs: Path, steps: int, planned: int
) -> SamplesVerdict:
    """Compare samples with at most a thousand held-out images, as a small classifier sees them.

    It is trained to tell labels, or quarter turns where there are none.

    Args:
        flow: On the CPU.
        train: Images that it was trained on.
        held_out: Others.
        logs: The folder of the run, with the losses in it.
        steps: That were taken.
        planned: That were asked for.
    """
    seen, unseen = some(train), some(held_out)
    many = some(train, 20)
    several = bool((many.labels != many.labels[0]).any())
    with torch.enable_grad():
        classifier = train_classifier(many if several else many.turned(), steps=STEPS)
    rank = 256 if unseen.images[0].numel() > 2048 else None
    gaussian = OneStepFlow.fit(Flatten(train.shape), many.images.split(1000), rank=rank)

    def distance_of(model: OneStepFlow) -> float:
        images = model.sample(len(unseen), seed=0).clamp(-1, 1)
        return frechet_distance(classifier, images, unseen.images)

    return SamplesVerdict(
        samples=distance_of(flow),
        pixels=distance_of(gaussian),
        real=frechet_distance(classifier, seen.images[: len(unseen)], unseen.images),
        fell=share_that_fell(logs),
        steps=steps,
        planned=planned,
    )
