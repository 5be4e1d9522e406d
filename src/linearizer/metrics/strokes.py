"""How a drawn sign looks beside which sign it is: its slant, and the width of its strokes."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PAPER = 0.1
"""Gray that is taken for paper, of a range of 1."""


def slant(images: Tensor) -> Tensor:
    """The slant (N,) of bright ink on black: `μ₁₁ / μ₀₂` of its central moments.

    It is how far the ink goes to the right while it goes up by one: 0 for an upright bar, 1 for one
    at 45°. An image without ink has slant 0.

    Args:
        images: (N, C, H, W) in [-1, 1].

    Example:
        >>> import torch
        >>> from linearizer.metrics import slant
        >>> bar = 2.0 * torch.eye(9).flip(0)[None, None] - 1.0
        >>> slant(bar).tolist()
        [1.0]
    """
    ink = _ink(images)
    area = _positive(ink.sum((1, 2)))
    up, right = (_centered(ink, area, axis) for axis in (1, 2))
    up = -up  # rows go down
    return (ink * up * right).sum((1, 2)) / _positive((ink * up.square()).sum((1, 2)))


def stroke_width(images: Tensor) -> Tensor:
    """The mean width (N,) of strokes in pixels: twice the area of the ink over its perimeter.

    The perimeter is the total variation of the ink. A bar much longer than wide has the width
    that it is drawn with; an image without ink has width 0.

    Args:
        images: (N, C, H, W) in [-1, 1], bright ink on black.

    Example:
        >>> import torch
        >>> from linearizer.metrics import stroke_width
        >>> bar = -torch.ones(1, 1, 300, 20)
        >>> bar[..., 8:12] = 1.0
        >>> round(float(stroke_width(bar)), 1)
        4.0
    """
    ink = _ink(images)
    around = pad(ink, (1, 1, 1, 1))
    down = _mean_of_two(around.diff(dim=1), 2)  # both between the same four pixels,
    across = _mean_of_two(around.diff(dim=2), 1)  # so that no direction is preferred
    perimeter = torch.hypot(down, across).sum((1, 2))
    return 2 * ink.sum((1, 2)) / _positive(perimeter)


def _ink(images: Tensor) -> Tensor:
    """Ink (N, H, W) of a range of 0 to about 1, without the gray of paper."""
    return ((images.double().clamp(-1, 1) + 1) / 2 - PAPER).clamp_min(0).mean(1)


def _centered(ink: Tensor, area: Tensor, axis: int) -> Tensor:
    """Places along an axis, from the center of the ink of each image."""
    shape = [1, 1, 1]
    shape[axis] = -1
    places = torch.arange(ink.shape[axis], dtype=ink.dtype, device=ink.device).reshape(shape)
    return places - ((ink * places).sum((1, 2)) / area)[:, None, None]


def _mean_of_two(x: Tensor, axis: int) -> Tensor:
    """The means of neighbors along an axis."""
    return x.unfold(axis, 2, 1).mean(-1)


def _positive(x: Tensor) -> Tensor:
    return x.clamp_min(torch.finfo(x.dtype).tiny)
