"""How well linear dynamics forecast, in words, and their modes as a table."""

import math

import torch
from torch import Tensor

from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import ForecastError
from linearizer.display.tables import Table

HARDLY = 0.5
"""Share of the trivial forecast's error from which on a system does not fit."""
WELL = 0.1
"""The same, up to which it fits well."""
CURE = (
    "A bijection bends the whole space onto one linear system: one equilibrium, no second "
    "attractor, no limit cycle by itself, no chaos. More room (--padding, --delays), another "
    "--kind, or more trajectories may help; forecasts of this model are not to be relied on."
)


def verdict(error: ForecastError | None) -> str:
    """What the error on held-out trajectories says; None is an error beyond all numbers.

    Errors are shares of the variance (see `ForecastError`). The trivial forecast is the better
    one of two: that nothing moves, and the mean of all points.

    Example:
        >>> from linearizer.applications.linear_dynamics import ForecastError
        >>> from linearizer.evaluation.dynamics import verdict
        >>> verdict(ForecastError(0.02, 2.0))
        'It fits: the held-out error is 0.02, that of the trivial forecast 1.'
        >>> verdict(ForecastError(0.9, 2.0)).partition(":")[0]
        'It does not fit'
    """
    if error is None:
        return f"It does not fit: held-out forecasts grow beyond all numbers. {CURE}"
    trivial = min(1.0, error.persistence)
    found = (
        f"the held-out error is {error.forecast:.2g}, that of the trivial forecast {trivial:.2g}."
    )
    if not error.forecast < HARDLY * trivial:
        return f"It does not fit: {found} {CURE}"
    return f"It fits{'' if error.forecast < WELL * trivial else ' in part'}: {found}"


def modes_table(model: LinearDynamics) -> Table:
    """Rates, half-lives, frequencies and periods, the slowest decay first; pairs in one row."""
    found = model.modes()
    rows = []
    i = 0
    while i < len(found.rates):
        is_pair = float(found.frequencies[i]) > 0
        rate, frequency = float(found.rates[i]), float(found.frequencies[i])
        rows.append(
            [
                f"{i + 1}, {i + 2}" if is_pair else f"{i + 1}",
                f"{rate:.4g}",
                f"{math.log(2) / -rate:.4g}" if rate < 0 else "-",
                f"{frequency:.4g}" if is_pair else "-",
                f"{1 / frequency:.4g}" if is_pair else "-",
            ]
        )
        i += 1 + is_pair
    return Table(["mode", "rate", "half-life", "frequency", "period"], rows)


def stability(model: LinearDynamics) -> str:
    """The equilibrium, and whether all comes there, in one sentence."""
    place = ", ".join(f"{x:.4g}" for x in _equilibrium(model).tolist())
    if model.is_stable:
        return f"Every point comes to the equilibrium ({place})."
    rate = float(model.modes().rates[0])
    how = "grows without bound" if rate > 0 else "neither grows nor decays"
    return f"The equilibrium is ({place}); what moves by mode 1 {how}."


@torch.no_grad()
def _equilibrium(model: LinearDynamics) -> Tensor:
    """The equilibrium without the digits that rounding made, against the size of latents."""
    place = model.equilibrium()
    around = model.decode(torch.eye(model.n).to(model.generator.to_dense())) - place
    unit = 1e-5 * around.abs().amax(0).clamp_min(torch.finfo(place.dtype).tiny)
    return (place / unit).round() * unit + 0.0  # no -0
