"""What a picture will cost, and how well it will be undone: told before the work begins."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from rich.console import Console
from torch import Tensor, nn

from linearizer.applications import Record, Step, StyleTransfer
from linearizer.display.console import tell
from linearizer.operators import CircularConvolution

SIDE = 256
"""Of the piece that is timed."""
BEYOND_CACHE = 1.5
"""How much longer a pixel takes in a large picture, which does not fit into the caches."""
SLOW = 5.0
"""Seconds that nobody needs to be warned of."""
LOADED = 0.4e9
"""Bytes of the program and its libraries."""
BANDS = 0.2e9
"""Bytes of the frequencies that `linalg.solve` has in hand at a time."""


class Cost(NamedTuple):
    """Of one pass of a picture."""

    seconds: float
    bytes: float


def forecast(
    trial: Callable[[Tensor], object],
    model: StyleTransfer,
    size: Sequence[int],
    *,
    exact: bool,
    undoing: bool,
) -> Cost:
    """What a pass of a picture (H, W) will cost.

    The seconds are those of a piece of 256×256 pixels, by the number of pixels and half as much
    again: all layers are local or transforms of O(N log N). The bytes are counted, see `memory`.

    Args:
        trial: The pass, for a picture of any size.
        model: The styles.
        size: (H, W).
        exact: Whether it is computed in float64.
        undoing: Whether the operator is inverted.
    """
    piece = torch.zeros(model.g_x.in_shape[0], SIDE, SIDE)
    trial(piece)  # the first one loads what it needs
    started = time.perf_counter()
    trial(piece)
    seconds = time.perf_counter() - started
    return Cost(
        BEYOND_CACHE * seconds * size[0] * size[1] / SIDE**2,
        memory(model, size, exact=exact, undoing=undoing),
    )


def memory(model: StyleTransfer, size: Sequence[int], *, exact: bool, undoing: bool) -> float:
    """The most bytes in use at a time, for a picture (H, W).

    A coupling holds two hidden layers of its network and three latents, a mixing of channels six
    latents. In float64 a convolution is a product with a matrix of all its patches. Least squares
    hold five latents in float64, and a circular convolution its matrices of all frequencies.
    """
    channels, height, width = model.g_x.out_shape
    pixels = size[0] * size[1] * height * width / torch.Size(model.g_x.in_shape[1:]).numel()
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    hidden = max((m.out_channels for m in layers), default=0)
    patches = max((m.weight[0].numel() for m in layers), default=0) if exact else 0
    itemsize = 8 if exact else 4
    numbers = max(patches + 2 * hidden + 3 * channels, 6 * channels)
    operator = 40 * channels if undoing else 0
    if issubclass(model.kind, CircularConvolution):
        operator = (64 if undoing else 8) * channels**2
    fixed = LOADED + (BANDS if undoing else 0)
    return fixed + pixels * max(itemsize * numbers, operator)


def undo_error(
    model: StyleTransfer, steps: Sequence[Step], content: Tensor, *, exact: bool
) -> float:
    """How far undoing will be off, in gray levels of 255 (RMS), measured on the picture's middle.

    Raises:
        SingularOperatorError: If the steps have no inverse.
    """
    top, left = (
        (n - m) // 2 for n, m in zip(content.shape[1:], model.g_x.in_shape[1:], strict=True)
    )
    height, width = model.g_x.in_shape[1:]
    piece = content[:, max(top, 0) :, max(left, 0) :][:, :height, :width]
    again = Record.of(model, piece, steps, exact=exact).undo(model)
    return 127.5 * float((again - piece).square().mean().sqrt())


def announce(
    trial: Callable[[Tensor], object],
    model: StyleTransfer,
    size: Sequence[int],
    *,
    exact: bool,
    undoing: bool,
) -> None:
    """Say on stderr what a large picture will cost, before a pass that takes long."""
    if size[0] * size[1] <= 4 * SIDE**2:
        return
    cost = forecast(trial, model, size, exact=exact, undoing=undoing)
    if cost.seconds > SLOW:
        tell(
            f"{size[0] * size[1] / 1e6:.1f} megapixels: about {_time(cost.seconds)} and "
            f"{cost.bytes / 1e9:.1f} GB of memory",
            Console(stderr=True),
        )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
