"""The end of the training of linear dynamics: whole trajectories, by L-BFGS.

Random pairs and Adam find the way from a bad start, but crawl where g is nearly right; there
L-BFGS on all rows at once gains orders of magnitude in as many steps.
"""

import copy
import math
import time

import torch
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics.trajectories import Trajectories

MOST_ROWS = 8192
"""Rows that are used; of more, each trajectory gives some, at even distances."""
CHUNK = 20
"""Iterations between two looks at what is held out."""
HISTORY = 30


def polish(
    model: LinearDynamics,
    train: Trajectories,
    held: Trajectories | None,
    scale: Tensor,
    *,
    iterations: int,
    patience: int,
    seconds: float = math.inf,
) -> LinearDynamics:
    """Minimize `Σ |(g⁻¹(e^{Lt} g(x(0))) - x(t)) / scale|²` of whole trajectories, in float64.

    The weights are kept that forecast what is held out best; those of before are, if none is
    better.

    Args:
        model: The dynamics; not changed.
        train: What is fitted.
        held: What is held out, if anything.
        scale: The unit of each entry of a state, (n,).
        iterations: The most of L-BFGS.
        patience: Looks at what is held out, one every 20 iterations, without a better one.
        seconds: Stop after this time.

    Returns:
        The best model, in the dtype of the one that came in.
    """
    began, dtype = time.monotonic(), scale.dtype
    found = copy.deepcopy(model).double()
    rows = _Rows(found, train, scale)
    check = rows if held is None else _Rows(found, held, scale)
    search = torch.optim.LBFGS(
        [p for p in found.parameters() if p.requires_grad],
        max_iter=CHUNK,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
    )

    def closure() -> Tensor:
        search.zero_grad()
        loss = rows.loss(found)
        loss.backward()
        return loss

    best, least, waited, last = copy.deepcopy(found), check.measure(found), 0, math.inf
    for _ in range(-(-iterations // CHUNK)):
        search.step(closure)
        error, fit = check.measure(found), rows.measure(found)
        if error < least:
            best, least, waited = copy.deepcopy(found), error, 0
        else:
            waited += 1
        if not fit < last or waited >= patience or time.monotonic() - began > seconds:
            break
        last = fit
    return best.to(dtype)


class _Rows:
    """Trajectories as rows: their states, and of each its time and the trajectory that it is of."""

    def __init__(self, model: LinearDynamics, data: Trajectories, scale: Tensor) -> None:
        every = max(1, -(-sum(map(len, data.points)) // MOST_ROWS))
        chosen = [torch.arange(0, len(x), every) for x in data.points]
        self.states = torch.cat(
            [model.lift(x[i].double()) for x, i in zip(data.points, chosen, strict=True)]
        )
        times = torch.cat([t[i].double() for t, i in zip(data.times, chosen, strict=True)])
        self.times, self.places = times.unique(return_inverse=True)
        lengths = torch.tensor([*map(len, chosen)])
        self.run = torch.arange(len(lengths)).repeat_interleave(lengths)
        self.first = lengths.cumsum(0) - lengths
        self.scale = scale.double()

    def loss(self, model: LinearDynamics) -> Tensor:
        """The mean squared error of trajectories that are forecast from their first rows."""
        z: Tensor = model.g(self.states[self.first])[self.run]
        E = model.generator.propagators(self.times)[self.places]
        made = model.g.inverse((E @ z.unsqueeze(-1)).squeeze(-1))
        return ((made - self.states) / self.scale).square().mean()

    @torch.no_grad()
    def measure(self, model: LinearDynamics) -> float:
        """The loss; infinity where it is no number."""
        found = float(self.loss(model))
        return found if math.isfinite(found) else math.inf
