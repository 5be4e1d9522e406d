"""What trains a projector: the two objectives, and a run that is interrupted."""

import pytest
import torch

import linearizer as lz
from linearizer.data import Images, load_digits

pytest.importorskip("lightning")
from linearizer import training
from linearizer.training import (
    LearnedProjectionTraining,
    PrincipalProjectionTraining,
    TrainingBudget,
)

SHAPE, N = (1, 8, 8), 64


def digits() -> Images:
    return load_digits().take(torch.arange(600))


def principal(steps: int = 60, **options: float) -> PrincipalProjectionTraining:
    torch.manual_seed(0)
    g = lz.image_bijection(
        SHAPE, depth=2, width=32, log_scale_bound=0.5, shift_bound=6.0, saturation=4.0
    )
    module = PrincipalProjectionTraining(g, steps, noise=0.1, ranks=(8, 16), **options)
    module.initialize(digits().images)
    return module


def test_at_the_start_it_is_principal_components_of_pixels():
    """g is the identity at first, so restoring clean images is what components of pixels do."""
    module = principal(damaged=0.0)
    x = digits().images
    pixels = lz.IdempotentGenerator.fit(lz.Flatten(SHAPE), [x], rank=8)
    restored = module.g.inverse(module.project(module.g(x), 8))
    torch.testing.assert_close(restored, pixels.project(x), rtol=0.0, atol=0.15)


def test_training_lowers_the_error_of_every_rank():
    module, x = principal(steps=150), digits().images
    errors = []
    for _ in range(2):
        f = lz.IdempotentGenerator.fit(module.g, [x], rank=16)
        errors.append([float((f.project(x, k) - x).square().mean()) for k in (4, 8, 16)])
        if len(errors) == 1:
            training.train(module, digits(), TrainingBudget(150, batch_size=64, noise=0.0))
            module.eval()
    assert all(after < before for before, after in zip(*errors, strict=True)), errors


def test_a_latent_far_out_does_not_turn_the_components():
    module = principal()
    z = module.g(digits().images).detach()
    z[0] = 1e4
    before = module.second.clone()
    module._remember(z)
    assert float((module.second - before).norm() / before.norm()) < 0.1


def test_an_interrupted_training_goes_on_to_the_same_g(tmp_path):
    whole = principal(steps=20)
    training.train(whole, digits(), TrainingBudget(20, batch_size=32, noise=0.0))
    schedule = TrainingBudget(20, batch_size=32, noise=0.0, checkpoint_every=10)
    for steps in (10, 20):
        part = principal(steps=20)
        stopped = TrainingBudget(**{**vars(schedule), "steps": steps})
        training.train(part, digits(), stopped, checkpoints=tmp_path)
    for a, b in zip(whole.state_dict().values(), part.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_papers_losses_are_what_they_say():
    torch.manual_seed(0)
    g, mask = lz.vector_bijection(6, width=8), lz.operators.BinaryMask(6, rank=2)
    module = LearnedProjectionTraining(
        g, lz.operators.LearnedDiagonalProjection(mask), 10, sparsity=2.0, tightness=3.0
    )
    x = torch.randn(5, 6)
    z, b = g(x), mask()
    losses = module.losses(x)
    torch.testing.assert_close(losses.reconstruction, (g.inverse(b * z) - x).square().mean())
    torch.testing.assert_close(losses.sparsity, 2.0 * torch.sigmoid(mask.scores).mean())
    apart = (x - g.inverse(torch.zeros(1, 6))).norm(dim=1)
    torch.testing.assert_close(losses.tightness, 3.0 * (z.norm(dim=1) - apart).square().mean())


@pytest.mark.parametrize("ranks", [(), (0, 4), (8, 4), (4, 64)])
def test_impossible_ranks_are_refused(ranks):
    g = lz.image_bijection(SHAPE, depth=1, width=8)
    with pytest.raises(lz.errors.RangeError, match="ascending ranks"):
        PrincipalProjectionTraining(g, 10, noise=0.1, ranks=ranks)
