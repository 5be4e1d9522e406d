"""The generator L of `dz/dt = L z` from latents along trajectories, in closed form and refined."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer import linalg
from linearizer._checks import check_between, check_finite
from linearizer.errors import NoRealRootError, NotConvergedError, RangeError
from linearizer.operators.dense import Dense

EQUAL = 1e-6
"""Relative difference of two time steps that count as one."""


def fit_generator(
    latents: Sequence[Tensor], times: Sequence[Tensor], *, refinement: int = 50
) -> Tensor:
    """L of trajectories `z(t) ≈ e^{Lt} z(0)`, each with a start of its own.

    If most time steps are of one length h, `e^{Lh}` is found by total least squares of the pairs
    that are so far apart, which noise in both does not bias, and L is its real logarithm. Where
    steps differ, or there is none, L solves `z(t+h) - z(t) = h L (z(t+h) + z(t)) / 2`, exact but
    for h². The refinement then minimizes what is left of `|e^{Lt} z(0) - z(t)|²` over whole
    trajectories, in L and in their starts; it never makes that larger.

    Directions that no latent has do not move. Computed in float64, on the CPU. Source of the
    refinement: Askham, Kutz, "Variable projection methods for an optimized dynamic mode
    decomposition", 2018.

    Args:
        latents: (T_i, n) of each trajectory.
        times: (T_i,) of each, increasing.
        refinement: The most iterations of L-BFGS; none for the closed form alone.

    Returns:
        L, (n, n), of the dtype and on the device of the latents.

    Raises:
        RangeError: If no trajectory has two points, or the refinement is negative.
        NonFiniteError: If there is NaN or infinity.

    Example:
        >>> import torch, linearizer as lz
        >>> L = torch.tensor([[-1., -2.], [2., -1.]])
        >>> t = torch.tensor([0., .1, .4, .5, 1.])
        >>> z = lz.flows.FreeGenerator(L).propagators(t) @ torch.ones(2)
        >>> torch.allclose(lz.estimation.fit_generator([z], [t]), L, atol=1e-3)
        True
    """
    check_between(refinement, 0, float("inf"), "the iterations of the refinement")
    if not any(len(z) > 1 for z in latents):
        raise RangeError("expected a trajectory of two points or more, got none")
    for z, t in zip(latents, times, strict=True):
        check_finite(z, "the latents of a trajectory")
        check_finite(t, "the times of a trajectory")
    starts = [(t - t[0]).detach().double().cpu() for t in times]
    unit = max(float(t[-1]) for t in starts)
    starts = [t / unit for t in starts]
    rows = [z.detach().double().cpu() for z in latents]
    basis, size = _directions(torch.cat(rows))
    reduced = [z @ basis / size for z in rows]
    L = _closed_form(reduced, starts)
    if refinement:
        L = _refined(L, reduced, starts, refinement)
    return (basis @ L @ basis.mT / unit).to(latents[0])


def total_least_squares(x: Tensor, y: Tensor) -> Tensor:
    """A of pairs of rows `y ≈ A x` (N, n), both with noise of one size.

    The n leading right singular vectors of `[x y]` span the pairs `(x, A x)` that are nearest to
    the given ones. Source: Golub, Van Loan, "An analysis of the total least squares problem", 1980.

    Raises:
        RangeError: If there are fewer pairs than dimensions.

    Example:
        >>> import torch, linearizer as lz
        >>> x, A = torch.randn(20, 3), torch.randn(3, 3)
        >>> found = lz.estimation.total_least_squares(x, x @ A.mT)
        >>> torch.allclose(found, A, atol=1e-3)
        True
    """
    n = x.shape[1]
    if len(x) < n:
        raise RangeError(f"expected {n} pairs or more for {n} dimensions, got {len(x)}")
    V = torch.linalg.svd(torch.cat([x, y], 1), full_matrices=False).Vh[:n].mT
    return V[n:] @ torch.linalg.pinv(V[:n])


def _directions(z: Tensor) -> tuple[Tensor, float]:
    """Orthonormal columns (n, r) that span rows (N, n), up to rounding, and the size of a row."""
    _, S, Vh = torch.linalg.svd(z, full_matrices=False)
    count = int((max(z.shape) * torch.finfo(z.dtype).eps * S[0] < S).sum())
    size = float(torch.linalg.vector_norm(S)) / len(z) ** 0.5
    return Vh[: max(count, 1)].mT, size or 1.0


def _closed_form(latents: Sequence[Tensor], times: Sequence[Tensor]) -> Tensor:
    x = torch.cat([z[:-1] for z in latents])
    y = torch.cat([z[1:] for z in latents])
    steps = torch.cat([t.diff() for t in times])
    usual = steps.median()
    equal = (steps - usual).abs() <= EQUAL * usual
    if 2 * int(equal.sum()) > len(steps) and int(equal.sum()) >= x.shape[1]:
        try:
            A = total_least_squares(x[equal], y[equal])
            return linalg.logm(Dense(A)).to_dense() / usual
        except (NoRealRootError, NotConvergedError):
            pass  # such as noise that turns the sign of what has decayed
    slopes = (y - x) / steps[:, None]
    return (torch.linalg.pinv((x + y) / 2) @ slopes).mT


def _refined(
    start: Tensor, latents: Sequence[Tensor], times: Sequence[Tensor], iterations: int
) -> Tensor:
    """The L of the least misfit that L-BFGS finds from a start."""
    distinct, places = torch.cat([*times]).unique(return_inverse=True)
    parts = places.split([len(t) for t in times])

    def misfit(L: Tensor) -> Tensor:
        propagators = torch.linalg.matrix_exp(distinct[:, None, None] * L)
        return torch.stack(
            [_misfit(propagators[p], z) for p, z in zip(parts, latents, strict=True)]
        ).sum()

    with torch.enable_grad():
        L = start.clone(memory_format=torch.contiguous_format).requires_grad_()
        search = torch.optim.LBFGS(
            [L],
            max_iter=iterations,
            tolerance_grad=1e-10,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            search.zero_grad()
            loss = misfit(L)
            loss.backward()
            return loss

        before = misfit(start)
        if not bool(before.isfinite()):  # grows beyond all numbers over the whole length
            return start
        search.step(closure)
    L = L.detach()
    return L if bool(misfit(L) <= before) else start


def _misfit(propagators: Tensor, z: Tensor) -> Tensor:
    """`Σ |e^{Lt} c - z|²` for the best start c, which needs no derivative: it is a minimum in c."""
    matrix, right = propagators.flatten(0, 1), z.flatten()
    with torch.no_grad():
        c = torch.linalg.lstsq(matrix, right[:, None], driver="gelsd").solution[:, 0]
    return (matrix @ c - right).square().sum()
