"""The verdict on a projector: how it restores images, beside components of pixels."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from linearizer.applications import IdempotentGenerator
from linearizer.bijections import Flatten
from linearizer.data import CORRUPTIONS, Images, corrupt
from linearizer.metrics import psnr_db
from linearizer.training.verdicts.base import Verdict, share_that_fell, some

LITTLE = 0.3
"""Decibels that are hardly seen."""
AT_ONCE = 250


@dataclass(frozen=True, kw_only=True)
class ProjectionVerdict(Verdict):
    """How a trained projector stands.

    Attributes:
        kept: PSNR in dB of projected held-out images to the images.
        kept_by_pixels: Of their projections on as many principal components of the pixels.
        restored: PSNR of projections of the same images damaged, by each of `data.CORRUPTIONS`.
        restored_by_pixels: Of their projections on components of the pixels.
        rank: Of both projections.

    Example:
        >>> from linearizer.training.verdicts import ProjectionVerdict
        >>> done = dict(rank=64, fell=0.01, steps=3000, planned=3000)
        >>> print(ProjectionVerdict(
        ...     kept=22.0, kept_by_pixels=19.0, restored=18.0, restored_by_pixels=16.0, **done
        ... ).text.partition(". ")[0])
        Projected to rank 64, held-out images keep 22.0 dB, and damaged ones get 18.0 dB
    """

    kept: float
    kept_by_pixels: float
    restored: float
    restored_by_pixels: float
    rank: int

    @property
    def found(self) -> list[str]:
        """Decibels, and whether they are more than those of pixels."""
        said = [
            f"Projected to rank {self.rank}, held-out images keep {self.kept:.1f} dB, and damaged "
            f"ones get {self.restored:.1f} dB. As many components of pixels, without any training, "
            f"reach {self.kept_by_pixels:.1f} and {self.restored_by_pixels:.1f} dB."
        ]
        gains = self.kept - self.kept_by_pixels, self.restored - self.restored_by_pixels
        if not max(gains) > LITTLE:
            said.append("g has learned little yet: what is projected looks like mixed pixels.")
        return said


@torch.no_grad()
def judged_projection(
    model: IdempotentGenerator,
    train: Images,
    held_out: Images,
    *,
    logs: Path,
    steps: int,
    planned: int,
) -> ProjectionVerdict:
    """Measure a trained projector on at most a thousand held-out images, and as many damaged.

    Args:
        model: On the CPU.
        train: Images that it was trained on.
        held_out: Others.
        logs: The folder of the run, with the losses in it.
        steps: That were taken.
        planned: That were asked for.
    """
    x, most = some(held_out).images, some(train, 10).images
    pixels = IdempotentGenerator.fit(
        Flatten(train.shape), most.split(1000), rank=min(model.rank, train.images[0].numel() - 1)
    )
    damaged = [corrupt(x, name, 0) for name in CORRUPTIONS]

    def projected(by: IdempotentGenerator, images: Tensor) -> Tensor:
        return torch.cat([by.project(part) for part in images.split(AT_ONCE)]).clamp(-1, 1)

    def kept(by: IdempotentGenerator) -> float:
        return psnr_db(projected(by, x), x)

    def restored(by: IdempotentGenerator) -> float:
        return sum(psnr_db(projected(by, some), x) for some in damaged) / len(damaged)

    return ProjectionVerdict(
        kept=kept(model),
        kept_by_pixels=kept(pixels),
        restored=restored(model),
        restored_by_pixels=restored(pixels),
        rank=model.rank,
        fell=share_that_fell(logs),
        steps=steps,
        planned=planned,
    )
