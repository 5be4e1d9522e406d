"""The curves that make the columns of a table alike: between standard and normal scores."""

import torch
from torch import Tensor

from linearizer._checks import check_between, check_finite
from linearizer.bijections import MonotoneSpline
from linearizer.errors import ShapeError

ROWS = 50_000
"""Rows that quantiles are taken from, spread evenly over more of them."""
CLOSEST = 1e-4
"""The least distance of two knots, in standard deviations: the curve is no steeper than that."""


@torch.no_grad()
def fit_marginals(x: Tensor, *, strength: float = 0.5, knots: int = 16) -> MonotoneSpline:
    """The spline of each column, from its quantiles: skewed and heavy-tailed ones become even.

        s_j(x) = (1 - w) (x - μ_j) / σ_j + w Φ⁻¹(F_j(x))

    at the knots, with w the strength and F_j the share of rows below, ties counted half. So every
    column leaves with about mean 0 and variance 1, its order and distances in part kept, and a
    column of two values stays one. The tails go on with the slope 1 / σ_j. A constant column is
    moved to 0, and not scaled.

    Args:
        x: Rows (N, n).
        strength: w, from 0 (standard scores) to 1 (normal scores).
        knots: Largest number of knots of a column.

    Raises:
        ShapeError: If there are no two axes, or no row.
        NonFiniteError: If there is NaN or infinity.
        RangeError: If the strength is not in [0, 1], or there are fewer than two knots.

    Example:
        >>> import torch, linearizer as lz
        >>> x = torch.randn(2000, 2).exp()
        >>> z = lz.estimation.fit_marginals(x, strength=1.0)(x)
        >>> skew = lambda v: float((v - v.mean()).pow(3).mean() / v.std() ** 3)
        >>> skew(x[:, 0]) > 2, abs(skew(z[:, 0])) < 0.1
        (True, True)
    """
    check_between(strength, 0.0, 1.0, "the strength")
    check_between(knots, 2, 1000, "the number of knots")
    if x.ndim != 2 or not x.numel():
        raise ShapeError(f"expected rows (N, n), got {tuple(x.shape)}")
    check_finite(x, "the rows")
    wide = x.double()
    mean, std = wide.mean(0), wide.std(0, correction=0)
    tiny = 1e-12 * wide.abs().amax(0)  # a constant column, up to rounding
    std = torch.where(std > tiny, std, 1.0)
    rows = wide[:: max(1, len(wide) // ROWS)]
    columns = [
        _knots((rows[:, j] - mean[j]) / std[j], strength, knots) for j in range(wide.shape[1])
    ]
    longest = max(len(inputs) for inputs, _, _ in columns)
    inputs, outputs, slopes = (
        torch.stack([_padded(part, longest, step) for part in parts])
        for parts, step in zip(zip(*columns, strict=True), (1.0, 1.0, 0.0), strict=True)
    )
    return MonotoneSpline(
        (inputs * std[:, None] + mean[:, None]).to(x), outputs.to(x), (slopes / std[:, None]).to(x)
    )


def _knots(scores: Tensor, strength: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Knots, images and slopes of a column of standard scores."""
    values, counts = scores.unique(return_counts=True)
    shares = (counts.cumsum(0) - 0.5 * counts) / len(scores)
    if len(values) > most:
        first, last = torch.special.ndtri(shares[[0, -1]]).tolist()
        wanted = torch.special.ndtr(torch.linspace(first, last, most, dtype=shares.dtype))
        chosen = torch.searchsorted(shares, wanted).clamp_max(len(values) - 1).unique()
        values, shares = values[chosen], shares[chosen]
    apart = [0]
    for i in range(1, len(values)):
        if float(values[i] - values[apart[-1]]) > CLOSEST:
            apart.append(i)
    values, shares = values[apart], shares[apart]
    if len(values) < 2:
        line = torch.stack([values[0], values[0] + 1])
        return line, line, torch.ones_like(line)
    normal = torch.special.ndtri(shares)
    outputs = (1 - strength) * values + strength * normal
    secants = outputs.diff() / values.diff()
    inner = 2 / (1 / secants[1:] + 1 / secants[:-1])
    one = secants.new_ones(1)
    return values, outputs, torch.cat([one, inner, one])


def _padded(knots: Tensor, count: int, step: float) -> Tensor:
    """More knots at the end, on the straight tail, where a column has fewer than others."""
    more = torch.arange(1, count - len(knots) + 1, dtype=knots.dtype)
    return torch.cat([knots, knots[-1] + step * more])
