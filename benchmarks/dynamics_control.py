"""Optimal control through g, in a loop with the true plant, beside its plain linearization."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_are
from torch import Tensor

from linearizer.applications.linear_dynamics import ControlledDynamics, ImprovedFeedback
from linearizer.display.tables import Page, Table
from linearizer.training import DynamicsConfig, train_dynamics

LENGTH = 12.0
COSTS_OF_INPUT = (0.1, 1.0, 10.0)
RUNS = 40
Field = Callable[[np.ndarray, float], np.ndarray]
Feedback = Callable[[np.ndarray], float]
B = np.array([[0.0], [1.0]])


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


def section(config: DynamicsConfig) -> Page:
    """The cost `∫ |x|² + r u² dt` of each feedback on each plant, for inputs of several prices."""
    rows = []
    for name, (field, start, jacobian) in PLANTS.items():
        model = driven(field, config)
        for price in COSTS_OF_INPUT:
            gain = riccati(jacobian, price)
            feedbacks: dict[str, Feedback] = {
                "plain": lambda x, K=gain: float(-(K @ x)),
                "g": regulator(model, price),
                "improved": improved(field, gain, price, config),
            }
            found = {key: cost(field, start, price, u) for key, u in feedbacks.items()}
            least = optimum(field, start, price, gain)
            row = [name, f"{price:g}", *(f"{found[key][0]:.4f}" for key in found), f"{least:.4f}"]
            rows.append([*row, *(f"{found[key][1]:.1g}" for key in found)])
            print("control:", rows[-1], flush=True)
    columns = ["linearization", "through g", "improved through g"]
    return [
        f"The cost is `∫ |x|² + r u² dt` over {LENGTH:g} units of time, of the true plant "
        "simulated by SciPy. *Linearization* is LQR on the true Jacobian at the goal; *through g* "
        "is LQR on the latents of dynamics that were trained without inputs, with a constant B "
        "fitted to runs with random ones; *improved* is `ImprovedFeedback`: g is trained on runs "
        "under the plain LQR, its exact forecasts say what that costs from anywhere, and the "
        "gradient of this cost is the better feedback. *Least* is the best input signal that "
        "direct optimization on the true plant finds, which no feedback can beat. The last columns "
        "are how far from the goal each loop ends.",
        Table(["plant", "r", *columns, "least", *(f"end, {name}" for name in columns)], rows),
    ]


def riccati(jacobian: np.ndarray, price: float) -> np.ndarray:
    """The gain (2,) of the linearization at the goal."""
    P = solve_continuous_are(jacobian, B, np.eye(2), price * np.eye(1))
    gain: np.ndarray = (B.T @ P / price)[0]
    return gain


def driven(field: Field, config: DynamicsConfig) -> ControlledDynamics:
    """Dynamics that are trained on short runs without inputs, and B of runs with some."""
    random = np.random.default_rng(0)
    t = np.linspace(0, 1.5, 16)
    free = [path(field, random.uniform(-1.5, 1.5, 2), t, np.zeros(16)) for _ in range(RUNS)]
    clock = torch.from_numpy(t)
    dynamics = train_dynamics(
        free, clock, DynamicsConfig(kind="free", steps=config.steps, polish=config.polish),
        goal=torch.zeros(2).double(),
    )  # fmt: skip
    inputs = [random.uniform(-2, 2, 16) for _ in range(RUNS)]
    runs = [path(field, random.uniform(-1.5, 1.5, 2), t, u) for u in inputs]
    columns = [torch.from_numpy(u)[:, None] for u in inputs]
    return ControlledDynamics.fit(dynamics, runs, clock, columns)


def regulator(model: ControlledDynamics, price: float) -> Feedback:
    """LQR of the latents."""
    found = model.regulator(torch.eye(2).double(), price * torch.eye(1).double())
    return lambda x: float(found.input(torch.from_numpy(x)).detach()[0])


def improved(field: Field, gain: np.ndarray, price: float, config: DynamicsConfig) -> Feedback:
    """The plain feedback, improved by dynamics of runs under it, half of them near the goal."""
    random = np.random.default_rng(0)
    t = np.concatenate([[0.0], np.geomspace(0.05, 6, 25)])
    starts = [random.uniform(-2, 2, 2) * (0.3 if i % 2 else 1) for i in range(RUNS)]
    runs = []
    for x0 in starts:
        found = solve_ivp(
            lambda _, x: field(x, -gain @ x), (0, t[-1]), x0, t_eval=t, rtol=1e-9, atol=1e-10
        )
        runs.append(torch.from_numpy(found.y.T.copy()))
    loop = train_dynamics(runs, torch.from_numpy(t), config, goal=torch.zeros(2).double())
    K = torch.from_numpy(gain)[None]
    better = ImprovedFeedback(
        loop.requires_grad_(False),
        lambda x: -x @ K.mT,
        torch.from_numpy(B),
        torch.eye(2).double(),
        price * torch.eye(1).double(),
    )
    return lambda x: float(better.input(torch.from_numpy(np.ascontiguousarray(x)))[0])


def path(field: Field, start: np.ndarray, t: np.ndarray, inputs: np.ndarray) -> Tensor:
    """Points (T, 2), the input constant between two times."""
    points = [start]
    for i, u in enumerate(inputs[:-1]):
        found = solve_ivp(lambda _, x, u=u: field(x, u), t[i : i + 2], points[-1], rtol=1e-8)
        points.append(found.y[:, -1])
    return torch.from_numpy(np.stack(points))


def cost(field: Field, start: np.ndarray, price: float, feedback: Feedback) -> tuple[float, float]:
    """The cost of a closed loop, and how far from the goal it ends."""

    def slope(_: float, state: np.ndarray) -> np.ndarray:
        x = state[:2]
        u = feedback(x)
        return np.array([*field(x, u), x @ x + price * u * u])

    found = solve_ivp(slope, (0, LENGTH), [*start, 0.0], rtol=1e-6, atol=1e-8)
    return float(found.y[2, -1]), float(np.linalg.norm(found.y[:2, -1]))


def optimum(
    field: Field, start: np.ndarray, price: float, gain: np.ndarray, steps: int = 120
) -> float:
    """The least cost of any input signal, as a correction of the plain feedback: RK4, L-BFGS."""
    h, K = LENGTH / steps, torch.from_numpy(gain)
    extra = torch.zeros(steps, dtype=torch.float64, requires_grad=True)

    def slope(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        u = v - K @ x
        return _tensor_field(field, x, u), x @ x + price * u * u

    def total() -> Tensor:
        x, spent = torch.from_numpy(start), torch.zeros((), dtype=torch.float64)
        for v in extra:
            k1, c1 = slope(x, v)
            k2, c2 = slope(x + h / 2 * k1, v)
            k3, c3 = slope(x + h / 2 * k2, v)
            k4, c4 = slope(x + h * k3, v)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            spent = spent + h / 6 * (c1 + 2 * c2 + 2 * c3 + c4)
        return spent

    search = torch.optim.LBFGS([extra], max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        loss = total()
        loss.backward()
        return loss

    search.step(closure)
    return float(total().detach())


def _tensor_field(field: Field, x: Tensor, u: Tensor) -> Tensor:
    """The plants again, on tensors."""
    if field is van_der_pol:
        return torch.stack([x[1], (1 - x[0] ** 2) * x[1] - x[0] + u])
    return torch.stack([x[1], torch.sin(x[0]) - 0.1 * x[1] + u])
