"""The Kalman filter and smoother against what they are: conditioning of one large Gaussian."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.applications import LinearDynamics
from linearizer.applications.linear_dynamics import estimate
from linearizer.errors import NonFiniteError, RangeError, ShapeError
from linearizer.flows import FreeGenerator
from linearizer.testing import perturb_

N = 2
L = torch.tensor([[-0.3, -2.0], [2.0, -0.1]], dtype=torch.float64)
R = torch.tensor([[0.3, 0.1], [0.1, 0.2]], dtype=torch.float64)
Q = torch.tensor([[0.2, 0.0], [0.0, 0.05]], dtype=torch.float64)
TIMES = torch.tensor([0.0, 0.4, 0.5, 1.3, 2.0], dtype=torch.float64)


def model() -> LinearDynamics:
    torch.manual_seed(0)
    g = perturb_(lz.vector_bijection(N, depth=2, width=8).double(), seed=0).requires_grad_(False)
    return LinearDynamics(g, FreeGenerator(L))


def gathered(h: float) -> Tensor:
    """`∫₀ʰ e^{Ls} Q e^{Lᵀs} ds`, by the midpoint rule."""
    s = (torch.arange(4000, dtype=torch.float64) + 0.5) * h / 4000
    E = FreeGenerator(L).propagators(s)
    return (E @ Q @ E.mT).sum(0) * h / 4000


def conditioned(z: Tensor, seen: list[int], count: int) -> tuple[Tensor, Tensor]:
    """Means and covariances of all latents, from the least squares of all terms at once."""
    information = torch.zeros(count * N, count * N, dtype=torch.float64)
    right = torch.zeros(count * N, dtype=torch.float64)
    for i in seen:
        here = slice(i * N, (i + 1) * N)
        information[here, here] += R.inverse()
        right[here] += R.inverse() @ z[i]
    for i in range(count - 1):
        h = float(TIMES[i + 1] - TIMES[i])
        step = torch.cat([-FreeGenerator(L).propagators(TIMES[i + 1] - TIMES[i]), torch.eye(N)], 1)
        both = slice(i * N, (i + 2) * N)
        information[both, both] += step.mT @ gathered(h).inverse() @ step
    covariance = information.inverse()
    blocks = [covariance[i * N : (i + 1) * N, i * N : (i + 1) * N] for i in range(count)]
    return (covariance @ right).reshape(count, N), torch.stack(blocks)


def measured() -> Tensor:
    points = torch.randn(5, N, generator=torch.Generator().manual_seed(0)).double()
    points[2, 0] = torch.nan
    return points


def test_the_smoother_is_the_conditional_gaussian() -> None:
    f, x = model(), measured()
    z = f.encode(x.nan_to_num())
    found = estimate(f, x, TIMES, R, Q)
    mean, covariance = conditioned(z, [0, 1, 3, 4], 5)
    torch.testing.assert_close(found.mean, mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.covariance, covariance, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.points, f.decode(mean), rtol=1e-4, atol=1e-4)


def test_the_filter_knows_the_past_alone() -> None:
    f, x = model(), measured()
    found = estimate(f, x, TIMES, R, Q, future=False)
    for count in (1, 2, 4, 5):
        mean, covariance = conditioned(
            f.encode(x.nan_to_num()), [i for i in (0, 1, 3, 4) if i < count], count
        )
        torch.testing.assert_close(found.mean[count - 1], mean[-1], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            found.covariance[count - 1], covariance[-1], rtol=1e-5, atol=1e-5
        )


def test_without_disturbance_it_is_one_trajectory() -> None:
    f = model()
    x0 = torch.tensor([0.3, -0.5]).double()
    true = f.forecast(x0, TIMES)
    found = estimate(f, true, TIMES, R, 0 * Q)
    torch.testing.assert_close(found.points, true)
    sure = estimate(f, true, TIMES, 0 * R, 0 * Q)
    torch.testing.assert_close(sure.points, true)


def test_what_is_refused() -> None:
    f, x = model(), measured()
    with pytest.raises(ShapeError, match="a time for each"):
        estimate(f, x, TIMES[:4], R, Q)
    with pytest.raises(RangeError, match="begin at the first"):
        estimate(f, x[2:], TIMES[2:], R, Q)
    with pytest.raises(RangeError, match="increasing"):
        estimate(f, x, -TIMES, R, Q)
    with pytest.raises(NonFiniteError, match="times"):
        estimate(f, x, TIMES / 0, R, Q)
    with pytest.raises(RangeError, match="covariance"):
        estimate(f, x, TIMES, -R, Q)
