"""Optimal control through g, in a loop with the true plant, beside its plain linearization."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_are
from torch import Tensor

from linearizer.applications.linear_dynamics import ControlledDynamics
from linearizer.display.tables import Page, Table
from linearizer.training import DynamicsConfig, train_dynamics

LENGTH = 10.0
COST_OF_INPUT = 0.1
Field = Callable[[np.ndarray, float], np.ndarray]


def van_der_pol(x: np.ndarray, u: float) -> np.ndarray:
    """Pushed away from the origin, onto a cycle."""
    return np.array([x[1], (1 - x[0] ** 2) * x[1] - x[0] + u])


def pendulum(x: np.ndarray, u: float) -> np.ndarray:
    """Its angle from upright, where it falls over."""
    return np.array([x[1], np.sin(x[0]) - 0.1 * x[1] + u])


PLANTS: dict[str, tuple[Field, np.ndarray, np.ndarray]] = {
    "van der Pol": (van_der_pol, np.array([1.5, 0.0]), np.array([[0.0, 1.0], [-1.0, 1.0]])),
    "pendulum, from 60°": (
        pendulum,
        np.array([np.pi / 3, 0.0]),
        np.array([[0.0, 1.0], [1.0, -0.1]]),
    ),
}
"""The plant, where it starts, and its Jacobian at the equilibrium, the origin."""


def section(minutes: float) -> Page:
    """The cost `∫ |x|² + 0.1 u² dt` of both regulators on each plant."""
    rows = []
    for name, (field, start, jacobian) in PLANTS.items():
        plain = cost(field, start, by_linearization(jacobian))
        ours = cost(field, start, through_g(field, minutes))
        rows.append(
            [name, f"{ours[0]:.4g}", f"{plain[0]:.4g}", f"{ours[1]:.2g}", f"{plain[1]:.2g}"]
        )
    columns = ["plant", "cost through g", "cost by linearization"]
    return [
        f"The cost is `∫ |x|² + {COST_OF_INPUT} u² dt` over {LENGTH:g} units of time, of the true "
        "plant simulated by SciPy; the last two columns are how far from the goal it ends.",
        Table([*columns, "end through g", "end by linearization"], rows),
    ]


def by_linearization(jacobian: np.ndarray) -> Callable[[np.ndarray], float]:
    """The regulator of the linearization at the goal."""
    B = np.array([[0.0], [1.0]])
    P = solve_continuous_are(jacobian, B, np.eye(2), COST_OF_INPUT * np.eye(1))
    K = B.T @ P / COST_OF_INPUT
    return lambda x: float(-(K @ x)[0])


def through_g(field: Field, minutes: float) -> Callable[[np.ndarray], float]:
    """The regulator of dynamics that are trained on short runs without and with inputs."""
    random = np.random.default_rng(0)
    t = np.linspace(0, 1.5, 16)
    free = [path(field, random.uniform(-1.5, 1.5, 2), t, np.zeros(16)) for _ in range(40)]
    clock = torch.from_numpy(t)
    dynamics = train_dynamics(
        free, clock, DynamicsConfig(kind="free"), goal=torch.zeros(2).double(), max_minutes=minutes
    )
    inputs = [random.uniform(-2, 2, 16) for _ in range(40)]
    driven = [path(field, random.uniform(-1.5, 1.5, 2), t, u) for u in inputs]
    columns = [torch.from_numpy(u)[:, None] for u in inputs]
    model = ControlledDynamics.fit(dynamics, driven, clock, columns)
    regulator = model.regulator(torch.eye(2).double(), COST_OF_INPUT * torch.eye(1).double())
    return lambda x: float(regulator.input(torch.from_numpy(x)).detach()[0])


def path(field: Field, start: np.ndarray, t: np.ndarray, inputs: np.ndarray) -> Tensor:
    """Points (T, 2), the input constant between two times."""
    points = [start]
    for i, u in enumerate(inputs[:-1]):
        found = solve_ivp(lambda _, x, u=u: field(x, u), t[i : i + 2], points[-1], rtol=1e-8)
        points.append(found.y[:, -1])
    return torch.from_numpy(np.stack(points))


def cost(
    field: Field, start: np.ndarray, feedback: Callable[[np.ndarray], float]
) -> tuple[float, float]:
    """The cost of a closed loop, and how far from the goal it ends."""

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        x = state[:2]
        u = feedback(x)
        return np.array([*field(x, u), x @ x + COST_OF_INPUT * u * u])

    found = solve_ivp(slope, (0, LENGTH), [*start, 0.0], rtol=1e-6, atol=1e-8)
    return float(found.y[2, -1]), float(np.linalg.norm(found.y[:2, -1]))
