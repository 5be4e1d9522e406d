"""`linearizer train projector`: an idempotent generator of any images."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import IdempotentGenerator
from linearizer.bijections import Bijection
from linearizer.data import Images, open_data
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.operators import (
    BinaryMask,
    LearnedDiagonalProjection,
    LearnedObliqueProjection,
    LearnedOrthogonalProjection,
    LearnedProjection,
)
from linearizer.operators.mask import Estimator
from linearizer.training import (
    LearnedProjectionTraining,
    PrincipalProjectionTraining,
    TrainingBudget,
    loop,
)
from linearizer.training.one_step_run import PREVIEW_STATISTICS, choose_config, statistics_of
from linearizer.training.run_folder import finish_run, open_run
from linearizer.training.sample_grids import SampleGrids
from linearizer.training.start_from import start_from

LARGEST_RANK = 128
PROJECTIONS: dict[str, type[LearnedProjection]] = {
    "diagonal": LearnedDiagonalProjection,
    "orthogonal": LearnedOrthogonalProjection,
    "oblique": LearnedObliqueProjection,
}


def train_projector(
    data: str,
    data_dir: Path | None,
    out: Path,
    *,
    preset: str | None,
    init: str | None,
    objective: str,
    rank: int | None,
    projection: str,
    estimator: Estimator,
    size: int | None,
    changes: dict[str, Any],
    weights: dict[str, float],
    tensorboard: bool,
    max_minutes: float | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Train g, find or train the projection, and save both in `out`."""
    chosen = choose_config(data, preset, changes).with_stable_inverse()
    train, _ = open_data(data, data_dir, seed=seed, size=size)
    torch.manual_seed(seed)
    g = chosen.bijection(train.shape)
    if init is not None:
        start_from(g, init)
    noise = chosen.noise * 2 / (train.quantization_levels - 1)
    module: PrincipalProjectionTraining | LearnedProjectionTraining
    if objective == "paper":
        mask = BinaryMask(g.out_shape, rank, estimator)
        module = LearnedProjectionTraining(
            g,
            PROJECTIONS[projection](mask),
            chosen.steps,
            learning_rate=chosen.learning_rate,
            weight_decay=chosen.weight_decay,
        )
    else:
        module = PrincipalProjectionTraining(
            g,
            chosen.steps,
            noise=noise,
            ranks=_ranks(rank, g.out_shape[0]),
            learning_rate=chosen.learning_rate,
            weight_decay=chosen.weight_decay,
            **weights,
        )
    settings = {
        "application": "projector",
        "data": data,
        "data_dir": None if data_dir is None else str(data_dir),
        "size": size,
        "init": init,
        "seed": seed,
        "max_minutes": max_minutes,
        "objective": objective,
        "rank": rank,
        "projection": projection if objective == "paper" else "principal components",
        "estimator": estimator if objective == "paper" else None,
        "weights": weights,
        "config": asdict(chosen),
    }
    checkpoints = open_run(out, settings, overwrite=overwrite)
    few = train.take(torch.arange(min(len(train), PREVIEW_STATISTICS)))
    if isinstance(module, PrincipalProjectionTraining):
        module.initialize(few.images)
    trained = loop.train(
        module,
        train,
        replace(TrainingBudget.of(chosen, seed=seed, max_minutes=max_minutes), noise=0.0),
        title="Training g",
        checkpoints=checkpoints,
        logs=out,
        tensorboard=tensorboard,
        callbacks=[SampleGrids(lambda: _drawn(module, few), out / "samples")],
    )
    if not trained.is_first_process:
        return
    module.cpu().eval()
    note = {**settings, "steps": trained.steps, "seconds": trained.seconds}
    finish_run(out, finished(module, train, seed), note)
    say(f"{trained.steps} steps in {trained.seconds:.0f} s; the projector is in {out}")
    say(f"Look at it: linearizer project {out} --noise 8")


def finished(
    module: PrincipalProjectionTraining | LearnedProjectionTraining, train: Images, seed: int
) -> IdempotentGenerator:
    """The projector of a trained g: in closed form, or with the projection that was trained."""
    if isinstance(module, PrincipalProjectionTraining):
        return fit_projector(module.g, train, module.ranks[-1], seed)
    batches = statistics_of(module.g, train, seed).images.split(1000)
    return IdempotentGenerator.fit(module.g, batches, projection=module.projection.frozen())


def fit_projector(g: Bijection, train: Images, rank: int, seed: int) -> IdempotentGenerator:
    """The closed-form projector on a trained g, from as many images as its statistics need."""
    batches = statistics_of(g, train, seed).images.split(1000)
    return IdempotentGenerator.fit(g, batches, rank=rank)


def _ranks(largest: int | None, n: int) -> list[int]:
    """The largest, and its halves down to an eighth."""
    largest = min(LARGEST_RANK, n // 2) if largest is None else largest
    if not 1 <= largest < n:
        raise RangeError(f"expected a rank from 1 to {n - 1}, got {largest}")
    return sorted({max(1, largest // part) for part in (8, 4, 2, 1)})


@torch.no_grad()
def _drawn(
    module: PrincipalProjectionTraining | LearnedProjectionTraining, few: Images
) -> list[Tensor]:
    """Images, their projections, and what projected noise looks like."""
    x = few.images[:12].to(next(module.g.parameters()).device)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    z = module.g(torch.cat([x, noise.to(x)]))
    if isinstance(module, PrincipalProjectionTraining):
        z = module.project(z, module.ranks[-1])
    else:
        z = module.projection(z)
    return [x.cpu(), *module.g.inverse(z).cpu().split(12)]
