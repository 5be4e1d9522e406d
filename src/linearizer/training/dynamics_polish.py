"""The end of the training of linear dynamics: whole trajectories, by a method of second order.

Random pairs and Adam find the way from a bad start, but crawl where g is nearly right; there
L-BFGS on all rows at once gains orders of magnitude in as many steps.
"""

import copy
import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics.trajectories import Trajectories

MOST_ROWS = 8192
"""Rows that are used; of more, each trajectory gives some, at even distances."""
CHUNK = 20
"""Iterations between two looks at what is held out."""
HISTORY = 30


class Polished(NamedTuple):
    """What a polish made.

    Attributes:
        model: The best one, in the dtype that came in.
        iterations: How many were made.
    """

    model: LinearDynamics
    iterations: int


def polish(
    model: LinearDynamics,
    train: Trajectories,
    held: Trajectories | None,
    scale: Tensor,
    *,
    iterations: int,
    patience: int,
    seconds: float = math.inf,
) -> Polished:
    """Minimize `Σ |(g⁻¹(e^{Lt} z₀) - x(t)) / scale|²` of whole trajectories.

    The start z₀ of each trajectory is found with g and L, since what is measured there has noise
    like all other points. In float64. The weights are kept that forecast what is held out best,
    from its measured starts; those of before are, if none is better.

    Args:
        model: The dynamics; not changed.
        train: What is fitted.
        held: What is held out, if anything.
        scale: The unit of each entry of a state, (n,).
        iterations: The most of L-BFGS.
        patience: Looks at what is held out, one every 20 iterations, without a better one.
        seconds: Stop after this time.
    """
    began, dtype = time.monotonic(), scale.dtype
    found = copy.deepcopy(model).double()
    rows = _Rows(found, train, scale)
    with torch.no_grad():
        starts = found.g(rows.states[rows.first]).detach().clone().requires_grad_()
    weights = [p for p in found.parameters() if p.requires_grad]
    search = torch.optim.LBFGS(
        [*weights, starts],
        max_iter=CHUNK,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
    )

    def closure() -> Tensor:
        search.zero_grad()
        loss = rows.loss(found, starts)
        loss.backward()
        return loss

    check = rows if held is None else _Rows(found, held, scale)
    best, least, waited, made = copy.deepcopy(found), check.measure(found), 0, 0
    while made < iterations and waited < patience and time.monotonic() - began < seconds:
        before = float(rows.loss(found, starts).detach())
        search.step(closure)
        made += CHUNK
        error = check.measure(found)
        if error < least:
            best, least, waited = copy.deepcopy(found), error, 0
        else:
            waited += 1
        if not float(rows.loss(found, starts).detach()) < before:
            break
    return Polished(best.to(dtype), made)


class _Rows:
    """Trajectories as rows: their states, and of each its time and the trajectory that it is of."""

    def __init__(self, model: LinearDynamics, data: Trajectories, scale: Tensor) -> None:
        every = max(1, -(-sum(map(len, data.points)) // MOST_ROWS))
        states = [model.lift(x.double()) for x in data.points]
        chosen = [torch.arange(0, len(x), every) for x in states]
        self.states = torch.cat([x[i] for x, i in zip(states, chosen, strict=True)])
        times = torch.cat([t[i].double() for t, i in zip(data.times, chosen, strict=True)])
        self.times, self.places = times.unique(return_inverse=True)
        lengths = torch.tensor([*map(len, chosen)])
        self.run = torch.arange(len(lengths)).repeat_interleave(lengths)
        self.first = lengths.cumsum(0) - lengths
        self.scale = scale.double()

    def loss(self, model: LinearDynamics, starts: Tensor) -> Tensor:
        """The mean squared error of the trajectories from some latents."""
        E = model.generator.propagators(self.times)[self.places]
        z = (E @ starts[self.run].unsqueeze(-1)).squeeze(-1)
        return ((model.g.inverse(z) - self.states) / self.scale).square().mean()

    @torch.no_grad()
    def measure(self, model: LinearDynamics) -> float:
        """The loss from the measured starts; infinity where it is no number."""
        found = float(self.loss(model, model.g(self.states[self.first])))
        return found if math.isfinite(found) else math.inf
