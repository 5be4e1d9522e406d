"""A photograph in a mix of styles: one operator, its multiples, its inverse, its products."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.applications import Step, StyleTransfer
from linearizer.applications.style_transfer import PLAIN
from linearizer.data.images import resized
from linearizer.metrics import psnr_db

MAX_SIDE, UNDONE_SIDE = 384, 224
STRONGEST = 1.5


@dataclass(frozen=True)
class Result:
    """What became of a photograph.

    Attributes:
        photo: As it went in, (3, H, W).
        styled: In the style.
        after: Undone, or in a second style; None if neither was asked.
        note: What was done, in words and numbers.
    """

    photo: Tensor
    styled: Tensor
    after: Tensor | None
    note: str


def shares(model: StyleTransfer, weights: Mapping[str, float], strength: float) -> dict[str, float]:
    """The coefficients of all operators: `A = (1 - s) A_plain + s Σ w_i A_i / Σ w_i`.

    Without any weight the style is `plain`.

    Raises:
        RangeError: If a weight or the strength is out of range, or there is no such style.
    """
    check_between(strength, 0.0, STRONGEST, "the strength")
    for name, weight in weights.items():
        check_between(weight, 0.0, 1.0, f"the weight of {name}")
    total = math.fsum(weights.values())
    chosen = {n: strength * w / total for n, w in weights.items() if w} if total else {}
    return {PLAIN: 1 - strength, **chosen} if chosen else {PLAIN: 1.0}


@torch.no_grad()
def styled(
    model: StyleTransfer,
    photo: Tensor,
    weights: Mapping[str, float],
    strength: float,
    *,
    second: str | None = None,
    undo: bool = False,
) -> Result:
    """A photograph (3, H, W) in a mix of styles, and then undone or in a second style.

    Undoing inverts one matrix for each frequency, so it is done at a smaller size.
    """
    coefficients = shares(model, weights, strength)
    photo = fitted(photo, model, UNDONE_SIDE if undo else MAX_SIDE)
    mixed = Step(coefficients)
    result = model.stylize(photo, [mixed])
    note = "A = " + " + ".join(f"{w:.2f} A_{n}" for n, w in coefficients.items() if w) + "."
    if undo:
        again = model.undo(result, [mixed])
        note += f" Undone by A⁺: {psnr_db(again, photo):.0f} dB PSNR to the photograph."
        return Result(photo, result, again, note)
    if second is not None:
        after = model.stylize(photo, [mixed, Step({second: 1.0})])
        return Result(photo, result, after, f"{note} Then A_{second} A, one operator again.")
    return Result(photo, result, None, note)


def fitted(photo: Tensor, model: StyleTransfer, max_side: int) -> Tensor:
    """A photograph at a size that the model divides, no side longer than `max_side`.

    A photograph that is too small for the operators is enlarged.
    """
    least = model.factor * max(model.operator(name).kernel.shape[-1] for name in model.names)
    sides = photo.shape[-2:]
    scale = max(min(1.0, max_side / max(sides)), least / min(sides))
    size = [max(least, model.factor * round(n * scale / model.factor)) for n in sides]
    size = [min(n, 2 * max_side) for n in size]  # a very long strip is squeezed
    return photo if tuple(size) == tuple(sides) else resized(photo, size)
