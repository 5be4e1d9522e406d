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
HISTORY = 100
"""Of L-BFGS; with 30 it needs about twice as many iterations."""


def polish(
    model: LinearDynamics,
    train: Trajectories,
    held: Trajectories | None,
    scale: Tensor,
    *,
    iterations: int,
    patience: int,
    refit: bool = True,
    seconds: float = math.inf,
) -> LinearDynamics:
    """Minimize `Σ |(g⁻¹(e^{Lt} g(s)) - x(t)) / scale|²` of whole trajectories, in float64.

    The start s of each trajectory that is fitted is found with g and L, near its first row x(0):
    with noise in all rows this is the maximum of the likelihood, where forecasts from a noisy
    x(0) would pass its error on to every other row.

    What is held out, and forecast from its first rows, tells when to stop. Then the same number of
    iterations is made once more on everything; the weights of before are kept if nothing is better.

    Args:
        model: The dynamics; not changed.
        train: What is fitted.
        held: What is held out, if anything.
        scale: The unit of each entry of a state, (n,).
        iterations: The most of L-BFGS.
        patience: Looks at what is held out, one every 20 iterations, without a better one.
        refit: Whether what is held out is fitted too in the end.
        seconds: Stop after this time.

    Returns:
        The best model, in the dtype of the one that came in.
    """
    began = time.monotonic()
    share = 0.5 if refit and held is not None else 1.0
    search = _Search(model, train, scale)
    found = search.model
    check = search.rows if held is None else _Rows(found, held, scale)
    best, least, waited, last = copy.deepcopy(found), check.measure(found), 0, math.inf
    needed = 0
    for count in range(1, 1 - (-iterations // CHUNK)):
        fit, error = search.go_on(), check.measure(found)
        if error < least:
            best, least, waited, needed = copy.deepcopy(found), error, 0, count
        else:
            waited += 1
        if not fit < last or waited >= patience or time.monotonic() - began > share * seconds:
            break
        last = fit
    if refit and held is not None and needed:
        search = _Search(model, _both(train, held), scale)
        for _ in range(needed):
            search.go_on()
            if time.monotonic() - began > seconds:
                break
        if search.rows.measure(search.model) <= search.rows.measure(best):
            best = search.model
    return best.to(scale.dtype)


def _both(one: Trajectories, other: Trajectories) -> Trajectories:
    return Trajectories([*one.points, *other.points], [*one.times, *other.times])


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
        self.starts = self.states[lengths.cumsum(0) - lengths]
        self.scale = scale.double()

    def loss(self, model: LinearDynamics, starts: Tensor) -> Tensor:
        """The mean squared error of trajectories from their starts (K, n) on."""
        z: Tensor = model.g(starts)[self.run]
        E = model.generator.propagators(self.times)[self.places]
        made = model.g.inverse((E @ z.unsqueeze(-1)).squeeze(-1))
        return ((made - self.states) / self.scale).square().mean()

    @torch.no_grad()
    def measure(self, model: LinearDynamics) -> float:
        """The loss of forecasts from the first rows; infinity where it is no number."""
        found = float(self.loss(model, self.starts))
        return found if math.isfinite(found) else math.inf


class _Search:
    """L-BFGS over a copy of a model, and the starts of trajectories but for their padding."""

    def __init__(self, model: LinearDynamics, data: Trajectories, scale: Tensor) -> None:
        self.model = copy.deepcopy(model).double()
        self.rows = _Rows(self.model, data, scale)
        own = model.n - model.padding
        self.own, self.padding = self.rows.starts.split([own, model.padding], 1)
        self.own = self.own.clone().requires_grad_()
        self.steps = torch.optim.LBFGS(
            [self.own, *(p for p in self.model.parameters() if p.requires_grad)],
            max_iter=CHUNK,
            history_size=HISTORY,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-12,
            tolerance_change=1e-14,
        )

    def go_on(self) -> float:
        """More iterations; the loss that they come to."""
        self.steps.step(self._closure)
        with torch.no_grad():
            found = float(self._loss())
        return found if math.isfinite(found) else math.inf

    def _loss(self) -> Tensor:
        return self.rows.loss(self.model, torch.cat([self.own, self.padding], 1))

    def _closure(self) -> Tensor:
        self.steps.zero_grad()
        loss = self._loss()
        loss.backward()
        return loss
