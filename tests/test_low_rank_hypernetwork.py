"""The paper's operator of time, and the paper's losses."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.errors import RangeError, ShapeError
from linearizer.testing import perturb_

N, R = 12, 3


@pytest.fixture
def operator() -> lz.flows.LowRankHypernetwork:
    torch.manual_seed(0)
    return perturb_(lz.flows.LowRankHypernetwork(N, rank=R, width=16).double())


@pytest.mark.parametrize("t", [0.0, 0.3, 0.97])
def test_velocity_is_that_of_the_prediction(
    operator: lz.flows.LowRankHypernetwork, t: float
) -> None:
    A, L = operator.at(t), operator.velocity(t)
    assert isinstance(A, lz.LowRank)
    assert isinstance(L, lz.IdentityPlusLowRank)
    assert lz.linalg.rank(A) == R
    expected = (A.to_dense() - torch.eye(N)) / (1 - t)
    torch.testing.assert_close(L.to_dense(), expected)


def test_it_depends_on_time(operator: lz.flows.LowRankHypernetwork) -> None:
    change = operator.at(0.2).to_dense() - operator.at(0.8).to_dense()
    assert change.norm() > 0.1 * operator.at(0.2).to_dense().norm()


def test_a_batch_of_times(operator: lz.flows.LowRankHypernetwork) -> None:
    z, t = torch.randn(2, 5, N, dtype=torch.float64), torch.rand(2, 5, dtype=torch.float64)
    expected = torch.stack(
        [operator.at(float(s))(v) for s, v in zip(t.flatten(), z.flatten(0, 1), strict=True)]
    )
    torch.testing.assert_close(operator.predict(z, t), expected.unflatten(0, (2, 5)))


def test_it_starts_at_zero_and_can_leave_it() -> None:
    operator = lz.flows.LowRankHypernetwork(N, rank=R)
    z, t = torch.randn(8, N), torch.rand(8)
    assert not operator.predict(z, t).any()
    (operator.predict(z, t) - z).square().sum().backward()
    assert sum(float(p.grad.abs().sum()) for p in operator.parameters() if p.grad is not None) > 0


def test_least_squares_is_what_its_training_finds() -> None:
    """At full rank, gradient descent on the induced-space loss nears the closed form."""
    torch.manual_seed(0)
    std = torch.tensor([2.0, 0.5])
    operator = lz.flows.LowRankHypernetwork(2, rank=2, width=32)
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        z_0, z_1, t = torch.randn(256, 2), std * torch.randn(256, 2), torch.rand(256)
        loss = (operator.predict(torch.lerp(z_0, z_1, t[:, None]), t) - z_1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    best = lz.flows.CovarianceFlow.from_covariances(torch.eye(2), torch.diag(std**2))
    for t in (0.1, 0.5, 0.9):
        torch.testing.assert_close(
            operator.at(t).to_dense(), best.at(t).to_dense(), rtol=0, atol=0.15
        )


@pytest.mark.parametrize("rank", [0, -1, N + 1])
def test_a_rank_out_of_range_is_refused(rank: int) -> None:
    with pytest.raises(RangeError, match="rank"):
        lz.flows.LowRankHypernetwork(N, rank=rank)


def test_what_it_cannot_do_is_refused_with_the_cure(operator: lz.flows.LowRankHypernetwork) -> None:
    with pytest.raises(RangeError, match=r"pole.*end_time"):
        operator.velocity(1.0)
    with pytest.raises(RangeError, match="pass steps"):
        operator.flow()
    with pytest.raises(RangeError, match="paper's time grid"):
        operator.end_time(1)
    with pytest.raises(ShapeError, match="one time for each vector"):
        operator.predict(torch.randn(4, N).double(), torch.rand(()).double())
    with pytest.raises(ShapeError, match="expected shape"):
        operator.predict(torch.randn(4, N + 1).double(), torch.rand(4).double())


def test_the_grid_ends_one_step_early(operator: lz.flows.LowRankHypernetwork) -> None:
    assert operator.end_time(50) == 0.98


# Training ----------------------------------------------------------------------------------


def _module(**options: object) -> "lz.training.FlowMatchingTraining":
    pytest.importorskip("lightning")
    from linearizer.training import FlowMatchingTraining

    torch.manual_seed(0)
    g = lz.image_bijection((1, 8, 8), depth=2, width=32)
    return FlowMatchingTraining(
        g, lz.flows.LowRankHypernetwork(64, rank=8), steps=100, learning_rate=3e-3, **options
    )


@torch.no_grad()
def test_the_losses_are_the_papers() -> None:
    """With g the identity and A = 0 each loss is known."""
    module = _module(perceptual=lambda x, y: (x - y).abs().mean())
    losses = module.losses(2 * torch.randn(4000, 1, 8, 8))
    assert float(losses.induced) == pytest.approx(4.0, rel=0.02)
    assert float(losses.data) == pytest.approx(0.3**2, rel=0.02)
    assert float(losses.noise) == pytest.approx(0.3**2, rel=0.02)
    assert float(losses.perceptual) == pytest.approx(0.3 * math.sqrt(2 / math.pi), rel=0.02)
    assert float(losses.total()) == pytest.approx(sum(map(float, losses)))


@torch.no_grad()
def test_no_noise_means_no_reconstruction_loss() -> None:
    module = _module(latent_noise=0.0)
    losses = perturb_(module).losses(torch.randn(50, 1, 8, 8))
    assert float(losses.data) < 1e-8
    with pytest.raises(RangeError, match="noise of the latents"):
        _module(latent_noise=-1.0)


def test_the_perceptual_network_is_not_trained() -> None:
    class Judge(torch.nn.Linear):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return super().forward((x - y).flatten(1)).square().mean()

    module = _module(perceptual=Judge(64, 4))
    (group,) = module.configure_optimizers()["optimizer"].param_groups
    trained = {id(p) for p in group["params"]}
    assert trained == {id(p) for p in (*module.g_data.parameters(), *module.operator.parameters())}


def test_one_g_may_serve_both_ends() -> None:
    module = _module()
    both = type(module)(module.g_data, module.operator, module.g_data, steps=10)
    (group,) = both.configure_optimizers()["optimizer"].param_groups
    assert len({id(p) for p in group["params"]}) == len(group["params"])
    assert both.losses(torch.randn(20, 1, 8, 8)).noise.item() == pytest.approx(0.09, rel=0.1)


def test_training_lowers_the_loss_and_gives_a_sampler(tmp_path: Path) -> None:
    module = _module()
    from linearizer import training
    from linearizer.data import load_digits
    from linearizer.training import TrainingBudget

    data = load_digits()
    x = data.dequantized(2.0, seed=1)
    before = module.losses(x).total().item()
    training.train(module, data, TrainingBudget(100, batch_size=128, noise=2.0))
    assert module.losses(x).total().item() < 0.7 * before

    flow = lz.OneStepFlow(module.g_data, module.operator, module.g_noise, steps=100)
    one, many = flow.sample(16, seed=3), flow.sample(16, steps=100, seed=3)
    assert one.shape == (16, 1, 8, 8)
    psnr = 20 * torch.log10(2 / (one - many).square().mean().sqrt())
    assert psnr > 80
    flow.save_pretrained(tmp_path)
    torch.testing.assert_close(lz.load(tmp_path).sample(16, seed=3), one)
