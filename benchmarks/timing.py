"""Comparing fairly: calls timed in turn in one run, trainings that last equally long."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningModule

from linearizer import training
from linearizer.data import Images
from linearizer.training import TrainingBudget
from linearizer.training.batches import RandomBatches


def seconds(*calls: Callable[[], object], rounds: int) -> list[float]:
    """The median time of each call, all of them in turn after one round to warm up."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for record, call in zip(times, calls, strict=True):
            started = time.perf_counter()
            call()
            record.append(time.perf_counter() - started)
    return [statistics.median(record[1:]) for record in times]


@dataclass(frozen=True)
class Taken:
    """Steps and seconds of one training."""

    steps: int
    seconds: float


def train_for(
    minutes: float,
    data: Images,
    batch_size: int,
    noise: float,
    make: Callable[[int], LightningModule],
) -> tuple[LightningModule, Taken]:
    """Train a fresh module for some minutes, its learning rate decaying over just these.

    A few steps of a copy tell how many there is time for.
    """
    torch.manual_seed(0)
    probe = make(1000)
    optimizer = torch.optim.Adam(probe.parameters(), lr=1e-4)
    batches = RandomBatches(data, batch_size=batch_size, steps=6, noise=noise, seed=1)
    times = []
    for images, _ in batches:
        started = time.perf_counter()
        optimizer.zero_grad()
        loss = probe.losses(images).total() if hasattr(probe, "losses") else probe.loss(images)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - started)
    steps = max(2, int(60 * minutes / sorted(times[1:])[len(times) // 2 - 1]))
    torch.manual_seed(0)
    module = make(steps)
    schedule = TrainingBudget(steps, batch_size=batch_size, noise=noise, max_minutes=minutes)
    trained = training.train(module, data, schedule)
    return module.eval(), Taken(trained.steps, trained.seconds)
