"""A feedback that is better than a given one, from the dynamics that the given one makes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from linearizer.applications.linear_dynamics.model import LinearDynamics
from linearizer.errors import RangeError, ShapeError

FORGOTTEN = 8.0
"""Decay times of the slowest mode after which no cost is left: `e⁻¹⁶` of it."""
PANELS, NODES = 8, 8
"""Of the quadrature in time: geometric panels, and Gauss-Legendre nodes in each."""
SHORTEST = 0.03
"""The first panel, as a share of the whole."""

Feedback = Callable[[Tensor], Tensor]


class ImprovedFeedback:
    """The feedback `u = -½ R⁻¹ Bᵀ ∇V(x)`, V the cost of following another one from x on.

    Trained on the true system under a feedback u₀, linear dynamics forecast what u₀ will cost,
    `V(x) = ∫₀^∞ (x(t) - x*)ᵀ Q (x(t) - x*) + u₀ᵀ R u₀ dt`, without a solver and with a gradient.
    For inputs that act as `dx/dt = f(x) + B u` the feedback above then costs at most V(x) from
    any x: one step of policy iteration. It is as near to that as V and its gradient are.
    Source: Beard, Saridis, Wen, "Galerkin approximations of the generalized
    Hamilton-Jacobi-Bellman equation", 1997.

    Args:
        closed_loop: Stable dynamics, of trajectories under u₀; their equilibrium x* is the goal.
        feedback: u₀, from points (*batch, d) to inputs (*batch, m); differentiable.
        inputs: B, (d, m), in points.
        point_cost: Q, (d, d), symmetric positive semi-definite.
        input_cost: R, (m, m), symmetric positive definite.

    Raises:
        RangeError: If the dynamics are not stable, or have delays.
        ShapeError: If a matrix has another size.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications.linear_dynamics import ImprovedFeedback
        >>> A, B, K = -torch.eye(2), torch.tensor([[0.], [1.]]), torch.tensor([[0., 1.]])
        >>> loop = lz.LinearDynamics(lz.Identity(2), lz.flows.FreeGenerator(A - B @ K))
        >>> better = ImprovedFeedback(loop, lambda x: -x @ K.mT, B, torch.eye(2), torch.eye(1))
        >>> x = torch.tensor([0., 1.])
        >>> better.cost(x), better.input(x)
        (tensor(0.5), tensor([-0.5]))
    """

    def __init__(
        self,
        closed_loop: LinearDynamics,
        feedback: Feedback,
        inputs: Tensor,
        point_cost: Tensor,
        input_cost: Tensor,
    ) -> None:
        d, m = closed_loop.dim, inputs.shape[-1]
        for matrix, shape, what in (
            (inputs, (d, m), "inputs"),
            (point_cost, (d, d), "a cost of points"),
            (input_cost, (m, m), "a cost of inputs"),
        ):
            if matrix.shape != shape:
                raise ShapeError(f"expected {what} {shape}, got {tuple(matrix.shape)}")
        if closed_loop.delays:
            raise RangeError(
                "expected dynamics without delays, whose state an input pushes, got "
                f"{closed_loop.delays}; use all coordinates, or padding"
            )
        slowest = float(closed_loop.modes().rates[0])
        if slowest >= 0:
            raise RangeError(
                f"expected stable dynamics, got a rate of {slowest:.3g}; the cost of others has no "
                "end, so train with a StableGenerator on a feedback that comes to the goal"
            )
        self.closed_loop, self.feedback = closed_loop, feedback
        self.inputs, self.point_cost, self.input_cost = inputs, point_cost, input_cost
        times, weights = _quadrature(-FORGOTTEN / slowest)
        with torch.no_grad():
            self.propagators = closed_loop.generator.propagators(times.to(inputs.device))
        self.weights = weights.to(self.propagators)
        self.rest = closed_loop.equilibrium()

    def cost(self, x: Tensor) -> Tensor:
        """V (*batch), the cost of following u₀ from points (*batch, d) on."""
        z = self.closed_loop.encode(x).unsqueeze(-2).unsqueeze(-1)
        path = self.closed_loop.decode((self.propagators @ z).squeeze(-1))
        away, u = path - self.rest, self.feedback(path)
        rates = ((away @ self.point_cost) * away).sum(-1) + ((u @ self.input_cost) * u).sum(-1)
        return rates @ self.weights

    def input(self, x: Tensor) -> Tensor:
        """u (*batch, m) at points (*batch, d)."""
        with torch.enable_grad():
            point = x.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.cost(point).sum(), point)
        return -(slope @ self.inputs @ torch.linalg.inv(self.input_cost)) / 2  # R is symmetric


def _quadrature(horizon: float) -> tuple[Tensor, Tensor]:
    """Times and weights that integrate smooth functions from 0 to a horizon, denser at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.concatenate([[0.0], np.geomspace(SHORTEST, 1.0, PANELS)]) * horizon
    middles, halves = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    times = (middles[:, None] + halves[:, None] * nodes).flatten()
    return torch.from_numpy(times), torch.from_numpy((halves[:, None] * weights).flatten())
