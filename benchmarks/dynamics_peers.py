"""Other libraries of linear dynamics, where they are installed: `dynamics-peers.txt` lists them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import linearizer as lz


class Peer(NamedTuple):
    """What a peer finds: eigenvalues of continuous time, and forecasts at multiples of a step."""

    eigenvalues: np.ndarray
    forecast: Callable[[Tensor, int], Tensor]


def closed_form(points: Sequence[Tensor], step: float) -> Peer:
    """Ours without a g: L in closed form on the points themselves."""
    times = [step * torch.arange(len(x), dtype=x.dtype) for x in points]
    model = lz.LinearDynamics.fit(lz.Identity(points[0].shape[1]), points, times)

    def forecast(start: Tensor, steps: int) -> Tensor:
        return model.forecast(start, step * torch.arange(steps, dtype=start.dtype))

    return Peer(model.modes().eigenvalues.numpy(), forecast)


def pydmd(points: Sequence[Tensor], step: float) -> Peer:
    """Exact DMD of all pairs of rows."""
    from pydmd import DMD  # noqa: PLC0415  (optional)

    before = np.concatenate([x[:-1].numpy() for x in points]).T
    after = np.concatenate([x[1:].numpy() for x in points]).T
    fitted = DMD(svd_rank=-1, exact=True).fit(before, after)
    modes, values = fitted.modes, np.log(fitted.eigs.astype(complex)) / step

    def forecast(start: Tensor, steps: int) -> Tensor:
        weights = np.linalg.pinv(modes) @ start.numpy()
        path = modes @ (np.exp(np.outer(values, step * np.arange(steps))) * weights[:, None])
        return torch.from_numpy(path.real.T.copy())

    return Peer(values, forecast)


def pykoopman(points: Sequence[Tensor], step: float) -> Peer:
    """EDMD with polynomials up to degree 3."""
    import pykoopman as pk  # noqa: PLC0415  (optional)

    fitted = pk.Koopman(
        observables=pk.observables.Polynomial(degree=3), regressor=pk.regression.EDMD()
    )
    before = np.concatenate([x[:-1].numpy() for x in points])
    fitted.fit(before, np.concatenate([x[1:].numpy() for x in points]), dt=step)

    def forecast(start: Tensor, steps: int) -> Tensor:
        path = fitted.simulate(start.numpy()[None], n_steps=steps - 1)
        return torch.cat([start[None], torch.from_numpy(np.real(path)).to(start)])

    return Peer(np.asarray(fitted.continuous_lamda_array), forecast)


def peers() -> dict[str, Callable[[Sequence[Tensor], float], Peer]]:
    """Those that can be imported, by name."""
    found: dict[str, Callable[[Sequence[Tensor], float], Peer]] = {"L alone, no g": closed_form}
    for name, make in (("PyDMD", pydmd), ("pykoopman, polynomials", pykoopman)):
        try:
            __import__(make.__name__)
        except ImportError:
            continue
        found[name] = make
    return found
