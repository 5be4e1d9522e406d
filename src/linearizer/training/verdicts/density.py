"""The verdict on a density: bits a dimension, beside those of a Gaussian of pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.bijections import Flatten
from linearizer.data import Images
from linearizer.metrics import bits_per_dimension
from linearizer.training.verdicts.base import Verdict, fall_of_loss, some

LITTLE = 0.05
"""Bits a dimension that are not worth much."""


@dataclass(frozen=True, kw_only=True)
class DensityVerdict(Verdict):
    """How a flow that was trained by its likelihood stands.

    Attributes:
        held_out: Bits a dimension of images that it was not trained on.
        train: Of as many that it was.
        pixels: Of the held-out ones under one Gaussian of the pixels, which is no training at all.

    Example:
        >>> from linearizer.training.verdicts import DensityVerdict
        >>> done = dict(fell=0.01, steps=7000, planned=7000)
        >>> good = DensityVerdict(held_out=2.0, train=1.9, pixels=3.1, **done)
        >>> print(good.text.partition(". ")[0])
        Held-out images take 2.00 bits a dimension, and 3.10 under a Gaussian of their pixels
        >>> "little" in DensityVerdict(held_out=3.1, train=3.1, pixels=3.1, **done).text
        True
    """

    held_out: float
    train: float
    pixels: float

    @property
    def found(self) -> list[str]:
        """Bits, and whether they are fewer than those of a Gaussian."""
        said = [
            f"Held-out images take {self.held_out:.2f} bits a dimension, and {self.pixels:.2f} "
            "under a Gaussian of their pixels."
        ]
        if not min(self.held_out, self.train) < self.pixels - LITTLE:
            said.append("g has learned little yet: samples and sums will look like mixed pixels.")
        return said

    @property
    def knows_by_heart(self) -> bool:
        """Whether the images that it was trained on are told from others by their density."""
        return self.held_out - self.train > 4 * LITTLE

    @property
    def is_falling(self) -> bool:
        """Whether the loss fell by more than a twentieth of a bit."""
        return self.fell is not None and self.fell > LITTLE

    @property
    def fall(self) -> str:
        """By how many bits the loss fell."""
        return f"The loss fell by {self.fell:.2f} bits in the second half of the steps"

    @property
    def advice(self) -> str | None:
        """What helps a flow that knows the images that it was trained on better than others."""
        if not self.knows_by_heart:
            return None
        return (
            f"Training images take {self.train:.2f} bits, so it knows them by heart: samples may "
            "look good, but densities of other images are off. More images, more --noise or a "
            "smaller --width help; more time does not."
        )


@torch.no_grad()
def judged_density(
    flow: OneStepFlow | ConditionalFlow,
    train: Images,
    held_out: Images,
    noisy: Callable[[Images], Tensor],
    *,
    logs: Path,
    steps: int,
    planned: int,
) -> DensityVerdict:
    """Measure a trained flow against a Gaussian of pixels, on at most a thousand images of each.

    Args:
        flow: On the CPU.
        train: Images that it was trained on.
        held_out: Others.
        noisy: Gives images the noise that densities are of.
        logs: The folder of the run, with the losses in it.
        steps: That were taken.
        planned: That were asked for.
    """
    seen, unseen = (some(part) for part in (train, held_out))
    rank = 256 if unseen.images[0].numel() > 2048 else None
    gaussian = OneStepFlow.fit(Flatten(train.shape), [noisy(some(train, 20))], rank=rank)

    fell = fall_of_loss(logs)

    def bits(model: OneStepFlow | ConditionalFlow, images: Images) -> float:
        return bits_per_dimension(model, noisy(images), train.quantization_levels, 100)

    return DensityVerdict(
        held_out=bits(flow, unseen),
        train=bits(flow, seen),
        pixels=bits(gaussian, unseen),
        fell=None if fell is None else fell[0] / math.log(2),
        steps=steps,
        planned=planned,
    )
