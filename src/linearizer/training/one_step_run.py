"""`linearizer train one-step`: a one-step flow on any images."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.bijections import Bijection
from linearizer.data import Images, open_data
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.flows import LowRankHypernetwork
from linearizer.metrics import LPIPS
from linearizer.training import (
    PRESETS,
    FlowMatchingTraining,
    LikelihoodTraining,
    TrainingBudget,
    TrainingConfig,
    loop,
)
from linearizer.training.run_folder import finish_run, open_run
from linearizer.training.sample_grids import SampleGrids
from linearizer.training.start_from import start_from

STATISTICS = 20_000
PREVIEW_STATISTICS = 2000
LARGEST_COVARIANCE = 4096  # longer latents keep their leading directions alone
DIRECTIONS, PREVIEW_DIRECTIONS = 256, 16
PAPER_STEPS = 100


def train_one_step(
    data: str,
    data_dir: Path | None,
    out: Path,
    *,
    preset: str | None,
    init: str | None,
    stable_inverse: bool,
    operator: str,
    rank: int,
    size: int | None,
    changes: dict[str, Any],
    lpips: tuple[Path, Path] | None,
    tensorboard: bool,
    max_minutes: float | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Train a flow with one of the two kinds of operators, and save it in `out`."""
    config = choose_config(data, preset, changes)
    config = config.with_stable_inverse() if stable_inverse else config
    train, _ = open_data(data, data_dir, seed=seed, size=size)
    torch.manual_seed(seed)
    if operator == "paper":
        perceptual = None if lpips is None else LPIPS.from_files(*lpips)
        if init is not None:
            raise RangeError("expected no --init with --operator paper, which has two bijections")
        job = _paper_job(config, train, rank, perceptual)
    else:
        if lpips is not None:
            raise RangeError(
                "expected no LPIPS with the operator in closed form, which has no perceptual "
                "loss; leave it out, or pass --operator paper"
            )
        job = _job(config, train, seed, init)
    settings = {
        "application": "one-step",
        "data": data,
        "data_dir": None if data_dir is None else str(data_dir),
        "size": size,
        "init": init,
        "seed": seed,
        "max_minutes": max_minutes,
        "operator": operator,
        "rank": rank if operator == "paper" else None,
        "perceptual": lpips is not None,
        "config": asdict(config),
    }
    checkpoints = open_run(out, settings, overwrite=overwrite)
    trained = loop.train(
        job.module,
        train,
        TrainingBudget.of(config, seed=seed, max_minutes=max_minutes),
        title="Training g",
        checkpoints=checkpoints,
        logs=out,
        tensorboard=tensorboard,
        callbacks=[SampleGrids(job.draw, out / "samples")],
    )
    if not trained.is_first_process:
        return
    job.module.cpu().eval()
    flow = job.finish()
    note = {
        **settings,
        "noise_std": train.noise_std(config.noise),
        "steps": trained.steps,
        "seconds": trained.seconds,
    }
    finish_run(out, flow, note)
    say(f"{trained.steps} steps in {trained.seconds:.0f} s; the flow is in {out}")
    say(f"Look at it: linearizer sample {out} -n 64")


def choose_config(data: str, preset: str | None, changes: dict[str, Any]) -> TrainingConfig:
    """The preset that is named, or that of the data set, with some entries changed."""
    name = preset or (data if data in PRESETS else "mnist")
    if name not in PRESETS:
        raise RangeError(f"expected a preset of {', '.join(PRESETS)}, got '{name}'")
    return replace(PRESETS[name], **{k: v for k, v in changes.items() if v is not None})


def statistics_of(g: Bijection, train: Images, seed: int) -> Images:
    """As many images, drawn at random, as the covariance of the latents of g needs."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    return train.take(order[: max(STATISTICS, 16 * g.out_shape[0])])


@torch.no_grad()
def fit_flow(g: Bijection, train: Images, config: TrainingConfig, seed: int) -> OneStepFlow:
    """The closed-form flow on a trained g, from as many images as its statistics need."""
    chosen = statistics_of(g, train, seed)
    rank = DIRECTIONS if g.out_shape[0] > LARGEST_COVARIANCE else None
    return OneStepFlow.fit(g, chosen.dequantized(config.noise, seed).split(1000), rank=rank)


class _Job(NamedTuple):
    """A training module, and the flows that are made of it on the way and at the end."""

    module: LightningModule
    preview: Callable[[], OneStepFlow]
    finish: Callable[[], OneStepFlow]

    def draw(self) -> Sequence[Tensor]:
        """Rows of samples from the same noise."""
        return self.preview().sample(48, seed=0).cpu().split(12)


def _job(config: TrainingConfig, train: Images, seed: int, init: str | None) -> _Job:
    """g by maximum likelihood, operators in closed form."""
    g = config.bijection(train.shape)
    if init is not None:
        start_from(g, init)
    module = LikelihoodTraining(
        g,
        config.steps,
        config.learning_rate,
        config.weight_decay,
        reconstruction=config.reconstruction,
        ood_weight=config.ood_weight,
    )
    some = train.take(torch.arange(min(len(train), PREVIEW_STATISTICS)))

    def preview() -> OneStepFlow:
        device = next(g.parameters()).device
        rank = PREVIEW_DIRECTIONS if g.out_shape[0] > LARGEST_COVARIANCE else None
        return OneStepFlow.fit(g, [some.dequantized(config.noise, seed).to(device)], rank=rank)

    return _Job(module, preview, lambda: fit_flow(g, train, config, seed))


def _paper_job(config: TrainingConfig, train: Images, rank: int, lpips: LPIPS | None) -> _Job:
    """Both bijections and the operators together, by the paper's losses."""
    g_data, g_noise = config.bijection(train.shape), config.bijection(train.shape)
    operator = LowRankHypernetwork(g_data.out_shape[0], rank=rank)
    module = FlowMatchingTraining(
        g_data,
        operator,
        g_noise,
        steps=config.steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        perceptual=lpips,
    )

    def flow() -> OneStepFlow:
        return OneStepFlow(g_data, operator, g_noise, steps=PAPER_STEPS)

    return _Job(module, flow, flow)
