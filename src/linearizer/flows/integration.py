"""Explicit Runge-Kutta methods, on vectors or on operators.

A linear ODE `dz/dt = L(t) z` is integrated by the same steps whether z is a batch of vectors
or an operator: run on the identity, a whole N-step sampler *is* one operator, its collapse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer._modes import exact, in_dtype, wide_dtype
from linearizer.errors import RangeError
from linearizer.flows.covariance_flow import SpectralFlow
from linearizer.flows.time_dependent import TimeDependentOperator
from linearizer.linalg.fuse import fuse
from linearizer.operators.base import LinearOperator
from linearizer.operators.diagonal import Diagonal, ScaledIdentity
from linearizer.operators.low_rank import IdentityPlusLowRank, as_columns

Method = Literal["euler", "midpoint", "heun", "rk4"]
METHODS: tuple[Method, ...] = get_args(Method)
State = TypeVar("State", Tensor, LinearOperator, "_Update")
Velocity = Callable[[float], LinearOperator]
Grid = list[tuple[float, float]]
Tableau = tuple[Sequence[Sequence[float]], Sequence[float]]

TABLEAUS: dict[str, Tableau] = {
    "euler": ([[]], [1.0]),
    "midpoint": ([[], [0.5]], [0.0, 1.0]),
    "heun": ([[], [1.0]], [0.5, 0.5]),
    "rk4": ([[], [0.5], [0.0, 0.5], [0.0, 0.0, 1.0]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
}
"""Butcher tableaus: the coefficients a of each stage, and the weights b of the sum.

Source: Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, section II.1.
"""


def integrate(
    velocity: Velocity | TimeDependentOperator,
    z: Tensor,
    steps: int,
    method: Method = "euler",
    start: float = 0.0,
    end: float = 1.0,
) -> Tensor:
    """Solve `dz/dt = L(t) z` from `start` to `end` in equal steps.

    Args:
        velocity: t ↦ L(t), or the operator A whose velocity it is, which is quicker where all
            times share something.
        z: Vectors at `start`, (*batch, n).
        steps: Number of steps.
        method: `euler`, `midpoint`, `heun` or `rk4`.
        start: First time.
        end: Last time.

    Raises:
        RangeError: If there is no such method, or less than one step.

    Example:
        >>> import torch, linearizer as lz
        >>> decay = lambda t: lz.ScaledIdentity(1, -1.)
        >>> lz.flows.integrate(decay, torch.ones(1), steps=10, method="rk4")
        tensor([0.3679])
    """
    field = velocity.field() if isinstance(velocity, TimeDependentOperator) else velocity
    for t, h in _grid(steps, method, start, end):
        z = _step(lambda time, y: field(time)(y), z, t, h, method)
    return z


@exact
def collapse(
    A: TimeDependentOperator,
    steps: int,
    method: Method = "euler",
    start: float = 0.0,
    end: float = 1.0,
) -> LinearOperator:
    """The one operator that equals `integrate` over the same steps, for any vectors.

    Exact for every method. Structure is kept: velocities that are the identity plus rank r
    collapse to the identity plus low rank, as long as that is below n, without a matrix of
    n × n. Of large operators, collapse under `torch.no_grad()`: gradients hold every product.

    Example:
        >>> import torch, linearizer as lz
        >>> C = torch.diag(torch.tensor([1., 2., 3.]))
        >>> A = lz.flows.CovarianceFlow.from_covariances(torch.eye(3), C)
        >>> z = torch.randn(5, 3)
        >>> many = lz.flows.integrate(A.velocity, z, steps=20, method="rk4")
        >>> torch.allclose(lz.flows.collapse(A, 20, "rk4")(z), many, atol=1e-5)
        True
    """
    grid = _grid(steps, method, start, end)
    dtype = A.dtype
    wide = wide_dtype(dtype)
    if wide == dtype:
        return _collapsed(A, grid, method)
    return _collapsed(in_dtype(A, wide), grid, method)._in_dtype(dtype)


@singledispatch
def _collapsed(A: TimeDependentOperator, grid: Grid, method: Method) -> LinearOperator:
    return _collapse(A.field(), grid, method)


@_collapsed.register
def _(A: SpectralFlow, grid: Grid, method: Method) -> LinearOperator:
    """The velocities share an eigenbasis: only eigenvalues are integrated, in O(n) a step."""
    result = _collapse(lambda t: Diagonal(A.rates(t)), grid, method)
    return fuse(A.with_eigenvalues(result(torch.ones_like(A.variances))))


def _collapse(velocity: Velocity, grid: Grid, method: Method) -> LinearOperator:
    """The product of all steps, multiplied two by two, four by four, ...

    A stage `k_s = L(t + c_s h) (z + h Σ_r a_sr k_r)` and a step `z + h Σ_s b_s k_s` are linear in
    z: taken from the identity, a step is the matrix that it multiplies any z by.

    Neighbors of one size are multiplied as soon as there are two: ranks grow late, so that
    factors are copied log(steps) times, and no more than log(steps) matrices are held.
    """
    like = velocity(grid[0][0])
    one_step = _low_rank_step if isinstance(like, IdentityPlusLowRank) else _operator_step
    waiting: list[tuple[int, LinearOperator]] = []  # (number of steps, their product)
    for t, h in grid:
        count, product = 1, one_step(velocity, like, t, h, method)
        while waiting and waiting[-1][0] == count:
            product = fuse(product @ waiting.pop()[1])
            count *= 2
        waiting.append((count, product))
    _, product = waiting.pop()
    while waiting:
        product = fuse(product @ waiting.pop()[1])
    return product


def _operator_step(
    velocity: Velocity, like: LinearOperator, t: float, h: float, method: Method
) -> LinearOperator:
    """One step, taken from the identity."""
    one = torch.ones((), dtype=like.dtype, device=like.device)
    identity: LinearOperator = ScaledIdentity(like.in_shape, one)
    return fuse(_step(lambda time, y: velocity(time) @ y, identity, t, h, method))


@dataclass(frozen=True)
class _Update:
    """`scale · I + Σ_s U_s R_sᵀ` over stage times s; the U_s are those of the velocities.

    The slopes of one Runge-Kutta step all have their columns in the same few U_s. Adding them
    factor by factor would count these again for every slope: rank 10 r for a step of `rk4`
    rather than 3 r.
    """

    scale: Tensor | float
    rights: dict[float, Tensor]

    def __add__(self, other: "_Update") -> "_Update":
        rights = dict(self.rights)
        for time, right in other.rights.items():
            rights[time] = rights[time] + right if time in rights else right
        return _Update(self.scale + other.scale, rights)

    def __rmul__(self, factor: float) -> "_Update":
        return _Update(factor * self.scale, {s: factor * R for s, R in self.rights.items()})


def _low_rank_step(
    velocity: Velocity, like: LinearOperator, t: float, h: float, method: Method
) -> LinearOperator:
    """One step of velocities `a I + U Vᵀ`, of the rank of its distinct velocities together.

    On a stage's place `y = s I + Σ_r U_r R_rᵀ` the velocity is
    `(a I + U Vᵀ) y = a s I + Σ_r U_r (a R_r)ᵀ + U (s V + Σ_r R_r U_rᵀ V)ᵀ`.
    """
    lefts: dict[float, Tensor] = {}

    def field(time: float, y: _Update) -> _Update:
        L = velocity(time)
        assert isinstance(L, IdentityPlusLowRank), "the velocities of one operator are of one type"
        lefts.setdefault(time, as_columns(L.U))
        V = as_columns(L.V)
        right = y.scale * V
        for other, R in y.rights.items():
            right = right + R @ (lefts[other].mT @ V)
        rights = {other: L.scale * R for other, R in y.rights.items()}
        return _Update(L.scale * y.scale, rights) + _Update(0.0, {time: right})

    step = _step(field, _Update(1.0, {}), t, h, method)
    U = torch.cat([lefts[time] for time in step.rights], -1)
    V = torch.cat(list(step.rights.values()), -1)
    return IdentityPlusLowRank(
        step.scale, U.unflatten(0, like.in_shape), V.unflatten(0, like.in_shape)
    )


def _grid(steps: int, method: str, start: float, end: float) -> Grid:
    """The start and the length of each step."""
    if method not in TABLEAUS:
        raise RangeError(f"expected a method of {', '.join(TABLEAUS)}, got '{method}'")
    check_between(steps, 1, float("inf"), "the number of steps")
    h = (end - start) / steps
    return [(start + i * h, h) for i in range(steps)]


def _step(
    field: Callable[[float, State], State], z: State, t: float, h: float, method: str
) -> State:
    stages, weights = TABLEAUS[method]
    slopes: list[State] = []
    for coefficients in stages:
        place = _advance(z, slopes, coefficients, h)
        slopes.append(field(t + h * sum(coefficients), place))
    return _advance(z, slopes, weights, h)


def _advance(z: State, slopes: list[State], weights: Sequence[float], h: float) -> State:
    for slope, weight in zip(slopes, weights, strict=True):
        if weight:
            z = z + (h * weight) * slope
    return z
