"""Systems for `dynamics.py`: handwriting, systems that are conjugate to linear ones, and others."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.io import loadmat
from torch import Tensor

from linearizer.bijections import Bijection
from linearizer.presets import vector_bijection
from linearizer.testing import perturb_

EVERY = 10
"""Of the thousand rows of a demonstration."""


def handwriting(folder: Path, shape: str, *, velocity: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Seven demonstrations of a shape of the LASA data set, which end at the origin."""
    points, times = [], []
    for cell in loadmat(folder / f"{shape}.mat")["demos"][0]:
        one = cell[0, 0]
        rows = np.concatenate([one["pos"], one["vel"]] if velocity else [one["pos"]])
        points.append(torch.from_numpy(rows.T[::EVERY].copy()).float())
        times.append(torch.from_numpy(one["t"][0][::EVERY].copy()).double())
    return points, times


@dataclass(frozen=True)
class Planted:
    """A system that is `dz/dt = L z` in coordinates z that are known.

    Attributes:
        name: What it is.
        L: (n, n).
        decode: The points of z (N, n).
    """

    name: str
    L: Tensor
    decode: Callable[[Tensor], Tensor]

    def trajectory(self, z: Tensor, times: Tensor) -> Tensor:
        """Points (T, n), exact."""
        E = torch.linalg.matrix_exp(times[:, None, None] * self.L)
        return self.decode(E @ z)


def planted() -> list[Planted]:
    """A slow manifold, an oscillator that is bent, and a random bijection of a random stable L."""

    def bent(z: Tensor, bend: float) -> Tensor:
        return torch.stack([z[:, 0], z[:, 1] + bend * z[:, 0] ** 2], 1)

    turning = torch.tensor([[-0.2, -2.0], [2.0, -0.2]]).double()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        g: Bijection = perturb_(vector_bijection(3, depth=4, width=16), 0.3).double()
        g.requires_grad_(False)
        P, K = torch.randn(2, 3, 3).double()
    stable = -(0.3 * P @ P.mT + 0.1 * torch.eye(3)) + K - K.mT
    return [
        Planted(
            "slow manifold", torch.diag(torch.tensor([-1.0, -3.0]).double()), lambda z: bent(z, -3)
        ),
        Planted("bent oscillator", turning, lambda z: bent(z, 0.5)),
        Planted("random g and L", stable, g.inverse),
    ]


def lorenz(_: float, x: np.ndarray) -> np.ndarray:
    """Chaos."""
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def double_well(_: float, x: np.ndarray) -> np.ndarray:
    """Two attractors."""
    return np.array([x[1], x[0] - x[0] ** 3 - 0.3 * x[1]])


def solved(
    field: Callable[[float, np.ndarray], np.ndarray],
    start: np.ndarray,
    times: np.ndarray,
    tolerance: float = 1e-9,
) -> Tensor:
    """Points (T, d) of a trajectory by SciPy."""
    span = times[0], times[-1]
    found = solve_ivp(field, span, start, t_eval=times, rtol=tolerance, atol=tolerance)
    return torch.from_numpy(found.y.T.copy())
