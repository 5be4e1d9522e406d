"""The closed-form flow between two covariances, against its definition and an ODE solver."""

import pytest
import torch
from torch import Tensor

import linearizer as lz

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
N = 6


@pytest.fixture
def covariances() -> tuple[Tensor, Tensor]:
    X, Y = torch.randn(2, N, 3 * N, dtype=torch.float64)
    return X @ X.mT / (3 * N), Y @ Y.mT / (3 * N)


def test_it_carries_one_covariance_to_the_other(covariances: tuple[Tensor, Tensor]) -> None:
    C0, C1 = covariances
    B = lz.flows.CovarianceFlow.from_covariances(C0, C1).flow().to_dense()
    torch.testing.assert_close(B @ C0 @ B.mT, C1, **CLOSE)


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_it_is_least_squares(covariances: tuple[Tensor, Tensor], t: float) -> None:
    C0, C1 = covariances
    flow = lz.flows.CovarianceFlow.from_covariances(C0, C1)
    expected = t * C1 @ torch.linalg.inv((1 - t) ** 2 * C0 + t**2 * C1)
    torch.testing.assert_close(flow.at(t).to_dense(), expected, **CLOSE)
    if t < 1:
        velocity = (expected - torch.eye(N)) / (1 - t)
        torch.testing.assert_close(flow.velocity(t).to_dense(), velocity, **CLOSE)


def test_it_is_what_fitting_samples_finds(covariances: tuple[Tensor, Tensor]) -> None:
    """Least squares on samples whose covariances are exactly C0 and C1, and uncorrelated."""
    C0, C1 = covariances
    white = torch.linalg.qr(torch.randn(40, 2 * N, dtype=torch.float64))[0]
    z0 = white[:, :N] @ torch.linalg.cholesky(C0).mT
    z1 = white[:, N:] @ torch.linalg.cholesky(C1).mT
    fitted = lz.estimation.LeastSquares((N,), (N,)).update(0.7 * z0 + 0.3 * z1, z1).solve()
    at = lz.flows.CovarianceFlow.from_covariances(C0, C1).at(0.3)
    torch.testing.assert_close(at.to_dense(), fitted.to_dense(), **CLOSE)


def test_flows_compose(covariances: tuple[Tensor, Tensor]) -> None:
    flow = lz.flows.CovarianceFlow.from_covariances(*covariances)
    composed = flow.flow(0.4, 0.9) @ flow.flow(0.1, 0.4)
    torch.testing.assert_close(composed.to_dense(), flow.flow(0.1, 0.9).to_dense(), **CLOSE)
    there_and_back = flow.flow(0.9, 0.1) @ flow.flow(0.1, 0.9)
    torch.testing.assert_close(there_and_back.to_dense(), torch.eye(N).double(), **CLOSE)


def test_it_solves_its_own_equation(covariances: tuple[Tensor, Tensor]) -> None:
    """The classical Runge-Kutta method, halving its steps, converges to it at fourth order."""
    flow = lz.flows.CovarianceFlow.from_covariances(*covariances)
    exact = flow.flow(0.0, 1.0).to_dense()

    def error(steps: int) -> float:
        Z, h = torch.eye(N, dtype=torch.float64), 1 / steps
        for i in range(steps):
            t = i * h
            first, middle, last = (
                flow.velocity(s).to_dense() for s in (t, t + h / 2, min(t + h, 1.0))
            )
            k1 = first @ Z
            k2 = middle @ (Z + h / 2 * k1)
            k3 = middle @ (Z + h / 2 * k2)
            k4 = last @ (Z + h * k3)
            Z = Z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return float((Z - exact).norm() / exact.norm())

    coarse, fine = error(80), error(160)
    assert fine < 1e-6
    assert 12 < coarse / fine < 20


def test_derivative_of_the_flow(covariances: tuple[Tensor, Tensor]) -> None:
    flow, t, h = lz.flows.CovarianceFlow.from_covariances(*covariances), 0.6, 1e-5
    slope = (flow.flow(0.0, t + h).to_dense() - flow.flow(0.0, t - h).to_dense()) / (2 * h)
    expected = (flow.velocity(t) @ flow.flow(0.0, t)).to_dense()
    torch.testing.assert_close(slope, expected, rtol=1e-7, atol=1e-7)


def test_a_degenerate_target(covariances: tuple[Tensor, Tensor]) -> None:
    """A target of rank 2 is reached, and nothing becomes infinite on the way."""
    C0, _ = covariances
    X = torch.randn(N, 2, dtype=torch.float64)
    flow = lz.flows.CovarianceFlow.from_covariances(C0, X @ X.mT)
    B = flow.flow().to_dense()
    torch.testing.assert_close(B @ C0 @ B.mT, X @ X.mT, **CLOSE)
    assert bool(torch.isfinite(flow.velocity(1.0).to_dense()).all())


@pytest.fixture
def principal() -> lz.flows.PrincipalCovarianceFlow:
    W = torch.linalg.qr(torch.randn(N, 2, dtype=torch.float64))[0]
    return lz.flows.PrincipalCovarianceFlow(W, torch.tensor([3.0, 2.0, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_principal_directions_are_a_covariance_flow(
    principal: lz.flows.PrincipalCovarianceFlow, t: float
) -> None:
    W, (*along, others) = principal.directions, principal.variances
    identity = torch.eye(N, dtype=torch.float64)
    C1 = others * identity + W @ torch.diag(torch.stack(along) - others) @ W.mT
    dense = lz.flows.CovarianceFlow.from_covariances(identity, C1)
    for ours, theirs in [
        (principal.at(t), dense.at(t)),
        (principal.velocity(t), dense.velocity(t)),
        (principal.flow(0.0, t), dense.flow(0.0, t)),
        (lz.flows.collapse(principal, 7, "rk4"), lz.flows.collapse(dense, 7, "rk4")),
    ]:
        torch.testing.assert_close(ours.to_dense(), theirs.to_dense(), **CLOSE)


def test_rounded_directions_undo_each_other_in_float64(
    principal: lz.flows.PrincipalCovarianceFlow,
) -> None:
    flow = principal.float().double()
    z = torch.randn(7, N, dtype=torch.float64)
    torch.testing.assert_close(flow.flow(1.0, 0.0)(flow.flow()(z)), z, rtol=0.0, atol=1e-12)


def test_principal_operators_stay_low_rank(principal: lz.flows.PrincipalCovarianceFlow) -> None:
    for operator in (
        principal.flow(),
        lz.flows.collapse(principal, 5),
        lz.linalg.pinv(principal.flow()),
    ):
        assert isinstance(operator, lz.IdentityPlusLowRank)


@pytest.mark.parametrize("batches", [1, 7])
def test_principal_moments_find_the_leading_components(batches: int) -> None:
    """Three directions that stand out, streamed: those of the full covariance."""
    z = torch.randn(490, 40, dtype=torch.float64)
    z[:, :3] *= torch.tensor([9.0, 7.0, 5.0])
    z = z @ torch.linalg.qr(torch.randn(40, 40, dtype=torch.float64))[0] + 100.0
    moments = lz.estimation.PrincipalMoments(40, 3)
    for batch in z.split(490 // batches):
        moments.update(batch)
    W, variances = moments.components()
    values, vectors = torch.linalg.eigh(torch.cov(z.mT, correction=0))
    close = 1e-10 if batches == 1 else 1e-2
    torch.testing.assert_close(variances[:3], values.flip(0)[:3], rtol=close, atol=0.0)
    torch.testing.assert_close(variances[-1], values[:-3].mean(), rtol=close, atol=0.0)
    overlap = torch.linalg.svdvals(W.mT @ vectors[:, -3:])
    assert float(overlap.min()) > 1 - close
    torch.testing.assert_close(moments.mean(), z.mean(0))


def test_vectors_of_few_directions_are_kept_exactly() -> None:
    z = torch.randn(60, 3, dtype=torch.float64) @ torch.randn(3, 50, dtype=torch.float64)
    moments = lz.estimation.PrincipalMoments(50, 3)
    for batch in z.split(20):
        moments.update(batch)
    W, variances = moments.components()
    found = W @ torch.diag(variances[:3]) @ W.mT
    torch.testing.assert_close(found, torch.cov(z.mT, correction=0), **CLOSE)


def test_a_flow_of_few_directions_carries_noise_to_the_data() -> None:
    scales = torch.tensor([6.0, 4.0] + [1.0] * (N - 2), dtype=torch.float64)
    data = torch.randn(20_000, N, dtype=torch.float64) * scales + 3.0
    flow = lz.OneStepFlow.fit(lz.Identity(N), [data], rank=2)
    deviations = flow.sample(20_000, seed=0).std(0)
    torch.testing.assert_close(deviations, scales, rtol=0.05, atol=0.0)
    torch.testing.assert_close(flow.decode(flow.encode(data)), data, **CLOSE)


@pytest.mark.parametrize("rank", [0, N])
def test_a_flow_has_fewer_directions_than_dimensions(rank: int) -> None:
    with pytest.raises(lz.errors.RangeError, match="between 1 and 5"):
        lz.OneStepFlow.fit(lz.Identity(N), [torch.randn(9, N)], rank=rank)


def test_few_directions_start_at_white_noise() -> None:
    with pytest.raises(lz.errors.RangeError, match="a rank or a bijection of the noise"):
        lz.OneStepFlow.fit(lz.Identity(N), [], rank=2, g_noise=lz.Identity(N))
