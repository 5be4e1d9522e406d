"""`linearizer train one-step`: a one-step flow of any images."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from linearizer._random import normal
from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.bijections import Bijection
from linearizer.data import Images, open_data
from linearizer.errors import RangeError
from linearizer.estimation import clusters
from linearizer.flows import LowRankHypernetwork
from linearizer.metrics import LPIPS
from linearizer.runs import OneStepRun
from linearizer.training import FlowMatchingTraining, LikelihoodTraining, TrainingConfig
from linearizer.training.classes_fit import (
    DIRECTIONS,
    LARGEST_COVARIANCE,
    NOISE,
    check_labels,
)
from linearizer.training.job import Job, config_of, train_and_save
from linearizer.training.objectives.class_moments import ClassMoments
from linearizer.training.objectives.mixture_likelihood import MixtureLikelihoodTraining
from linearizer.training.start_from import start_from
from linearizer.training.verdicts import Verdict, judged_density, judged_samples

STATISTICS = 20_000
PREVIEW_STATISTICS = 2000
PREVIEW_DIRECTIONS = 16
PAPER_STEPS = 100

Flow = OneStepFlow | ConditionalFlow
Made = tuple[LightningModule, Callable[[], Flow], Callable[[], Flow]]
"""A training module, and what makes the flow of it on the way and at the end."""


def train_one_step(run: OneStepRun) -> None:
    """Train a flow with one of the two kinds of operators, and save it."""
    config = config_of(run)
    config = config.with_stable_inverse() if run.stable_inverse else config
    train, held_out = open_data(run.data, run.data_dir, seed=run.seed, size=run.size)
    torch.manual_seed(run.seed)
    make = _by_paper if run.operator == "paper" else _in_closed_form
    budget, data = config.budget(seed=run.seed, max_minutes=run.max_minutes), train
    if run.classes or run.components is not None:
        config = config if run.noise is not None else _with_std(config, train)
        budget, data = replace(budget, noise=0.0), _numbered(train)  # the objective adds its own
        make = _by_classes
    module, preview, finish = make(run, config, train)
    std = train.noise_std(config.noise)

    def noisy(images: Images) -> Tensor:
        if make is not _by_classes:
            return images.dequantized(config.noise, run.seed)
        return images.images + std * normal(tuple(images.images.shape), run.seed, images.images)

    def show(model: Flow) -> Sequence[Tensor]:
        images = model.sample(48, seed=0)
        return (images if make is _by_paper else model.denoise(images, std)).split(12)

    def judge(model: Flow, steps: int) -> Verdict:
        if isinstance(model, OneStepFlow) and make is _by_paper:
            return judged_samples(
                model, train, held_out, logs=run.out, steps=steps, planned=config.steps
            )
        return judged_density(
            model, train, held_out, noisy, logs=run.out, steps=steps, planned=config.steps
        )

    job = Job(
        module=lambda _: module,
        data=data,
        budget=budget,
        finish=lambda _: finish(),
        result="flow is",
        look=f"More of it: linearizer sample {run.out} -n 64 --denoise",
        notes={"config": asdict(config)},
        findings={"noise_std": std},
        draw=lambda: preview().sample(48, seed=0).cpu().split(12),
        show=show,
        judge=judge,
    )
    train_and_save(run, job)


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


def _in_closed_form(run: OneStepRun, config: TrainingConfig, train: Images) -> Made:
    """g by maximum likelihood, operators in closed form."""
    g = _started(run, config, train)
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
        return OneStepFlow.fit(g, [some.dequantized(config.noise, run.seed).to(device)], rank=rank)

    return module, preview, lambda: fit_flow(g, train, config, run.seed)


def _by_classes(run: OneStepRun, config: TrainingConfig, train: Images) -> Made:
    """g by the likelihood of one Gaussian for each class or cluster, operators in closed form."""
    _check_classes(run, train)
    g = _started(run, config, train)
    n, std = g.out_shape[0], train.noise_std(config.noise)
    if n > LARGEST_COVARIANCE:
        raise RangeError(
            f"expected at most {LARGEST_COVARIANCE} pixels and channels to train classes on, got "
            f"{n}; leave out {_option(run)}, and add them with linearizer classes add"
        )
    chosen = statistics_of(g, _numbered(train), run.seed)
    if run.components is not None:
        chosen = replace(chosen, labels=_clusters(g, chosen.images, run.components, run.seed))
    module = MixtureLikelihoodTraining(
        g,
        ClassMoments(run.components or len(train.labels.unique()), n),
        config.steps,
        config.learning_rate,
        config.weight_decay,
        std=std,
        labeled=run.classes,
    )
    module.start(chosen.images, chosen.labels)

    def fit(some: Images, noise: float) -> ConditionalFlow:
        x = some.images.to(next(g.parameters()).device)
        labels = some.labels.to(x.device) if run.classes else module.likeliest(x)
        return ConditionalFlow.fit(g, x, labels, noise=noise, seed=run.seed)

    few = train.take(torch.arange(min(len(train), PREVIEW_STATISTICS)))
    return module, lambda: fit(few, 0.0), lambda: fit(train, std)


def _check_classes(run: OneStepRun, train: Images) -> None:
    """Refuse what does not go with classes, and classes that there are not."""
    if run.classes and run.components is not None:
        raise RangeError("expected --classes or --components, got both; give one of them")
    if run.operator == "paper":
        raise RangeError(
            f"expected no {_option(run)} with --operator paper, got both; give one of them"
        )
    if run.reconstruction:
        raise RangeError(
            f"expected no --reconstruction with {_option(run)}, got {run.reconstruction:g}; "
            "leave it out"
        )
    if run.classes:
        check_labels(train)


def _option(run: OneStepRun) -> str:
    return "--classes" if run.classes else "--components"


@torch.no_grad()
def _clusters(g: Bijection, images: Tensor, count: int, seed: int) -> Tensor:
    """The cluster of each image, by k-means of the latents that g begins with."""
    return clusters(torch.cat([g(x) for x in images.split(1000)]), count, seed)


def _started(run: OneStepRun, config: TrainingConfig, train: Images) -> Bijection:
    """A new g, or one that starts as another."""
    if run.lpips_backbone is not None:
        raise RangeError(
            "expected no LPIPS with the operator in closed form, which has no perceptual "
            "loss; leave it out, or pass --operator paper"
        )
    g = config.bijection(train.shape)
    if run.init is not None:
        start_from(g, run.init)
    return g


def _with_std(config: TrainingConfig, train: Images) -> TrainingConfig:
    """The same with the noise that classes are told apart with, in gray levels."""
    return replace(config, noise=NOISE / train.noise_std(1.0))


def _numbered(data: Images) -> Images:
    """The images with labels 0, 1, ... in the order of theirs."""
    return replace(data, labels=data.labels.unique(return_inverse=True)[1])


def _by_paper(run: OneStepRun, config: TrainingConfig, train: Images) -> Made:
    """Both bijections and the operators together, by the paper's losses."""
    perceptual = None
    if run.lpips_backbone is not None and run.lpips_heads is not None:
        perceptual = LPIPS.from_files(run.lpips_backbone, run.lpips_heads)
    if run.init is not None:
        raise RangeError("expected no --init with --operator paper, which has two bijections")
    g_data, g_noise = config.bijection(train.shape), config.bijection(train.shape)
    operator = LowRankHypernetwork(g_data.out_shape[0], rank=run.rank)
    module = FlowMatchingTraining(
        g_data,
        operator,
        g_noise,
        steps=config.steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        perceptual=perceptual,
    )

    def flow() -> OneStepFlow:
        return OneStepFlow(g_data, operator, g_noise, steps=PAPER_STEPS)

    return module, flow, flow
