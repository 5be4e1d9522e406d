"""How good forecasts are, beside the forecast that nothing moves."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer.applications.linear_dynamics.trajectories import Trajectories


class ForecastError(NamedTuple):
    """Squared errors of whole trajectories, each forecast from its first point alone.

    Those of each coordinate are divided by its variance, so that units do not matter and 1 is the
    error of the mean of the points; the mean is over the coordinates that vary.

    Attributes:
        forecast: Of the model.
        persistence: Of the forecast that every point stays where it starts.
    """

    forecast: float
    persistence: float

    @property
    def beats_trivial(self) -> bool:
        """Whether the model knows more than the mean of the points, and than their starts."""
        return self.forecast < min(1.0, self.persistence)


def forecast_error(
    forecast: Callable[[Tensor, Tensor], Tensor], trajectories: Trajectories, delays: int
) -> ForecastError:
    """The errors of `forecast(x0, times)`, which returns the newest rows alone."""
    histories, times = trajectories
    newest = [x[:, -1] if delays else x for x in histories]
    found = [forecast(x[0], t) for x, t in zip(histories, times, strict=True)]
    true = torch.cat(newest)
    still = torch.cat([x[:1].expand_as(x) for x in newest])
    spread = (true - true.mean(0)).square().sum(0)
    varies = spread > 0
    errors = ((guess - true).square().sum(0) for guess in (torch.cat(found), still))
    return ForecastError(*(float((e[varies] / spread[varies]).mean()) for e in errors))
