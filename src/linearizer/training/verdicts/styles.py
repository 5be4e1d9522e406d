"""The verdict on styles: how like their teachers they are, and how well they are undone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from linearizer.applications import StyleTransfer
from linearizer.data import Images
from linearizer.metrics import psnr_db
from linearizer.training.pixel_styles import batches_of, made_by, pixel_baseline
from linearizer.training.verdicts.base import Verdict, share_that_fell

CONTENTS = 24
"""Held-out contents, of which every teacher makes pictures."""
FITTED_TO = 200
"""Training contents, for the operators on pixels."""
LITTLE = 0.5
"""Decibels that are hardly seen."""
EXACT = 60.0
"""Decibels above which what was undone differs by less than a gray level."""


@dataclass(frozen=True, kw_only=True)
class StylesVerdict(Verdict):
    """How trained styles stand, in means over all of them.

    Attributes:
        likeness: PSNR in dB to what the teachers make of held-out contents.
        pixels: Of the best convolutions of pixels, which need no training.
        undone: PSNR of contents that were stylized and undone to the contents, the least one.

    Example:
        >>> from linearizer.training.verdicts import StylesVerdict
        >>> done = dict(fell=0.01, steps=3000, planned=3000)
        >>> print(StylesVerdict(likeness=17.5, pixels=14.6, undone=116.0, **done).text)
        On held-out contents the styles come to 17.5 dB of their teachers, ... undone to 116 dB. ...
    """

    likeness: float
    pixels: float
    undone: float

    @property
    def found(self) -> list[str]:
        """Decibels, and whether they are more than those of pixels."""
        said = [
            f"On held-out contents the styles come to {self.likeness:.1f} dB of their teachers, "
            "and the best convolutions of pixels, without any training, to "
            f"{self.pixels:.1f} dB. They are undone to {self.undone:.0f} dB."
        ]
        if not self.likeness > self.pixels + LITTLE:
            said.append("g has learned little yet: styles are hardly more than filters.")
        if not self.undone > EXACT:
            said.append("What is undone differs from the photograph by a gray level or more.")
        return said


@torch.no_grad()
def judged_styles(
    model: StyleTransfer,
    teachers: Mapping[str, nn.Module],
    train: Images,
    held_out: Images,
    *,
    logs: Path,
    steps: int,
    planned: int,
) -> StylesVerdict:
    """Measure trained styles on a few held-out contents.

    Args:
        model: On the CPU.
        teachers: By the names of the styles.
        train: Contents that it was trained on.
        held_out: Others.
        logs: The folder of the run, with the losses in it.
        steps: That were taken.
        planned: That were asked for.
    """
    x, pairs = held_out.images[:CONTENTS], train.images[:FITTED_TO]
    height, width = x.shape[-2:]
    likeness, pixels, undone = [], [], []
    for name, teacher in teachers.items():
        truth = made_by(teacher, x, name)
        styled = [model.stylize(part, name, cropped=False) for part in batches_of(x)]
        back = torch.cat([model.undo(y, name)[..., :height, :width] for y in styled])
        made = torch.cat(styled)[..., :height, :width].clamp(-1, 1)
        baseline = pixel_baseline(model, pairs, made_by(teacher, pairs, name), model.operator(name))
        plain = torch.cat([baseline.stylize(part, "fitted") for part in batches_of(x)])
        likeness.append(psnr_db(made, truth))
        pixels.append(psnr_db(plain.clamp(-1, 1), truth))
        undone.append(psnr_db(back, x))
    return StylesVerdict(
        likeness=sum(likeness) / len(likeness),
        pixels=sum(pixels) / len(pixels),
        undone=min(undone),
        fell=share_that_fell(logs),
        steps=steps,
        planned=planned,
    )
