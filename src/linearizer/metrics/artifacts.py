"""What a stylizer leaves in a picture that nobody drew: a grid, and a frame of errors."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.errors import RangeError, ShapeError

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""

NEAREST = 2
FURTHEST = 16
"""The neighbors of a line of the spectrum: frequencies so near to it on either side."""


def grid_energy(images: Tensor, periods: Sequence[int] = (2, 4, 8)) -> float:
    """How strongly a grid of few pixels stands out of images: 1 where there is none.

    A layer that shuffles or repeats pixels in blocks of p leaves a pattern of period p, and so a
    line in the spectrum. `S(k)` is the power of the luminance at frequency k of n, averaged over
    all rows and images, and `max_p S(n/p) / median S(k)` over the k around n/p, from 2 to at most
    16 away, without the lines of all periods and what is next to them. The columns go the same
    way, and the larger of the two is returned. Photographs have about 1.4, pictures of the
    networks of PyTorch's fast-neural-style example 3 to 60.

    Args:
        images: (N, 3, H, W) or (N, 1, H, W); sides are cropped to multiples of the periods.
        periods: Of grids, in pixels, each from 2 up.

    Raises:
        RangeError: If there is no period, or one below 2.
        ShapeError: If a side is shorter than four times the least common multiple of the periods.

    Example:
        >>> import torch
        >>> from linearizer.metrics import grid_energy
        >>> noise = torch.rand(4, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        >>> grid = torch.tensor([0.1, 0.0, 0.0, 0.0]).repeat(24)
        >>> round(grid_energy(noise), 1), round(grid_energy(noise + grid), 1)
        (1.1, 2.6)
    """
    if not periods or min(periods) < 2:
        raise RangeError(f"expected periods of 2 pixels or more, got {tuple(periods)}")
    common = math.lcm(*periods)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or min(images.shape[2:]) < 4 * common:
        raise ShapeError(
            f"expected images (N, 1 or 3, H, W) with sides of {4 * common} pixels or more, got "
            f"{tuple(images.shape)}; enlarge the images or leave out long periods"
        )
    weights = images.new_tensor(LUMINANCE if images.shape[1] == 3 else (1.0,)).double()
    light = torch.einsum("nchw,c->nhw", images.double(), weights)
    return max(_worst_line(lines, periods, common) for lines in (light, light.mT))


def _worst_line(lines: Tensor, periods: Sequence[int], common: int) -> float:
    """The worst period along the last axis."""
    n = lines.shape[-1] // common * common
    lines = lines[..., :n].reshape(-1, n)
    power = torch.fft.fft(lines - lines.mean(-1, keepdim=True)).abs().square().mean(0)
    apart = n // common
    reach = range(NEAREST, max(NEAREST, min(FURTHEST, apart - NEAREST)) + 1)
    ratios = []
    for period in periods:
        around = [(n // period + sign * k) % n for sign in (-1, 1) for k in reach]
        between = [k for k in around if min(k % apart, -k % apart) >= NEAREST]
        ratios.append(power[n // period] / power[between].median())
    return float(torch.stack(ratios).max())


def border_ratio(errors: Tensor, width: int = 8) -> float:
    """The mean squared error within some pixels of the border, over that of the interior.

    1 where errors are everywhere alike; more if what is padded around an image leaks into it.

    Args:
        errors: Differences of images (..., H, W).
        width: Of the border, in pixels.

    Raises:
        RangeError: If the width is not positive.
        ShapeError: If the border leaves no interior.

    Example:
        >>> import torch
        >>> from linearizer.metrics import border_ratio
        >>> errors = torch.ones(1, 3, 64, 64)
        >>> errors[..., 0] = 5.0
        >>> round(border_ratio(errors), 2)
        1.86
    """
    height, width_of_all = errors.shape[-2:]
    if width < 1:
        raise RangeError(f"expected a border of one pixel or more, got {width}")
    if min(height, width_of_all) <= 2 * width:
        raise ShapeError(
            f"expected errors of images larger than two borders of {width} pixels, got "
            f"{tuple(errors.shape)}; choose a smaller width"
        )
    squares = errors.double().square()
    interior = squares[..., width:-width, width:-width]
    outside = squares.numel() - interior.numel()
    border = (squares.sum() - interior.sum()) / outside
    return float(border / interior.mean())
