"""Comparing fairly: calls timed in turn in one run, trainings that last equally long."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from linearizer import training
from linearizer.data import Images
from linearizer.training import TrainingBudget
from linearizer.training.averaging import average_decay

PROBE = 9
"""Steps that tell how long one takes; what is done every fourth step is among them twice."""


def seconds(
    *calls: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """The median time of each call, all of them in turn after one round to warm up.

    On a machine that does other things too, `time.process_time` is the fairer clock.
    """
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for record, call in zip(times, calls, strict=True):
            started = clock()
            call()
            record.append(clock() - started)
    return [statistics.median(record[1:]) for record in times]


@dataclass(frozen=True)
class Taken:
    """Steps of one training, and the seconds of the processor that they took."""

    steps: int
    seconds: float


class ProcessorClock(Callback):
    """The processor's time after each step of a training, which it ends after some minutes."""

    def __init__(self, minutes: float | None = None) -> None:
        self.minutes = minutes
        self.times: list[float] = []

    def on_train_start(self, *_: Any) -> None:
        """Begin."""
        self.times = [time.process_time()]

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Note the time, and stop if it is up."""
        self.times.append(time.process_time())
        if self.minutes is not None and self.seconds() >= 60 * self.minutes:
            trainer.should_stop = True

    def seconds(self) -> float:
        """Of the processor, so far."""
        return self.times[-1] - self.times[0]


def train_for(
    minutes: float,
    data: Images,
    batch_size: int,
    noise: float,
    make: Callable[[int], LightningModule],
    *,
    average: bool = False,
    callbacks: Sequence[Callback] = (),
) -> tuple[LightningModule, Taken]:
    """Train a fresh module for some minutes of the processor, its learning rate decaying over them.

    A few steps of a copy tell how many there is time for. What else the machine does then costs
    no training, as it would by the clock on the wall.

    Args:
        minutes: Of the processor, in this process.
        data: What it is trained on.
        batch_size: Images a step.
        noise: Width of the uniform noise of the batches, in grey levels.
        make: The module, given the steps that it will be trained for.
        average: Average the weights, over a thousand steps or a tenth of the training.
        callbacks: More of Lightning's callbacks; at the end of training the weights are not yet
            the averaged ones.
    """

    def run(
        module_steps: int, steps: int, clock: ProcessorClock, more: Sequence[Callback]
    ) -> LightningModule:
        torch.manual_seed(0)
        module = make(module_steps)
        decay = average_decay(steps) if average else None
        budget = TrainingBudget(steps, batch_size=batch_size, noise=noise, average=decay)
        training.train(module, data, budget, callbacks=[*more, clock])
        return module

    probe = ProcessorClock()
    run(1000, PROBE, probe, ())
    each = (probe.times[-1] - probe.times[1]) / (PROBE - 1)  # the first step is slower
    clock = ProcessorClock(minutes)
    steps = max(2, int(60 * minutes / each))
    module = run(steps, steps, clock, callbacks)
    return module.eval(), Taken(len(clock.times) - 1, clock.seconds())
