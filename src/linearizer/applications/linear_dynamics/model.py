"""Nonlinear dynamics that are linear in the space of a bijection."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linearizer._arrays import Array, takes_arrays
from linearizer._brief import brief
from linearizer._checks import check_between, check_event, check_like, reference
from linearizer._modes import double_dtype, own_precision
from linearizer._random import normal
from linearizer.applications.linear_dynamics import gaussian
from linearizer.applications.linear_dynamics.accuracy import ForecastError, forecast_error
from linearizer.applications.linear_dynamics.fitting import Equilibrium, fitted
from linearizer.applications.linear_dynamics.gaussian import GaussianForecast
from linearizer.applications.linear_dynamics.lyapunov import lyapunov_metric
from linearizer.applications.linear_dynamics.modes import Modes, modes_of
from linearizer.applications.linear_dynamics.pieces import in_pieces
from linearizer.applications.linear_dynamics.trajectories import Missing, read_trajectories
from linearizer.bijections import Bijection
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.flows import FreeGenerator, Generator
from linearizer.linearizer import Linearizer
from linearizer.saving import Saveable

Times = float | Sequence[float] | Tensor | Array


class LinearDynamics(nn.Module, Saveable):
    """A nonlinear system whose flow is `x(t) = g⁻¹(e^{Lt} g(x(0)))`: any time in one step.

    Times may be irregular, or negative. The spectrum of L is that of the nonlinear system, and if
    L is stable, so is every point. What such a system can be: g bends the whole space onto one
    linear system, so that there is one equilibrium (or a linear subspace of them), and no chaos,
    no second attractor and no limit cycle by itself.

    Padding and delays give more room. States are points with zeros appended, `(x, 0)`, or
    histories; g and the flow act on states, and forecasts return the points in them. What stays
    exact: the flow of states is a group, `flow(s) @ flow(t) = flow(s + t)`, its inverse is the way
    back, and at time 0 a forecast is its start. What does not: a forecast drops the entries that
    are padded, or older than its time, and these are zero, or what they were, only as far as
    training made them so. So a forecast of a forecast, or a backcast of one, is exact without
    padding and delays alone; with them carry states on, by `lift`, `flow` and `lower`.

    Args:
        g: Bijection of states (n,) onto vectors (n,).
        generator: L.
        padding: Zeros that are appended to each point.
        delays: k, the earlier rows that a point `(x_{t-k}, ..., x_t)` has, the newest last, at
            the time steps of the data.

    Raises:
        ShapeError: If g and L have different lengths, or n is not that of whole points.
        DtypeError: If g and L differ in dtype.

    Example:
        >>> import torch, linearizer as lz
        >>> L = lz.flows.FreeGenerator(torch.tensor([[-.1, -1.], [1., -.1]]))
        >>> model = lz.LinearDynamics(lz.vector_bijection(2), L)
        >>> start = torch.randn(5, 2)
        >>> model.forecast(start, [0., .3, 10.]).shape
        torch.Size([5, 3, 2])
        >>> later = model.forecast(start, 2.5)
        >>> torch.allclose(model.backcast(later, 2.5), start, atol=1e-4)
        True
    """

    __repr__ = brief

    def __init__(
        self, g: Bijection, generator: Generator, padding: int = 0, delays: int = 0
    ) -> None:
        super().__init__()
        check_between(padding, 0, float("inf"), "the padding")
        check_between(delays, 0, float("inf"), "the number of delays")
        if not g.in_shape == g.out_shape == generator.in_shape:
            raise ShapeError(
                f"expected a bijection of vectors as long as those of the generator, got "
                f"{g.in_shape} -> {g.out_shape} and {generator.in_shape}"
            )
        self.g, self.generator = g, generator
        self.padding, self.delays = padding, delays
        self.n = g.in_shape[0]
        self.dim, rest = divmod(self.n - padding, delays + 1)
        if rest or self.dim < 1:
            raise ShapeError(
                f"expected states of {delays + 1} rows of one length and {padding} zeros, got a "
                f"bijection of {self.n} numbers"
            )
        if (like := reference(g)) is not None:
            check_like(like, reference(generator), "linear dynamics with this generator")

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        g: Bijection,
        trajectories: Tensor | Array | Sequence[Tensor | Array],
        times: Tensor | Array | Sequence[Tensor | Array],
        *,
        padding: int = 0,
        delays: int = 0,
        missing: Missing = "raise",
        equilibrium: Equilibrium = None,
        stable: bool = False,
        refinement: int = 50,
    ) -> "LinearDynamics":
        """The dynamics on a given g, in closed form (see `estimation.fit_generator`).

        Args:
            g: Bijection of states; the zero vector is an equilibrium.
            trajectories: (T_i, d) each, of any lengths.
            times: (T_i,) of each, or one for all; increasing, at any distances.
            padding: As of the class.
            delays: As of the class; the time steps must be equal then.
            missing: Whether rows with NaN are refused ("raise") or left out ("skip").
            equilibrium: A point (d,) that g is shifted to have as its zero vector, or "fit" to
                find it with L; None if g has it there already.
            stable: Raise unless L is stable.
            refinement: Iterations that fit whole trajectories after the closed form.

        Raises:
            RangeError: If times do not increase, or L is not stable and ought to be.
            ShapeError: If the trajectories do not fit g or each other.
            NonFiniteError: If there are NaN that are not to be left out, or infinity.

        Example:
            >>> import torch, linearizer as lz
            >>> t = torch.tensor([0., .1, .3, .35, .8, 1.2])
            >>> x = 3 + torch.stack([torch.exp(-t), torch.exp(-2 * t)], 1)
            >>> model = lz.LinearDynamics.fit(lz.Identity(2), [x], [t], equilibrium="fit")
            >>> model.modes().rates, model.equilibrium()
            (tensor([-1.0, -2.0]), tensor([3.0, 3.0]))
        """
        read = read_trajectories(trajectories, times, delays=delays, missing=missing, module=g)
        like = read.points[0][0]
        stand_in = FreeGenerator(torch.zeros(g.in_shape[0], g.in_shape[0]).to(like))
        shapes = cls(g, stand_in, padding, delays)
        states = [shapes.lift(x) for x in read.points]
        if isinstance(equilibrium, Tensor):
            equilibrium = shapes.lift(equilibrium.expand(shapes.point_shape))
        g, L = fitted(g, states, read.times, equilibrium, refinement)
        model = cls(g, FreeGenerator(L), padding, delays)
        if stable and not model.is_stable:
            raise RangeError(
                f"expected trajectories of a stable system, got a mode that grows or stays, at "
                f"rate {float(model.modes().rates[0]):.3g}; train g with a StableGenerator, or "
                "leave stable=False"
            )
        return model

    # Points, states and latents

    @property
    def point_shape(self) -> tuple[int, ...]:
        """(d,), or (delays + 1, d): what a point to forecast from is."""
        return (self.delays + 1, self.dim) if self.delays else (self.dim,)

    @takes_arrays
    def lift(self, x: Tensor) -> Tensor:
        """The states (*batch, n) of points (*batch, *point_shape): zeros are appended."""
        check_event(x, self.point_shape, self)
        flat = x.flatten(-2) if self.delays else x
        return torch.cat([flat, flat.new_zeros(*flat.shape[:-1], self.padding)], -1)

    def lower(self, state: Tensor) -> Tensor:
        """The rows (*batch, d) of states (*batch, n), the newest of a history."""
        check_event(state, (self.n,), self)
        end = self.n - self.padding
        return state[..., end - self.dim : end]

    @takes_arrays
    def encode(self, x: Tensor) -> Tensor:
        """The latents `g(x)` (*batch, n) of points (*batch, *point_shape)."""
        z: Tensor = self.g(self.lift(x))
        return z

    @takes_arrays
    def decode(self, z: Tensor) -> Tensor:
        """The rows (*batch, d) of latents (*batch, n)."""
        return self.lower(in_pieces(self.g.inverse, z))

    # Time

    @takes_arrays
    def forecast(self, x0: Tensor, times: Times) -> Tensor:
        """The points at times after x0, or before it where a time is negative.

        Args:
            x0: (*batch, *point_shape), each at time 0.
            times: One number, or (T,) for all starts, or (*batch, T) for each its own.

        Returns:
            (*batch, d) for one number, else (*batch, T, d).

        Raises:
            ShapeError: If the times do not fit the starts.
            NonFiniteError: If a time or a start is NaN, or a point lies beyond all numbers.
        """
        z = self.encode(x0)
        t = self._times(times, z)
        with own_precision(z.device):
            x = self.decode(self.advance(z, t))
        if not x.is_meta and not bool(x.isfinite().all()):
            raise NonFiniteError(
                f"expected finite forecasts, got NaN or infinity at times from "
                f"{float(t.min()):g} to {float(t.max()):g}; what decays grows without bound "
                "backwards, so shorten the times, compute in float64, or check the starts for NaN"
            )
        return x

    @takes_arrays
    def backcast(self, x: Tensor, times: Times) -> Tensor:
        """The points at times before x: `forecast(x, -times)`."""
        wide = double_dtype(x.device)
        return self.forecast(x, -torch.as_tensor(times, dtype=wide, device=x.device))

    def advance(self, z: Tensor, times: Tensor) -> Tensor:
        """`e^{Lt} z` for latents (*batch, n) and times (), (T,) or (*batch, T), unchecked."""
        n = self.n
        if times.ndim <= 1:  # all starts in one product
            E = self.generator.propagators(times).reshape(-1, n)
            return (z @ E.mT).unflatten(-1, (*times.shape, n))
        distinct, places = times.unique(return_inverse=True)
        E = self.generator.propagators(distinct)[places]
        return torch.einsum("...tij,...j->...ti", E, z)

    def flow(self, t: float | Tensor) -> Linearizer:
        """The Linearizer of states over a time; those of s and of t make that of s + t."""
        return Linearizer(self.g, self.generator.flow(t))

    @takes_arrays
    def velocity(self, x: Tensor) -> Tensor:
        """The vector field dx/dt (*batch, d) at points (*batch, *point_shape)."""
        z = self.encode(x)
        slope: Tensor = torch.func.jvp(self.decode, (z,), (self.generator(z),))[1]
        return slope

    # Spectrum and stability

    def modes(self) -> Modes:
        """Rates, frequencies, periods and eigenfunctions, slowest decay first."""
        return modes_of(self.generator.to_dense())

    @takes_arrays
    def eigenfunctions(self, x: Tensor) -> Tensor:
        """`φ_i(x) = w_iᵀ g(x)`, complex (*batch, n), in the order of `modes`.

        They turn the nonlinear flow into multiplication: `φ_i(x(t)) = e^{λ_i t} φ_i(x(0))`.
        """
        left = self.modes().left
        return self.encode(x).to(left.dtype) @ left.mT

    def equilibrium(self) -> Tensor:
        """The point (d,) that does not move, `g⁻¹(0)`: the only one if L has an inverse."""
        L = self.generator.to_dense()
        return self.decode(L.new_zeros(self.n)).detach()

    @property
    def is_stable(self) -> bool:
        """Whether every point comes to the equilibrium: all rates are negative."""
        return bool((self.modes().rates < 0).all())

    @torch.no_grad()
    def lyapunov_metric(self) -> Tensor:
        """M (n, n), positive definite, with `Lᵀ M + M L = -I`.

        Raises:
            RangeError: If L is not stable.
            MissingExtraError: If scipy is not installed.
        """
        return lyapunov_metric(self.generator.to_dense())

    @takes_arrays
    def lyapunov(self, x: Tensor) -> Tensor:
        """`V(x) = g(x)ᵀ M g(x)` (*batch), with M of `lyapunov_metric`.

        Along every trajectory `dV/dt = -|g(x)|²`, everywhere in space: V is zero at the
        equilibrium alone, and certifies that all points come there. It raises as the metric does.
        """
        z = self.encode(x)
        return ((z @ self.lyapunov_metric()) * z).sum(-1)

    # Uncertainty

    @takes_arrays
    def forecast_gaussian(self, x0: Tensor, times: Times, covariance: Tensor) -> GaussianForecast:
        """The exact distribution of the latents later, if at the start it is `N(g(x0), C)`.

        Args:
            x0: As of `forecast`.
            times: As of `forecast`.
            covariance: C, (n, n); such as `torch.cov(model.encode(x).mT)` of measured points x.

        Raises:
            ShapeError: If C is not (n, n).
            RangeError: If C is no covariance.
        """
        z = self.encode(x0)
        gaussian.check_covariance(covariance, self.n, z)
        t = self._times(times, z)
        with own_precision(z.device):
            E = self.generator.propagators(t)
            return GaussianForecast(self.advance(z, t), gaussian.propagated(E, covariance))

    @takes_arrays
    def sample_forecast(
        self, x0: Tensor, times: Times, covariance: Tensor, count: int, seed: int | None = None
    ) -> Tensor:
        """Points of trajectories from starts `g⁻¹(N(g(x0), C))`, for quantiles and bands.

        Returns:
            (count, *batch, T, d), each of the count along one trajectory; without T for one time.
        """
        check_between(count, 1, float("inf"), "the number of samples")
        z = self.encode(x0)
        gaussian.check_covariance(covariance, self.n, z)
        starts = z + normal((count, *z.shape), seed, z) @ gaussian.root(covariance).mT
        t = self._times(times, z)
        return self.decode(self.advance(starts, t.expand(count, *t.shape) if t.ndim > 1 else t))

    # Quality

    @torch.no_grad()
    def error(
        self,
        trajectories: Tensor | Array | Sequence[Tensor | Array],
        times: Tensor | Array | Sequence[Tensor | Array],
        *,
        missing: Missing = "raise",
    ) -> ForecastError:
        """The error of forecasting whole trajectories from their starts; on data held out.

        A system that does not fit (see the class) shows here: `error(...).beats_trivial` is
        false, or the error hardly below that of the trivial forecasts.
        """
        k = self.delays
        read = read_trajectories(trajectories, times, delays=k, missing=missing, module=self)
        return forecast_error(self.forecast, read, k)

    def _times(self, times: Times, z: Tensor) -> Tensor:
        t = torch.as_tensor(times, dtype=double_dtype(z.device), device=z.device)
        if t.ndim > 1 and t.shape[:-1] != z.shape[:-1]:
            raise ShapeError(
                f"expected times (T,) for all starts, or {(*z.shape[:-1], 'T')} for each its own, "
                f"got {tuple(t.shape)}"
            )
        if not t.is_meta and not bool(t.isfinite().all()):
            raise NonFiniteError("expected finite times, got NaN or infinity; leave those out")
        return t
