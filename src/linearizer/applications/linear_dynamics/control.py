"""Linear dynamics with inputs, `dz/dt = L z + B u`: their fit, simulation and optimal control."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from linearizer._checks import check_alike, check_event, check_finite
from linearizer._extras import needs_extra
from linearizer._modes import own_precision
from linearizer.applications.linear_dynamics.model import LinearDynamics
from linearizer.applications.linear_dynamics.trajectories import read_trajectories
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation.latents import latents_of
from linearizer.flows import FreeGenerator
from linearizer.operators.entries import register
from linearizer.saving import Saveable


class Regulator(NamedTuple):
    """The feedback `u = -K g(x)` that brings a system to its equilibrium at the least cost.

    Attributes:
        gain: K, (m, n).
        cost: P, (n, n): from the latent z on, the cost of the linear system is `zᵀ P z`.
        closed_loop: The dynamics with this feedback, `dz/dt = (L - B K) z`.
    """

    gain: Tensor
    cost: Tensor
    closed_loop: LinearDynamics

    def input(self, x: Tensor) -> Tensor:
        """u (*batch, m) at points (*batch, *point_shape)."""
        return -self.closed_loop.encode(x) @ self.gain.mT


class ControlledDynamics(nn.Module, Saveable):
    """Dynamics with inputs u, linear in the space of g: `dz/dt = L z + B u`, z = g(x).

    In points the inputs act as `J(x)⁻¹ B u`, J the Jacobian of g: along directions that depend on
    x as g says. Where those of the true system depend on it in another way, B is a mean of them.

    Args:
        dynamics: The dynamics without inputs; the equilibrium is to be the goal of control.
        inputs: B, (n, m); trained if it is an `nn.Parameter`.

    Raises:
        ShapeError: If B has not n rows.
        DtypeError: If B has another dtype than the dynamics.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications.linear_dynamics import ControlledDynamics
        >>> L = lz.flows.FreeGenerator(torch.tensor([[0., 1.], [1., 0.]]))     # it falls over
        >>> model = ControlledDynamics(lz.LinearDynamics(lz.Identity(2), L), torch.eye(2)[:, 1:])
        >>> regulator = model.regulator(torch.eye(2), torch.eye(1))
        >>> model.dynamics.is_stable, regulator.closed_loop.is_stable
        (False, True)
    """

    inputs: Tensor

    def __init__(self, dynamics: LinearDynamics, inputs: Tensor) -> None:
        super().__init__()
        if inputs.ndim != 2 or len(inputs) != dynamics.n:
            raise ShapeError(
                f"expected inputs ({dynamics.n}, m) for latents of length {dynamics.n}, got "
                f"{tuple(inputs.shape)}"
            )
        _check_like(inputs, dynamics)
        self.dynamics = dynamics
        register(self, "inputs", inputs)

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        dynamics: LinearDynamics,
        trajectories: Tensor | Sequence[Tensor],
        times: Tensor | Sequence[Tensor],
        inputs: Tensor | Sequence[Tensor],
    ) -> "ControlledDynamics":
        """B for known dynamics, by least squares of what they leave of trajectories with inputs.

        `z(t+h) - e^{Lh} z(t) = Φ(h) B u` with `Φ(h) = ∫₀ʰ e^{Ls} ds`, exact for any step h.

        Args:
            dynamics: Without inputs, of trajectories without them.
            trajectories: (T_i, d) each.
            times: (T_i,) of each, or one for all.
            inputs: (T_i, m) of each: u from each time to the next; the last row is not used.

        Raises:
            ShapeError: If there is not one input for each row.
            RangeError: If the inputs never differ from zero in some direction.
        """
        clocks = [times] * len(trajectories) if isinstance(times, Tensor) else list(times)
        read = read_trajectories(trajectories, clocks, delays=dynamics.delays)
        rows = [u[dynamics.delays :] for u in inputs]
        if [len(u) for u in rows] != [len(x) for x in read.points]:
            raise ShapeError(
                f"expected an input for each row of each trajectory, got {[len(u) for u in inputs]}"
                f" for {[len(x) for x in trajectories]} rows; the last one of each is not used"
            )
        states = [dynamics.lift(x) for x in read.points]
        latents = [latents_of(dynamics.g, x) for x in states]
        steps = torch.cat([t.diff() for t in read.times])
        u = torch.cat([u[:-1] for u in rows]).to(steps)
        check_finite(u, "the inputs")
        if int(torch.linalg.matrix_rank(u)) < u.shape[1]:
            raise RangeError(
                f"expected inputs in {u.shape[1]} directions, got some that are zero or repeat "
                "others; leave those out, or move all of them"
            )
        before, after = (
            torch.cat(z) for z in zip(*((z[:-1], z[1:]) for z in latents), strict=True)
        )
        E, Phi = _steps(dynamics.generator.to_dense(), steps)
        left = after - (E @ before.unsqueeze(-1)).squeeze(-1)
        design = torch.einsum("kij,kl->kijl", Phi, u).flatten(2).flatten(0, 1)  # of B, row by row
        B = torch.linalg.pinv(design.double()) @ left.flatten().double()
        return cls(dynamics, B.to(left).reshape(dynamics.n, -1))

    def simulate(self, x0: Tensor, times: Tensor, inputs: Tensor) -> Tensor:
        """Points at all times, from x0 at the first, with inputs that are constant in between.

        Args:
            x0: (*batch, *point_shape).
            times: (T,), increasing.
            inputs: (*batch, T - 1, m), or (T - 1, m) for all starts.

        Returns:
            (*batch, T, d).

        Raises:
            ShapeError: If there is not one input for each step.
            RangeError: If the times do not increase.
        """
        m = self.inputs.shape[1]
        steps = times.to(self.inputs).diff()
        check_event(inputs, (len(steps), m), "a simulation with inputs")
        if bool((steps <= 0).any()):
            raise RangeError("expected increasing times, got some that do not; sort them")
        z = self.dynamics.encode(x0)
        with own_precision(z.device):
            E, Phi = _steps(self.dynamics.generator.to_dense(), steps)
            pushes = torch.einsum("tij,jm,...tm->...ti", Phi, self.inputs, inputs)
            shape = torch.broadcast_shapes(z.shape, (*pushes.shape[:-2], z.shape[-1]))
            path = [z.expand(shape)]
            for i in range(len(steps)):
                path.append(path[-1] @ E[i].mT + pushes[..., i, :])
            return self.dynamics.decode(torch.stack(path, -2))

    @torch.no_grad()
    def regulator(self, point_cost: Tensor, input_cost: Tensor) -> Regulator:
        """The feedback of least `∫ (x - x*)ᵀ Q (x - x*) + uᵀ R u dt` (LQR).

        With C the Jacobian of g⁻¹ at the equilibrium x*, `Cᵀ Q C` is the cost of latents, exact
        to second order there; it is then optimal for the linear system, however far from x*.

        Args:
            point_cost: Q, (d, d), symmetric positive semi-definite.
            input_cost: R, (m, m), symmetric positive definite.

        Raises:
            ShapeError: If a cost has another size.
            RangeError: If no feedback makes the system stable.
            MissingExtraError: If scipy is not installed.
        """
        n, m, d = *self.inputs.shape, self.dynamics.dim
        for cost, size, what in ((point_cost, d, "points"), (input_cost, m, "inputs")):
            if cost.shape != (size, size):
                raise ShapeError(
                    f"expected a cost ({size}, {size}) of {what}, got {tuple(cost.shape)}"
                )
            _check_like(cost, self.dynamics)
        with needs_extra("scipy", "scipy"):
            from scipy.linalg import solve_continuous_are  # noqa: PLC0415  (an extra)
        L, B = self.dynamics.generator.to_dense(), self.inputs
        C = torch.func.jacfwd(self.dynamics.decode)(L.new_zeros(n))
        matrices = (L, B, C.mT @ point_cost @ C, input_cost)
        a, b, q, r = (M.detach().double().cpu().numpy() for M in matrices)
        try:
            P = torch.from_numpy(solve_continuous_are(a, b, (q + q.T) / 2, r)).to(L)
        except ValueError as error:  # numpy's LinAlgError is one
            raise RangeError(
                f"expected a system that its inputs can make stable, and costs that see what is "
                f"not, got none: {error}; add inputs, or costs"
            ) from error
        K = torch.linalg.solve(input_cost, B.mT @ P)
        g, padding, delays = self.dynamics.g, self.dynamics.padding, self.dynamics.delays
        return Regulator(K, P, LinearDynamics(g, FreeGenerator(L - B @ K), padding, delays))


def _steps(L: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """`e^{Lh}` and `Φ(h) = ∫₀ʰ e^{Ls} ds` of steps (K,): blocks of one exponential (Van Loan)."""
    n = len(L)
    block = torch.cat([torch.cat([L, torch.eye(n).to(L)], 1), L.new_zeros(n, 2 * n)])
    both = torch.linalg.matrix_exp(steps[:, None, None] * block)
    return both[:, :n, :n], both[:, :n, n:]


def _check_like(tensor: Tensor, dynamics: LinearDynamics) -> None:
    check_alike(
        tensor,
        dynamics.generator,
        "expected a matrix, like the dynamics, of",
        "convert it with .to(dtype)",
        "move it with .to(device)",
    )
