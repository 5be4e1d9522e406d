"""Samples in many steps and in one, inversion of images, and singular directions."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.app import playground
from linearizer.app.digits import TEMPERATURE, Digits
from linearizer.app.pictures import board
from linearizer.applications import OneStepFlow
from linearizer.applications.conditional_flow import Label
from linearizer.errors import RangeError
from linearizer.metrics import psnr_db
from linearizer.spaces import InducedSpace

COUNT, WALK = 8, 7
MOST_STEPS, MOST_DIRECTIONS, FURTHEST, MOST_GUIDANCE = 100, 8, 12.0, 3.0
STRANGE = 3.0
"""Standard deviation of its noise from which a picture is called no digit: those of scikit-learn,
which are coarser than any in training, have up to 2.2, and photographs 5 and more."""
STRANGER = "It is inverted all the same, as anything can be; what is found is no typical noise."


@torch.no_grad()
def samples(
    digits: Digits, steps: int, seed: int, label: Label | None = None, guidance: float = 0.0
) -> tuple[str, str]:
    """One noise, carried to digits by N steps, by their collapse, and by the exact flow.

    Args:
        digits: The flow.
        steps: N.
        seed: Of noise and classes.
        label: The class; each digit is of its own by default, if the flow has classes.
        guidance: As of `ConditionalFlow.sample`.

    Returns:
        The pictures, and a sentence with times and how far the first two rows differ.

    Raises:
        RangeError: If a number is out of range, or there is no such class.
    """
    check_between(steps, 1, MOST_STEPS, "the number of steps")
    check_between(guidance, 0.0, MOST_GUIDANCE, "the guidance")
    noise = digits.flow.noise(COUNT, seed, temperature=TEMPERATURE)
    chosen = _chosen(digits, label, guidance, seed)
    collapsed = {flow: flow.collapse(steps) for flow in (*chosen.flows, chosen.away)}
    start = time.perf_counter()
    many = chosen.carry(noise, lambda flow, x: flow.integrate(x, steps))
    middle = time.perf_counter()
    one = chosen.carry(noise, lambda flow, x: collapsed[flow](x))
    end = time.perf_counter()
    exact = chosen.carry(noise, lambda flow, x: flow.decode(x))
    rows = [digits.clean(x) for x in (many, one, exact)]
    labels = [_steps(steps), "the same, collapsed to 1", "exact flow, 1 step"]
    note = (
        f"{_steps(steps)}: {1e3 * (middle - start):.0f} ms; collapsed to one: "
        f"{1e3 * (end - middle):.0f} ms. The two differ by rounding alone: "
        f"{psnr_db(one, many):.0f} dB PSNR between them."
    )
    return board(rows, labels), note


@dataclass(frozen=True)
class _Chosen:
    """The flow of each sample, and the one that guidance leads away from."""

    flows: list[OneStepFlow]
    away: OneStepFlow
    space: InducedSpace
    guidance: float

    def carry(self, noise: Tensor, by: Callable[[OneStepFlow, Tensor], Tensor]) -> Tensor:
        """Noise to digits; with guidance w the digits are `(1 + w) ⊙ x_c ⊖ w ⊙ x`."""
        places: dict[OneStepFlow, list[int]] = {}
        for i, flow in enumerate(self.flows):
            places.setdefault(flow, []).append(i)
        x = torch.empty(len(noise), *self.space.g.in_shape)
        for flow, rows in places.items():
            x[rows] = by(flow, noise[rows])
        return self.space.lerp(by(self.away, noise), x, 1 + self.guidance) if self.guidance else x


def _chosen(digits: Digits, label: Label | None, guidance: float, seed: int) -> _Chosen:
    model = digits.model
    if isinstance(model, OneStepFlow):
        return _Chosen([model] * COUNT, model, InducedSpace(model.g_data), 0.0)
    components = model.draw(COUNT, label, seed).tolist()
    flows = [model.component(i) for i in components]
    return _Chosen(flows, model.pooled, InducedSpace(model.g), guidance)


@torch.no_grad()
def inversion(digits: Digits, images: list[Tensor]) -> tuple[str, str]:
    """Digits (1, n, n), the noise that they come from, and what comes back of it.

    Raises:
        RangeError: If there is no image.
    """
    x = torch.stack(_some(images))
    noise = digits.flow.encode(x)
    again = digits.flow.decode(noise)
    width, strangers = float(noise.std()), _strangers(noise)
    rows = [x, (noise / (3 * width)).reshape(x.shape), again]
    note = (
        f"From image to noise and back: {psnr_db(again, x):.0f} dB PSNR. The standard deviation "
        f"of the noise is {width:.2f}; digits as in training have about 1."
    )
    if strangers:
        which = "This is" if len(images) == 1 else f"Picture {' and '.join(map(str, strangers))} is"
        note = f"**{which} no digit to the model.** {STRANGER} {note}"
    return board(rows, ["image", "its noise", "and back"]), note


@torch.no_grad()
def line(digits: Digits, images: list[Tensor]) -> str:
    """The straight line between the first two images; nothing if there is but one."""
    if len(_some(images)) < 2:
        return ""
    return playground.line(digits, *images[:2])


@torch.no_grad()
def walks(digits: Digits, start: Tensor, count: int, reach: float) -> str:
    """From a digit (1, n, n) along the leading singular directions of the one-step map."""
    check_between(count, 1, MOST_DIRECTIONS, "the number of directions")
    check_between(reach, 0, FURTHEST, "the reach")
    lengths = torch.linspace(-reach, reach, WALK).tolist()
    points, values = digits.flow.directions(start, lengths, count)
    return board(
        [digits.clean(walk) for walk in points],
        [f"σ{i} = {sigma:.3f}" for i, sigma in enumerate(values.tolist(), 1)],
        [f"{t:+g}" for t in lengths],
    )


def _strangers(noise: Tensor) -> list[int]:
    """The numbers, from 1, of those images whose noise is far too long for digits."""
    lengths = noise.flatten(1).std(dim=1)
    return [i for i, length in enumerate(lengths.tolist(), 1) if length > STRANGE]


def _some(images: list[Tensor]) -> list[Tensor]:
    if not images:
        raise RangeError("expected one or two images, got none; upload some first")
    return images


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
