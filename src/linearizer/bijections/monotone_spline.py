"""Each entry by an increasing curve of its own: what makes the columns of a table alike."""

import torch
from torch import Tensor

from linearizer._checks import check_finite
from linearizer.bijections.base import Bijection
from linearizer.errors import RangeError, ShapeError


class MonotoneSpline(Bijection):
    """`x_j ↦ s_j(x_j)`, each s_j an increasing rational-quadratic spline with straight tails.

    Between two knots, with the share `t` of the way, the secant `m` and the slopes `a`, `b` at
    both ends, `s = y_0 + (y_1 - y_0) (m t² + a t (1-t)) / (m + (a + b - 2m) t (1-t))`, which is
    smooth once and inverted by a quadratic equation. Beyond the knots it goes on straight, so it
    is onto. Source: Gregory, Delbourgo, 1982; as a layer Durkan et al., arXiv:1906.04032.

    Args:
        inputs: Knots x, (n, K), increasing along each row, at least two.
        outputs: Their images, (n, K), increasing along each row.
        slopes: The derivatives there, (n, K), positive.

    Raises:
        ShapeError: If the three are not of one shape (n, K).
        RangeError: If knots do not increase, or a slope is not positive.
        NonFiniteError: If there is NaN or infinity.

    Example:
        >>> import torch, linearizer as lz
        >>> knots = torch.tensor([[-1.0, 0.0, 2.0]])
        >>> g = lz.bijections.MonotoneSpline(knots, knots**3, torch.ones(1, 3))
        >>> g(torch.tensor([[-2.0], [0.0], [2.0], [3.0]])).flatten()
        tensor([-2.,  0.,  8.,  9.])
        >>> g.round_trip(torch.randn(5, 1)) < 1e-5
        True
    """

    inputs: Tensor
    outputs: Tensor
    slopes: Tensor

    def __init__(self, inputs: Tensor, outputs: Tensor, slopes: Tensor) -> None:
        if not inputs.shape == outputs.shape == slopes.shape or inputs.ndim != 2:
            raise ShapeError(
                f"expected knots, images and slopes of one shape (n, K), got "
                f"{tuple(inputs.shape)}, {tuple(outputs.shape)} and {tuple(slopes.shape)}"
            )
        if inputs.shape[1] < 2:
            raise ShapeError(f"expected at least 2 knots, got {inputs.shape[1]}")
        for knots in (inputs, outputs, slopes):
            check_finite(knots, "the knots of a spline")
        if not inputs.is_meta and not (
            _increases(inputs) and _increases(outputs) and bool((slopes > 0).all())
        ):
            raise RangeError(
                "expected increasing knots and positive slopes, got others; merge knots that are "
                "equal"
            )
        super().__init__(len(inputs))
        self.register_buffer("inputs", inputs)
        self.register_buffer("outputs", outputs)
        self.register_buffer("slopes", slopes)

    def _forward(self, x: Tensor) -> Tensor:
        return self._forward_and_log_det(x)[0]

    def _inverse(self, z: Tensor) -> Tensor:
        x0, x1, y0, y1, a, b = self._piece(self.outputs, z)
        below, above = z < self.outputs[:, 0], z > self.outputs[:, -1]
        y = torch.clamp(z, y0, y1)
        m, bend = (y1 - y0) / (x1 - x0), a + b - 2 * (y1 - y0) / (x1 - x0)
        rise = y - y0
        A = (y1 - y0) * (m - a) + rise * bend
        B = (y1 - y0) * a - rise * bend
        C = -m * rise
        root = (B.square() - 4 * A * C).clamp_min(0).sqrt()
        inside = x0 + 2 * C / (-B - root) * (x1 - x0)
        x = torch.where(below, x0 + (z - y0) / a, inside)
        return torch.where(above, x1 + (z - y1) / b, x)

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x0, x1, y0, y1, a, b = self._piece(self.inputs, x)
        below, above = x < self.inputs[:, 0], x > self.inputs[:, -1]
        t = (torch.clamp(x, x0, x1) - x0) / (x1 - x0)
        m, u = (y1 - y0) / (x1 - x0), t * (1 - t)
        below_line = m + (a + b - 2 * m) * u
        inside = y0 + (y1 - y0) * (m * t.square() + a * u) / below_line
        z = torch.where(below, y0 + (x - x0) * a, inside)
        z = torch.where(above, y1 + (x - x1) * b, z)
        slope = (m / below_line).square() * (b * t.square() + 2 * m * u + a * (1 - t).square())
        slope = torch.where(below, a, torch.where(above, b, slope))
        return z, slope.log().sum(-1)

    def _piece(self, knots: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Both ends of the piece that each entry lies in, or nearest to, and the slopes there."""
        rows = x.reshape(-1, len(knots)).mT.contiguous()  # a knot begins a piece: it is exact
        first = torch.searchsorted(knots[:, 1:-1].contiguous(), rows, right=True)
        ends = (
            values.gather(1, index).mT.reshape(x.shape)
            for values in (self.inputs, self.outputs, self.slopes)
            for index in (first, first + 1)
        )
        return tuple(ends)


def _increases(knots: Tensor) -> bool:
    return bool((knots.diff(dim=1) > 0).all())
