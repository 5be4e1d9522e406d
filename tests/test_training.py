"""Training: it learns, and an interrupted run goes on to the same result."""

import subprocess
import sys

import pytest
import torch

import linearizer as lz

pytest.importorskip("lightning")
from lightning.pytorch import Callback

from linearizer import training
from linearizer.data import load_digits
from linearizer.testing import perturb_
from linearizer.training import (
    ClassMoments,
    FlowMatchingTraining,
    LikelihoodTraining,
    MixtureLikelihoodTraining,
    TrainingBudget,
    loop,
)
from linearizer.training.averaging import weight_averaging
from linearizer.training.precision import conditioners_in


class _StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *args, **kwargs):
        if trainer.global_step == self.step:
            raise InterruptedError


def _module(steps):
    torch.manual_seed(0)
    g = lz.image_bijection((1, 8, 8), depth=2, width=32)
    return LikelihoodTraining(g, steps, learning_rate=3e-3)


def test_maximum_likelihood_lowers_the_loss():
    data, module = load_digits(), _module(150)
    x = data.dequantized(2.0, seed=1)
    before = module.loss(x).item()
    taken = training.train(module, data, TrainingBudget(150, batch_size=128, noise=2.0))
    assert taken.steps == 150
    assert taken.seconds > 0
    assert module.loss(x).item() < before - 0.5


def _papers_module(steps):
    """Its losses draw noise and times of their own at every step."""
    torch.manual_seed(0)
    g = lz.image_bijection((1, 8, 8), depth=2, width=16)
    return FlowMatchingTraining(g, lz.flows.LowRankHypernetwork(64, rank=2, width=8), steps=steps)


def _mixture_module(steps):
    """Its moments are state of its own, beside the weights."""
    torch.manual_seed(0)
    g, data = lz.image_bijection((1, 8, 8), depth=2, width=32), load_digits()
    module = MixtureLikelihoodTraining(g, ClassMoments(10, 64), steps, learning_rate=3e-3)
    module.start(data.images, data.labels)
    return module


def _cluster_module(steps):
    """Its components are what it finds."""
    module = _mixture_module(steps)
    module.labeled = False
    return module


def test_the_mixture_learns_its_classes():
    data, module = load_digits(), _mixture_module(150)
    before = module.losses(data.images, data.labels)
    training.train(module, data, TrainingBudget(150, batch_size=128, noise=0.0))
    after = module.losses(data.images, data.labels)
    assert float(after["joint"]) < float(before["joint"]) - 0.1
    with torch.no_grad():
        told = module.moments.mixture.log_joints(module.g(data.images)).argmax(1)
    assert float((told == data.labels).float().mean()) > 0.97


MIXTURE = """
import os, sys, torch
import linearizer as lz
from linearizer import training
from linearizer.data import load_digits
from linearizer.training import ClassMoments, MixtureLikelihoodTraining, TrainingBudget

torch.manual_seed(0)
g, data = lz.image_bijection((1, 8, 8), depth=2, width=16), load_digits()
module = MixtureLikelihoodTraining(g, ClassMoments(10, 64), 60, std=0.0, ood_weight=0.0)
module.start(data.dequantized(2.0, seed=0), data.labels)
training.train(module, data, TrainingBudget(60, batch_size=64, noise=2.0))
torch.save(module.moments.state_dict(), sys.argv[1] + os.environ.get("RANK", ""))
"""


def test_two_processes_have_the_moments_that_one_has(tmp_path):
    """All without noise of their own, which each process would draw for itself."""
    (tmp_path / "mixture.py").write_text(MIXTURE)
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    for launch, out in ([sys.executable], "one"), ([*together, "--nproc-per-node", "2"], "two"):
        command = [*launch, str(tmp_path / "mixture.py"), str(tmp_path / out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    one, first, second = (torch.load(tmp_path / name) for name in ("one", "two0", "two1"))
    for name in ("count", "sum", "second", "mixture.whitening", "mixture.rest"):
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        torch.testing.assert_close(first[name], one[name], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("make", [_module, _papers_module, _mixture_module, _cluster_module])
def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path, monkeypatch, make):
    schedule = TrainingBudget(40, batch_size=32, checkpoint_every=10, average=0.9)
    data, whole = load_digits(), make(40)
    training.train(whole, data, schedule, checkpoints=tmp_path / "whole")

    stopped = make(40)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "__init__", _with_callback(loop.Trainer.__init__, _StopAt(27)))
        with pytest.raises(InterruptedError):
            training.train(stopped, data, schedule, checkpoints=tmp_path / "stopped")
    resumed = make(40)
    assert training.train(resumed, data, schedule, checkpoints=tmp_path / "stopped").steps == 40
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def _with_callback(init, callback):
    def patched(self, *args, callbacks, **kwargs):
        init(self, *args, callbacks=[*callbacks, callback], **kwargs)

    return patched


def test_a_time_limit_stops_a_run_early():
    taken = training.train(
        _module(100_000), load_digits(), TrainingBudget(100_000, max_minutes=0.03)
    )
    assert 0 < taken.steps < 100_000


def test_bfloat16_is_for_the_networks_inside_couplings_alone():
    g = perturb_(lz.image_bijection((1, 8, 8), depth=2, width=32))
    x = torch.rand(5, 1, 8, 8)
    exact = g(x)
    with conditioners_in(g, torch.bfloat16):
        rounded, log_det = g.forward_and_log_det(x)
        assert rounded.dtype == log_det.dtype == torch.float32
        assert not torch.equal(rounded, exact)
        torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)
        torch.testing.assert_close(g.inverse(rounded), x, rtol=0, atol=1e-5)
    assert torch.equal(g(x), exact)


def test_training_in_bfloat16_learns_and_leaves_float32_behind():
    data, module = load_digits(), _module(150)
    x = data.dequantized(2.0, seed=1)
    before = module.loss(x).item()
    training.train(module, data, TrainingBudget(150, batch_size=128, noise=2.0, precision="bf16"))
    assert module.loss(x).item() < before - 0.5
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(m.autocast is None for m in module.modules() if isinstance(m, lz.AffineCoupling))


def test_losses_are_logged_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    training.train(_module(20), load_digits(), TrainingBudget(20), logs=tmp_path, tensorboard=True)
    assert list(tmp_path.glob("logs/*/metrics.csv"))
    assert list(tmp_path.glob("tensorboard/*/events.out.tfevents.*"))


def test_without_tensorboard_its_name_is_given(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(loop, "import_module", missing)
    with pytest.raises(lz.errors.MissingExtraError, match=r"linearizer\[tensorboard\]"):
        training.train(
            _module(20), load_digits(), TrainingBudget(20), logs=tmp_path, tensorboard=True
        )


def test_pure_noise_is_kept_near():
    data, noise = load_digits(), 2 * torch.rand(64, 1, 8, 8) - 1
    reach = []
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        g = lz.image_bijection((1, 8, 8), depth=4, width=32)
        module = LikelihoodTraining(g, 200, 3e-3, ood_weight=weight)
        training.train(module, data, TrainingBudget(200, batch_size=64, noise=2.0))
        with torch.no_grad():
            reach.append(float(g(noise).abs().max()))
    assert reach[1] < 0.5 * reach[0]
    with pytest.raises(lz.errors.RangeError, match="out-of-distribution"):
        LikelihoodTraining(lz.vector_bijection(4), 10, ood_weight=-1.0)


def test_reconstruction_under_latent_noise_is_learned():
    data = load_digits()
    x = data.images[:200]

    def error(weight):
        torch.manual_seed(0)
        g = lz.image_bijection((1, 8, 8), depth=2, width=32)
        module = LikelihoodTraining(g, 200, 3e-3, reconstruction=weight)
        training.train(module, data, TrainingBudget(200, batch_size=128, noise=2.0))
        z = g(x)
        return float((g.inverse(z + 0.3 * torch.randn_like(z)) - x).square().mean())

    assert error(30.0) < 0.85 * error(0.0)
    with pytest.raises(lz.errors.RangeError, match="reconstruction"):
        LikelihoodTraining(lz.vector_bijection(4), 10, reconstruction=-1.0)


def test_the_average_of_a_run_that_ends_early_is_none_of_its_beginning():
    averaging = weight_averaging(0.999)
    averages, weights = [torch.zeros(1)], [torch.ones(1)]
    for step in range(300):
        averaging._kwargs["multi_avg_fn"](averages, weights, torch.tensor(step))
    assert averages[0] > 0.9
