"""Samples in many steps and in one, inversion of images, and singular directions."""

import time

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.app import playground
from linearizer.app.digits import TEMPERATURE, Digits
from linearizer.app.pictures import board
from linearizer.errors import RangeError
from linearizer.metrics import psnr_db

COUNT, WALK = 8, 7
MOST_STEPS, MOST_DIRECTIONS, FURTHEST = 100, 8, 12.0


@torch.no_grad()
def samples(digits: Digits, steps: int, seed: int) -> tuple[str, str]:
    """One noise, carried to digits by N steps, by their collapse, and by the exact flow.

    Returns:
        The pictures, and a sentence with times and how far the first two rows differ.
    """
    check_between(steps, 1, MOST_STEPS, "the number of steps")
    noise = digits.flow.noise(COUNT, seed, temperature=TEMPERATURE)
    collapsed, exact = digits.flow.collapse(steps), digits.flow.collapse()
    start = time.perf_counter()
    many = digits.flow.integrate(noise, steps)
    middle = time.perf_counter()
    one = collapsed(noise)
    end = time.perf_counter()
    rows = [digits.clean(x) for x in (many, one, exact(noise))]
    labels = [_steps(steps), "the same, collapsed to 1", "exact flow, 1 step"]
    note = (
        f"{_steps(steps)}: {1e3 * (middle - start):.0f} ms; collapsed to one: "
        f"{1e3 * (end - middle):.0f} ms. The two differ by rounding alone: "
        f"{psnr_db(one, many):.0f} dB PSNR between them."
    )
    return board(rows, labels), note


@torch.no_grad()
def inversion(digits: Digits, images: list[Tensor]) -> tuple[str, str]:
    """Digits (1, 28, 28), the noise that they come from, and what comes back of it.

    Raises:
        RangeError: If there is no image.
    """
    x = torch.stack(_some(images))
    noise = digits.flow.encode(x)
    again = digits.flow.decode(noise)
    width = float(noise.std())
    rows = [x, (noise / (3 * width)).reshape(x.shape), again]
    note = (
        f"From image to noise and back: {psnr_db(again, x):.0f} dB PSNR. The standard deviation "
        f"of the noise is {width:.2f}; digits as in training have about 1."
    )
    return board(rows, ["image", "its noise", "and back"]), note


@torch.no_grad()
def line(digits: Digits, images: list[Tensor]) -> str:
    """The straight line between the first two images; nothing if there is but one."""
    if len(_some(images)) < 2:
        return ""
    return playground.line(digits, *images[:2])


@torch.no_grad()
def walks(digits: Digits, start: Tensor, count: int, reach: float) -> str:
    """From a digit (1, 28, 28) along the leading singular directions of the one-step map."""
    check_between(count, 1, MOST_DIRECTIONS, "the number of directions")
    check_between(reach, 0, FURTHEST, "the reach")
    lengths = torch.linspace(-reach, reach, WALK).tolist()
    points, values = digits.flow.directions(start, lengths, count)
    return board(
        [digits.clean(walk) for walk in points],
        [f"σ{i} = {sigma:.3f}" for i, sigma in enumerate(values.tolist(), 1)],
        [f"{t:+g}" for t in lengths],
    )


def _some(images: list[Tensor]) -> list[Tensor]:
    if not images:
        raise RangeError("expected one or two images, got none; upload some first")
    return images


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
