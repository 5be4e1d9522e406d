"""Two digits, added, scaled and mixed in the induced space, beside the same in pixels."""

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.app.digits import Digits
from linearizer.app.pictures import board
from linearizer.spaces import InducedSpace

LINE = 9
FURTHEST = 2.0


@torch.no_grad()
def sums(digits: Digits, u: Tensor, v: Tensor, a: float, b: float) -> str:
    """`u ⊕ v`, `a ⊙ u` and `a ⊙ u ⊕ b ⊙ v` of two digits (1, n, n), and the same in pixels."""
    for number in (a, b):
        check_between(number, -FURTHEST, FURTHEST, "a factor")
    V = InducedSpace(digits.flow.g_data)
    points = torch.stack([u, v])
    weights = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0], [a, 0.0], [a, b]]
    combined = V.combine(torch.tensor(weights), points)
    induced = torch.cat([points, digits.clean(combined[2:])])
    labels = ["u", "v", "u + v", "u − v", f"{a:g} u", f"{a:g} u + {b:g} v"]
    return board([induced, _in_pixels(points, weights)], ["induced space", "pixels"], labels)


@torch.no_grad()
def line(digits: Digits, u: Tensor, v: Tensor) -> str:
    """The straight line from u to v in the induced space, and in pixels."""
    times = torch.linspace(0, 1, LINE)
    points = digits.flow.interpolate(u, v, LINE)
    induced = torch.cat([u[None], digits.clean(points[1:-1]), v[None]])
    pixels = _in_pixels(torch.stack([u, v]), [[1 - t, t] for t in times.tolist()])
    return board([induced, pixels], ["induced space", "pixels"], [f"{t:.2f}" for t in times])


@torch.no_grad()
def law(digits: Digits, u: Tensor, v: Tensor) -> float:
    """`|g(u ⊕ v) - g(u) - g(v)|` over `|g(u) + g(v)|`: zero but for rounding."""
    V = InducedSpace(digits.flow.g_data)
    total = V.encode(u) + V.encode(v)
    return float((V.encode(V.add(u, v)) - total).norm() / total.norm())


def _in_pixels(points: Tensor, weights: list[list[float]]) -> Tensor:
    """Combinations of images where black is zero, clamped to what can be shown."""
    light = (points + 1) / 2
    mixed = torch.tensordot(torch.tensor(weights), light, dims=1)
    return 2 * mixed.clamp(0, 1) - 1
