"""Other ways to model trajectories: libraries, where they are installed, and a neural ODE.

`pip install -r benchmarks/dynamics-peers.txt` brings the libraries. Those with a fixed time step
get all trajectories interpolated at one step, and their forecasts are interpolated back.
"""

import importlib.metadata
import sys
import time
import types
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import linearizer as lz

CENTERS = 100
RIDGE = 1e-6


class Peer(NamedTuple):
    """A model of trajectories.

    Attributes:
        eigenvalues: Of continuous time; None where a method has none.
        path: Points (T, d) at times (T,) from a start (d,).
    """

    eigenvalues: np.ndarray | None
    path: Callable[[Tensor, Tensor], Tensor]


Fit = Callable[[Sequence[Tensor], Sequence[Tensor]], Peer]


def closed_form(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """Ours without a g: L in closed form on the points themselves."""
    g = lz.Identity(points[0].shape[1])
    model = lz.LinearDynamics.fit(g, points, times, equilibrium="fit")
    return Peer(model.modes().eigenvalues.numpy(), model.forecast)


def mean_of_all(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """The mean of the trajectories at each time, wherever one starts."""

    def path(_: Tensor, wanted: Tensor) -> Tensor:
        paths = [_interpolated(t, x, wanted) for t, x in zip(times, points, strict=True)]
        return torch.stack(paths).mean(0)

    return Peer(None, path)


def pydmd(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """Exact DMD of all pairs of rows."""
    from pydmd import DMD  # noqa: PLC0415  (optional)

    before, after, step = _pairs(points, times)
    fitted = DMD(svd_rank=-1, exact=True).fit(before.T, after.T)
    modes, values = fitted.modes, np.log(fitted.eigs.astype(complex)) / step

    def path(start: Tensor, wanted: Tensor) -> Tensor:
        weights = np.linalg.pinv(modes) @ start.numpy()
        made = modes @ (np.exp(np.outer(values, wanted.numpy())) * weights[:, None])
        return torch.from_numpy(made.real.T.copy())

    return Peer(values, path)


def koopman_polynomials(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """EDMD of pykoopman with all products of up to three coordinates.

    As observables of its own class for functions: that of polynomials needs an older scikit-learn.
    """
    pk = _pykoopman()
    products = [lambda x, y: x * y, lambda x, y, z: x * y * z]
    monomials = pk.observables.CustomObservables(products, interaction_only=False)
    return _koopman(pk, monomials, points, times)


def koopman_rbf(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """EDMD of pykoopman with Gaussian bells as wide as the data, at random points of them."""
    pk = _pykoopman()
    before, _, _ = _pairs(points, times)
    before = before / np.abs(before).max()  # as the pairs are
    random = np.random.default_rng(0)
    centers = before[random.choice(len(before), min(CENTERS, len(before)), replace=False)].T
    bells = pk.observables.RadialBasisFunction(
        rbf_type="gauss",
        n_centers=centers.shape[1],
        centers=centers,
        kernel_width=float(1 / before.std()),
        include_state=True,
    )
    return _koopman(pk, bells, points, times)


def kooplearn_kernel(points: Sequence[Tensor], times: Sequence[Tensor]) -> Peer:
    """Reduced-rank kernel regression of kooplearn, with a Gaussian kernel as wide as the data."""
    from kooplearn.kernel import KernelRidge  # noqa: PLC0415  (optional)

    before, after, step = _pairs(points, times)
    fitted = KernelRidge(
        n_components=min(CENTERS // 2, len(before) - 1),
        lag_time=len(before),  # so that row i of the first half is followed by that of the second
        kernel="rbf",
        gamma=float(1 / (2 * before.var())),
        alpha=RIDGE,
        eigen_solver="dense",
    ).fit(np.concatenate([before, after]))
    values = np.asarray(fitted.eig(), dtype=complex)
    with np.errstate(divide="ignore"):
        values = np.log(values[np.abs(values) > 1e-6]) / step

    def path(start: Tensor, wanted: Tensor) -> Tensor:
        count = int(np.ceil(float(wanted.max()) / step)) + 1
        every = max(1, count // 100)
        chosen = np.arange(0, count + every, every)
        made = [start.numpy()] + [
            fitted.predict(start.numpy()[None], n_steps=int(k))[0] for k in chosen[1:]
        ]
        grid = torch.from_numpy(step * chosen)
        return _interpolated(grid, torch.from_numpy(np.real(np.stack(made))), wanted)

    return Peer(values, path)


def neural_ode(
    points: Sequence[Tensor],
    times: Sequence[Tensor],
    held: Sequence[int],
    *,
    seconds: float,
    parameters: int,
) -> Peer:
    """`dx/dt = f(x)`, f a perceptron, trained through the steps of a solver (torchdiffeq).

    Adam on whole trajectories at 34 equal times each, its rate decaying over the time that it
    gets; the weights that forecast the held-out trajectories best are kept.

    Args:
        points: (T_i, d) of each trajectory.
        times: (T_i,) of each.
        held: Trajectories that are held out.
        seconds: Of the processor.
        parameters: About how many f has.
    """
    from torchdiffeq import odeint  # noqa: PLC0415  (optional)

    d = points[0].shape[1]
    width = int((-(2 * d + 2) + ((2 * d + 2) ** 2 + 4 * parameters) ** 0.5) / 2)
    torch.manual_seed(0)
    f = nn.Sequential(
        *(nn.Linear(d, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, d))
    )
    rows = torch.cat([*points]).float()
    center, scale = rows.mean(0), rows.std(0)
    durations = torch.stack([t[-1] - t[0] for t in times]).float()
    unit, clock = durations.mean(), torch.linspace(0, 1, 34)
    grids = [_interpolated(t, x, t[0] + clock.double() * (t[-1] - t[0])).float()
             for t, x in zip(times, points, strict=True)]  # fmt: skip
    paths = (torch.stack(grids, 1) - center) / scale
    speed = (durations / unit)[:, None]
    training = [i for i in range(len(points)) if i not in held]

    def error(chosen: Sequence[int]) -> Tensor:
        i = torch.tensor([*chosen])
        made = odeint(lambda _, y: speed[i] * f(y), paths[0, i], clock, method="rk4")
        return (made - paths[:, i]).square().mean()

    adam, began, step = torch.optim.Adam(f.parameters(), 3e-3), time.process_time(), 0
    best, least = {k: v.clone() for k, v in f.state_dict().items()}, float("inf")
    while (share := (time.process_time() - began) / seconds) < 1:
        adam.param_groups[0]["lr"] = 3e-3 * 0.5 * (1 + np.cos(np.pi * share))
        adam.zero_grad()
        error(training).backward()
        nn.utils.clip_grad_norm_(f.parameters(), 1.0)
        adam.step()
        step += 1
        if step % 10 == 0:
            with torch.no_grad():
                found = float(error(held))
            if found < least:
                best, least = {k: v.clone() for k, v in f.state_dict().items()}, found
    f.load_state_dict(best)
    f.requires_grad_(False)

    def path(start: Tensor, wanted: Tensor) -> Tensor:
        begin = (start.float() - center) / scale
        clock = torch.cat([torch.zeros(1), wanted.float()[wanted > 0] / unit])
        with torch.no_grad():
            made = odeint(
                lambda _, y: f(y), begin, clock, method="rk4", options={"step_size": 1 / 100}
            )
        return (made[len(clock) - len(wanted) :] * scale + center).movedim(0, -2).to(start.dtype)

    return Peer(None, path)


def libraries() -> dict[str, Fit]:
    """Those that can be imported, by their names and versions."""
    found: dict[str, Fit] = {}
    for package, name, fit in (
        ("pydmd", "PyDMD {}, exact DMD", pydmd),
        ("pykoopman", "pykoopman {}, polynomials", koopman_polynomials),
        ("pykoopman", "pykoopman {}, RBF", koopman_rbf),
        ("kooplearn", "kooplearn {}, kernel", kooplearn_kernel),
    ):
        try:
            found[name.format(importlib.metadata.version(package))] = fit
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _koopman(
    pk: types.ModuleType, observables: object, points: Sequence[Tensor], times: Sequence[Tensor]
) -> Peer:
    before, after, step = _pairs(points, times)
    size = np.abs(before).max()
    before, after = before / size, after / size  # so that powers are numbers of one size
    fitted = pk.Koopman(observables=observables, regressor=pk.regression.EDMD())
    fitted.fit(before, after, dt=step)

    def path(start: Tensor, wanted: Tensor) -> Tensor:
        count = int(np.ceil(float(wanted.max()) / step)) + 1
        made = np.real(fitted.simulate(start.double().numpy() / size, n_steps=count))
        rows = torch.from_numpy(
            np.concatenate([start.double().numpy()[None], size * made.reshape(count, -1)])
        )
        return _interpolated(step * torch.arange(count + 1).double(), rows, wanted)

    return Peer(np.asarray(fitted.continuous_lamda_array), path)


def _pykoopman() -> types.ModuleType:
    """The package; it looks up its own version by a module that setuptools no longer has."""
    if "pkg_resources" not in sys.modules:
        stand_in = types.ModuleType("pkg_resources")
        stand_in.DistributionNotFound = importlib.metadata.PackageNotFoundError  # type: ignore[attr-defined]
        stand_in.get_distribution = importlib.metadata.distribution  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = stand_in
    import pykoopman  # noqa: PLC0415  (optional)

    return pykoopman


def _pairs(
    points: Sequence[Tensor], times: Sequence[Tensor]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows and those one step later, of trajectories at one step: the mean one of the data."""
    step = float(torch.cat([t.diff() for t in times]).mean())
    before, after = [], []
    for x, t in zip(points, times, strict=True):
        grid = torch.arange(0, float(t[-1] - t[0]) + step / 2, step, dtype=torch.float64)
        rows = _interpolated(t - t[0], x, grid).double().numpy()
        before.append(rows[:-1])
        after.append(rows[1:])
    return np.concatenate(before), np.concatenate(after), step


def _interpolated(t: Tensor, x: Tensor, wanted: Tensor) -> Tensor:
    """Rows (T, d) at times, linearly between those at t; the last ones beyond."""
    columns = [np.interp(wanted.numpy(), t.numpy(), column) for column in x.double().numpy().T]
    return torch.from_numpy(np.stack(columns, 1)).to(x.dtype)
