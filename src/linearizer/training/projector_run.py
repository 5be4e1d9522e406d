"""`linearizer train projector`: an idempotent generator of any images."""

import warnings
from dataclasses import asdict, replace

import torch
from torch import Tensor

from linearizer.applications import IdempotentGenerator
from linearizer.bijections import Bijection
from linearizer.data import Images, open_data
from linearizer.errors import RangeError
from linearizer.operators import (
    BinaryMask,
    LearnedDiagonalProjection,
    LearnedObliqueProjection,
    LearnedOrthogonalProjection,
    LearnedProjection,
)
from linearizer.runs import ProjectorRun
from linearizer.training import (
    LearnedProjectionTraining,
    PrincipalProjectionTraining,
    TrainingConfig,
)
from linearizer.training.job import Job, config_of, train_and_save
from linearizer.training.one_step_run import PREVIEW_STATISTICS, statistics_of
from linearizer.training.start_from import start_from
from linearizer.training.verdicts import judged_projection

LARGEST_RANK = 128
PROJECTIONS: dict[str, type[LearnedProjection]] = {
    "diagonal": LearnedDiagonalProjection,
    "orthogonal": LearnedOrthogonalProjection,
    "oblique": LearnedObliqueProjection,
}

ProjectionTraining = PrincipalProjectionTraining | LearnedProjectionTraining


def train_projector(run: ProjectorRun) -> None:
    """Train g, find or train the projection, and save both."""
    config = config_of(run).with_stable_inverse()
    train, held_out = open_data(run.data, run.data_dir, seed=run.seed, size=run.size)
    torch.manual_seed(run.seed)
    g = config.bijection(train.shape)
    if run.init is not None:
        start_from(g, run.init)
    module = _objective(run, config, g, train.quantization_levels)
    few = train.take(torch.arange(min(len(train), PREVIEW_STATISTICS)))
    if isinstance(module, PrincipalProjectionTraining):
        module.initialize(few.images)
    job = Job(
        module=lambda _: module,
        data=train,
        # The objective draws noise of its own, and compares with images that have none.
        budget=replace(config.budget(seed=run.seed, max_minutes=run.max_minutes), noise=0.0),
        finish=lambda _: finished(module, train, run.seed, redraw=run.redraw),
        result="projector is",
        look=f"Look at it: linearizer project {run.out} --noise 8",
        notes={"config": asdict(config)},
        draw=lambda: _drawn(module, few),
        show=lambda model: _shown(model, few),
        judge=lambda model, steps: judged_projection(
            model, train, held_out, logs=run.out, steps=steps, planned=config.steps
        ),
    )
    train_and_save(run, job)


def finished(
    module: ProjectionTraining, train: Images, seed: int, *, redraw: bool = True
) -> IdempotentGenerator:
    """The projector of a trained g: in closed form, or with the projection that was trained."""
    if isinstance(module, PrincipalProjectionTraining):
        return fit_projector(module.g, train, module.ranks[-1], seed, redraw=redraw)
    batches = statistics_of(module.g, train, seed).images.split(1000)
    return IdempotentGenerator.fit(module.g, batches, projection=module.projection.frozen())


def fit_projector(
    g: Bijection, train: Images, rank: int, seed: int, *, redraw: bool = True
) -> IdempotentGenerator:
    """The closed-form projector on a trained g, from as many images as its statistics need.

    Args:
        g: Trained.
        train: Images; if they have labels, what lies far is redrawn by class.
        rank: Of the projection.
        seed: Of the choice of images, and of noise.
        redraw: Make data of what lies far from the data. A g that does not tell the two apart
            keeps them as they are, with a warning.
    """
    some = statistics_of(g, train, seed)
    model = IdempotentGenerator.fit(g, some.images.split(1000), rank=rank)
    if not redraw:
        return model
    labels = some.labels if len(some.labels.unique()) > 1 else None
    try:
        return model.redrawing(some.images, labels, seed=seed)
    except RangeError as error:
        warnings.warn(f"what lies far from the data stays as it is: {error}", stacklevel=2)
        return model


def _objective(
    run: ProjectorRun, config: TrainingConfig, g: Bijection, levels: int
) -> ProjectionTraining:
    if run.objective == "paper":
        mask = BinaryMask(g.out_shape, run.rank, run.estimator)
        return LearnedProjectionTraining(
            g,
            PROJECTIONS[run.projection](mask),
            config.steps,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
        )
    return PrincipalProjectionTraining(
        g,
        config.steps,
        noise=config.noise * 2 / (levels - 1),
        ranks=_ranks(run.rank, g.out_shape[0]),
        restoration=run.restoration,
        damaged=run.damaged,
        apart=run.apart,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
    )


def _ranks(largest: int | None, n: int) -> list[int]:
    """The largest, and its halves down to an eighth."""
    largest = min(LARGEST_RANK, n // 2) if largest is None else largest
    if not 1 <= largest < n:
        raise RangeError(f"expected a rank from 1 to {n - 1}, got {largest}")
    return sorted({max(1, largest // part) for part in (8, 4, 2, 1)})


@torch.no_grad()
def _shown(model: IdempotentGenerator, few: Images) -> list[Tensor]:
    """Images and noise, each above its projection."""
    x, noise = few.images[:12], model.noise(12, seed=0)
    return [x, model.project(x), noise, model.project(noise)]


@torch.no_grad()
def _drawn(module: ProjectionTraining, few: Images) -> list[Tensor]:
    """Images, their projections, and what projected noise looks like."""
    x = few.images[:12].to(next(module.g.parameters()).device)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    z = module.g(torch.cat([x, noise.to(x)]))
    if isinstance(module, PrincipalProjectionTraining):
        z = module.project(z, module.ranks[-1])
    else:
        z = module.projection(z)
    return [x.cpu(), *module.g.inverse(z).cpu().split(12)]
