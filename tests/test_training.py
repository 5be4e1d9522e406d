"""Training: it learns, and an interrupted run goes on to the same result."""

import pytest
import torch

import linearizer as lz

pytest.importorskip("lightning")
from lightning.pytorch import Callback

from linearizer.data import load_digits
from linearizer.training import MaximumLikelihood, Schedule, fit, loop


class _StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *args, **kwargs):
        if trainer.global_step == self.step:
            raise InterruptedError


def _module(steps):
    torch.manual_seed(0)
    g = lz.image_bijection((1, 8, 8), depth=2, width=32)
    return MaximumLikelihood(g, steps, learning_rate=3e-3)


def test_maximum_likelihood_lowers_the_loss():
    data, module = load_digits(), _module(150)
    x = data.dequantized(2.0, seed=1)
    before = module.loss(x).item()
    taken = fit(module, data, Schedule(150, batch_size=128, noise=2.0))
    assert taken.steps == 150
    assert taken.seconds > 0
    assert module.loss(x).item() < before - 0.5


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path, monkeypatch):
    schedule = Schedule(40, batch_size=32, checkpoint_every=10, average=0.9)
    data, whole = load_digits(), _module(40)
    fit(whole, data, schedule, checkpoints=tmp_path / "whole")

    stopped = _module(40)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "__init__", _with_callback(loop.Trainer.__init__, _StopAt(27)))
        with pytest.raises(InterruptedError):
            fit(stopped, data, schedule, checkpoints=tmp_path / "stopped")
    resumed = _module(40)
    assert fit(resumed, data, schedule, checkpoints=tmp_path / "stopped").steps == 40
    for a, b in zip(whole.g.parameters(), resumed.g.parameters(), strict=True):
        assert torch.equal(a, b)


def _with_callback(init, callback):
    def patched(self, *args, callbacks, **kwargs):
        init(self, *args, callbacks=[*callbacks, callback], **kwargs)

    return patched


def test_a_time_limit_stops_a_run_early():
    taken = fit(_module(100_000), load_digits(), Schedule(100_000, max_minutes=0.03))
    assert 0 < taken.steps < 100_000
