"""What a training reached, said at its end: beside a model that needs none, and for more time."""

import csv
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.bijections import Flatten
from linearizer.data import Images
from linearizer.metrics import bits_per_dimension

MOST = 1000
LITTLE = 0.05
"""Bits a dimension that are not worth much."""


@dataclass(frozen=True)
class Verdict:
    """How a trained flow stands.

    Attributes:
        held_out: Bits a dimension of images that it was not trained on.
        train: Of as many that it was.
        pixels: Of the held-out ones under one Gaussian of the pixels, which is no training at all.
        fell: What the loss fell by in the second half of the steps, in bits; None of a few steps.
        steps: Of the optimizer.
        planned: As many as were asked for.

    Example:
        >>> from linearizer.training.verdict import Verdict
        >>> print(Verdict(2.0, 1.9, 3.1, 0.01, 7000, 7000).text.partition(". ")[0])
        Held-out images take 2.00 bits a dimension, and 3.10 under a Gaussian of their pixels
        >>> "little" in Verdict(3.1, 3.1, 3.1, 0.2, 30, 7000).text
        True
    """

    held_out: float
    train: float
    pixels: float
    fell: float | None
    steps: int
    planned: int

    @property
    def text(self) -> str:
        """The verdict in sentences, with what to do."""
        said = [
            f"Held-out images take {self.held_out:.2f} bits a dimension, and {self.pixels:.2f} "
            "under a Gaussian of their pixels."
        ]
        if not self.held_out < self.pixels - LITTLE:
            said.append("g has learned little yet: samples and sums will look like mixed pixels.")
        still, stopped = self.fell is not None and self.fell > LITTLE, self.steps < self.planned
        if stopped:
            said.append(
                f"The time was up after {self.steps:,} of {self.planned:,} steps, before the "
                "learning rate was lowered."
            )
        if self.fell is not None and (still or not stopped):
            said.append(
                f"The loss fell by {self.fell:.2f} bits in the second half of the steps; twice the "
                f"time would likely give {'about that' if still else 'little'}."
            )
        if still or stopped:
            said.append("This is undertrained: give it more --steps or --max-minutes.")
        elif self.held_out - self.train > 4 * LITTLE:
            said.append(
                f"Training images take {self.train:.2f} bits: more images, more --noise or a "
                "smaller --width help, and more time does not."
            )
        return " ".join(said)

    @property
    def note(self) -> dict[str, Any]:
        """The same as numbers, for `run.json`."""
        return asdict(self)


@torch.no_grad()
def judged(
    flow: OneStepFlow | ConditionalFlow,
    train: Images,
    held_out: Images,
    noisy: Callable[[Images], Tensor],
    *,
    logs: Path,
    steps: int,
    planned: int,
) -> Verdict:
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
    seen, unseen = (_some(part) for part in (train, held_out))
    rank = 256 if unseen.images[0].numel() > 2048 else None
    gaussian = OneStepFlow.fit(Flatten(train.shape), [noisy(_some(train, 20))], rank=rank)

    def bits(model: OneStepFlow | ConditionalFlow, images: Images) -> float:
        return bits_per_dimension(model, noisy(images), train.quantization_levels, 100)

    return Verdict(
        bits(flow, unseen), bits(flow, seen), bits(gaussian, unseen), _fell(logs), steps, planned
    )


def _some(data: Images, times: int = 1) -> Images:
    """As many images as are measured, or some times as many, drawn at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return data.take(order[: times * MOST])


def _fell(run: Path) -> float | None:
    """What the mean loss of a tenth of the steps fell by from the middle on, in bits."""
    rows: dict[int, float] = {}
    for path in sorted(run.glob("logs/*/metrics.csv")):
        with path.open(encoding="utf-8") as file:
            rows |= {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
    losses = [rows[step] for step in sorted(rows)]
    window = len(losses) // 10
    if window < 2:
        return None
    middle = len(losses) // 2
    half, end = losses[middle - window // 2 : middle + window - window // 2], losses[-window:]
    return (sum(half) / len(half) - sum(end) / len(end)) / math.log(2)
