"""What noisy measurements of a trajectory say of it: the Kalman filter and smoother of latents."""

from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._checks import check_finite
from linearizer._modes import own_precision
from linearizer.applications.linear_dynamics.gaussian import check_covariance
from linearizer.applications.linear_dynamics.model import LinearDynamics
from linearizer.errors import RangeError, ShapeError


class Estimate(NamedTuple):
    """Where a trajectory was at each time, and how sure that is.

    Attributes:
        points: `g⁻¹(mean)`, (T, d).
        mean: Of the latents, (T, n).
        covariance: Of the latents, (T, n, n).
    """

    points: Tensor
    mean: Tensor
    covariance: Tensor


@torch.no_grad()
def estimate(
    model: LinearDynamics,
    points: Tensor,
    times: Tensor,
    noise: Tensor,
    diffusion: Tensor,
    *,
    future: bool = True,
) -> Estimate:
    """The Gaussian estimate of latents from measurements with noise, exact for linear dynamics.

    It is of `dz = L z dt + dw`, where w gathers the covariance Q per unit of time, measured as
    `g(x) = z + v` with v ~ N(0, R), at any times; rows with NaN are times without a measurement.
    Source: Rauch, Tung, Striebel, "Maximum likelihood estimates of linear dynamic systems", 1965.

    Args:
        model: The dynamics.
        points: Measurements (T, *point_shape); the first one is there, and nothing else is known
            of the start.
        times: (T,), increasing.
        noise: R, (n, n).
        diffusion: Q, (n, n); zero for dynamics that nothing disturbs.
        future: Whether later measurements count too (the smoother), or earlier ones alone (the
            filter).

    Raises:
        ShapeError: If there is not one time for each measurement.
        RangeError: If times do not increase, the first measurement is missing, or R or Q is no
            covariance.

    Example:
        >>> import torch, linearizer as lz
        >>> from linearizer.applications.linear_dynamics import estimate
        >>> still = lz.LinearDynamics(lz.Identity(1), lz.flows.FreeGenerator(torch.zeros(1, 1)))
        >>> seen = torch.tensor([[1.], [2.], [torch.nan], [3.]])
        >>> found = estimate(still, seen, torch.arange(4.), torch.eye(1), torch.zeros(1, 1))
        >>> found.points.flatten()                                # nothing moves: the mean
        tensor([2., 2., 2., 2.])
    """
    if times.ndim != 1 or points.shape[:1] != times.shape or not len(times):
        raise ShapeError(
            f"expected a time for each measurement, got {tuple(times.shape)} times for points "
            f"{tuple(points.shape)}"
        )
    check_finite(times, "the times of measurements")
    seen = ~points.isnan().flatten(1).any(1)
    if bool((times.diff() <= 0).any()) or not bool(seen[0]):
        raise RangeError(
            "expected increasing times and a measurement at the first, got others; sort the rows, "
            "and begin at the first measurement"
        )
    z = model.encode(torch.where(points.isnan(), 0, points))
    for covariance in (noise, diffusion):
        check_covariance(covariance, model.n, z)
    with own_precision(z.device):
        E, Q = _transitions(model.generator.to_dense(), diffusion, times.diff().to(z))
        means, covariances = _filtered(z, seen, E, Q, noise)
        if future:
            means, covariances = _smoothed(means, covariances, E, Q)
    mean = torch.stack(means)
    return Estimate(model.decode(mean), mean, torch.stack(covariances))


Path = tuple[list[Tensor], list[Tensor]]


def _transitions(L: Tensor, diffusion: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """`E = e^{Lh}` and `∫₀ʰ e^{Ls} Q e^{Lᵀs} ds` of steps, by one exponential (Van Loan, 1978)."""
    n = len(L)
    block = torch.cat(
        [torch.cat([-L, diffusion], 1), torch.cat([torch.zeros_like(L), L.mT], 1)]
    ).double()
    both = torch.linalg.matrix_exp(steps.double()[:, None, None] * block)
    E = both[:, n:, n:].mT
    return E.to(L), _symmetric(E @ both[:, :n, n:]).to(L)


def _filtered(z: Tensor, seen: Tensor, E: Tensor, Q: Tensor, noise: Tensor) -> Path:
    """Means and covariances given what was measured so far."""
    means, covariances = [z[0]], [noise]
    for i in range(1, len(z)):
        step = E[i - 1]
        mean, C = step @ means[-1], _symmetric(step @ covariances[-1] @ step.mT) + Q[i - 1]
        if bool(seen[i]):
            gain = _divided(C, C + noise)
            mean, C = mean + gain @ (z[i] - mean), _symmetric(C - gain @ C)
        means.append(mean)
        covariances.append(C)
    return means, covariances


def _smoothed(means: list[Tensor], covariances: list[Tensor], E: Tensor, Q: Tensor) -> Path:
    """Means and covariances given all that was measured, from the last one back."""
    means, covariances = list(means), list(covariances)
    for i in reversed(range(len(means) - 1)):
        step, C = E[i], covariances[i]
        ahead = _symmetric(step @ C @ step.mT) + Q[i]
        gain = _divided(C @ step.mT, ahead)
        means[i] = means[i] + gain @ (means[i + 1] - step @ means[i])
        covariances[i] = _symmetric(C + gain @ (covariances[i + 1] - ahead) @ gain.mT)
    return means, covariances


def _divided(A: Tensor, B: Tensor) -> Tensor:
    """`A B⁺` for a symmetric positive semi-definite B, which is singular where all is known."""
    return A @ torch.linalg.pinv(B, hermitian=True)


def _symmetric(M: Tensor) -> Tensor:
    return (M + M.mT) / 2
