"""`linearizer train ...`: its commands and options."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linearizer.cli.command_group import CommandGroup
from linearizer.cli.options import MOST_STEPS, real, seed_option, whole


def lpips_files(backbone: Path | None, heads: Path | None) -> tuple[Path, Path] | None:
    """Both files of LPIPS, or none of them."""
    if backbone is None or heads is None:
        if backbone is not heads:
            raise typer.BadParameter("give both --lpips-backbone and --lpips-heads, or neither")
        return None
    return backbone, heads


class Precision(StrEnum):
    """The type of the networks inside the couplings while they train."""

    full = "32"
    bf16 = "bf16"


class StyleObjective(StrEnum):
    """How styles are trained."""

    ours = "ours"
    paper = "paper"


class StyleOperator(StrEnum):
    """Which linear operators styles are."""

    convolution = "convolution"
    depthwise = "depthwise"


class ProjectorObjective(StrEnum):
    """How a projector comes about."""

    ours = "ours"
    paper = "paper"


class TrainedProjection(StrEnum):
    """The operators of `operators.binary_projection`."""

    diagonal = "diagonal"
    orthogonal = "orthogonal"
    oblique = "oblique"


class MaskEstimator(StrEnum):
    """The estimators of `operators.BinaryMask`."""

    straight_through = "straight-through"
    gumbel = "gumbel"
    rotation = "rotation"


class Operator(StrEnum):
    """How A(t) comes about."""

    closed_form = "closed-form"
    paper = "paper"


# Options that several of the commands have.
Data = Annotated[
    str, typer.Option(help="digits, mnist, faces64, hf:NAME, or a folder or zip of images.")
]
Out = Annotated[Path, typer.Option(help="Folder of the run.")]
DataDir = Annotated[Path | None, typer.Option(help="Where the files of mnist or faces64 lie.")]
Size = Annotated[
    int | None, whole(min=4, max=4096, help="Side that a folder's images are resized to.")
]
Steps = Annotated[int | None, whole(min=1, max=MOST_STEPS, help="Optimiser steps.")]
Depth = Annotated[int | None, whole(min=1, max=1000, help="Couplings.")]
Width = Annotated[int | None, whole(min=1, max=65_536, help="Hidden width of a coupling.")]
Init = Annotated[
    str | None, typer.Option(help="Start from the g of this flow or projector, a folder or a name.")
]
LearningRate = Annotated[float | None, real(min=0.0, help="Its peak.")]
NetworkPrecision = Annotated[
    Precision | None,
    typer.Option(help="Type of the couplings' networks in training; the rest is float32."),
]
Tensorboard = Annotated[bool, typer.Option(help="Log for TensorBoard, beside CSV.")]
MaxMinutes = Annotated[float | None, real(min=0.01, help="Train no longer than this.")]
Seed = Annotated[int, seed_option(help="Seed of everything random.")]
Overwrite = Annotated[bool, typer.Option(help="Replace a finished run.")]

train = typer.Typer(cls=CommandGroup, help="Train a model on images.", no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Train a model on images."""


@train.command("one-step")
def one_step(
    data: Data,
    out: Out,
    data_dir: DataDir = None,
    preset: Annotated[
        str | None, typer.Option(help="TrainingConfig: digits, mnist, faces64 or quick.")
    ] = None,
    init: Init = None,
    stable_inverse: Annotated[
        bool, typer.Option(help="A g that can be inverted on any input, far from the data too.")
    ] = False,
    operator: Annotated[
        Operator, typer.Option(help="Closed form, or the paper's trained hypernetwork.")
    ] = Operator.closed_form,
    rank: Annotated[int, whole(min=1, help="Of the paper's operator.")] = 16,
    size: Size = None,
    steps: Steps = None,
    batch_size: Annotated[int | None, whole(min=1, help="Images a step.")] = None,
    depth: Depth = None,
    width: Width = None,
    noise: Annotated[
        float | None, real(min=0.0, help="Dequantisation noise, in grey levels.")
    ] = None,
    reconstruction: Annotated[
        float | None,
        typer.Option(min=0.0, help="Weight of reconstruction under latent noise."),
    ] = None,
    learning_rate: LearningRate = None,
    precision: NetworkPrecision = None,
    lpips_backbone: Annotated[
        Path | None,
        typer.Option(help="Weights of SqueezeNet 1.1: adds the paper's perceptual loss."),
    ] = None,
    lpips_heads: Annotated[Path | None, typer.Option(help="Weights of its LPIPS heads.")] = None,
    tensorboard: Tensorboard = False,
    max_minutes: MaxMinutes = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train a one-step generator of images.

    By default g by maximum likelihood, and the operator in closed form.

    An interrupted run goes on where it stopped when the same command is given again. Several
    processes: torchrun --nproc-per-node 2 -m linearizer train one-step ...
    """
    from linearizer.training.one_step_run import train_one_step  # noqa: PLC0415  (Lightning is slow to import)

    changes = {
        "steps": steps,
        "batch_size": batch_size,
        "depth": depth,
        "width": width,
        "noise": noise,
        "reconstruction": reconstruction,
        "learning_rate": learning_rate,
        "precision": None if precision is None else precision.value,
    }
    train_one_step(
        data,
        data_dir,
        out,
        preset=preset,
        init=init,
        stable_inverse=stable_inverse,
        operator=operator.value,
        rank=rank,
        size=size,
        changes=changes,
        lpips=lpips_files(lpips_backbone, lpips_heads),
        tensorboard=tensorboard,
        max_minutes=max_minutes,
        seed=seed,
        overwrite=overwrite,
    )


@train.command("style")
def style(
    content: Annotated[
        str, typer.Option(help="Contents: a folder or zip of images, faces64, or hf:NAME.")
    ],
    teacher: Annotated[
        list[str],
        typer.Option(help="NAME=FILE, weights of a fast-neural-style network; one or more."),
    ],
    out: Out,
    data_dir: Annotated[Path | None, typer.Option(help="Where the files of faces64 lie.")] = None,
    size: Annotated[int, whole(min=16, max=4096, help="Side of the contents.")] = 64,
    contents: Annotated[
        int | None, whole(min=64, help="Train on so many; all if not given.")
    ] = None,
    depth: Annotated[int, whole(min=1, max=1000, help="Couplings of each bijection.")] = 6,
    width: Annotated[int, whole(min=1, max=65_536, help="Channels inside a coupling.")] = 128,
    operator: Annotated[
        StyleOperator,
        typer.Option(help="Convolutions that mix all channels, or filter each by itself."),
    ] = StyleOperator.convolution,
    kernel: Annotated[
        int, whole(min=1, max=1001, help="Side of a style's kernel, odd; 1 mixes channels alone.")
    ] = 5,
    steps: Annotated[int, whole(min=1, max=MOST_STEPS, help="Optimiser steps.")] = 6000,
    max_minutes: MaxMinutes = None,
    precision: Annotated[
        Precision, typer.Option(help="Type of the couplings' networks in training.")
    ] = Precision.full,
    objective: Annotated[
        StyleObjective, typer.Option(help="Ours, or the paper's: one content, a number a channel.")
    ] = StyleObjective.ours,
    seed: Seed = 0,
    tensorboard: Tensorboard = False,
    overwrite: Overwrite = False,
) -> None:
    """Train style transfer: two shared bijections, and a linear operator a teacher.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from linearizer.training.style_run import train_style  # noqa: PLC0415  (slow to import)

    train_style(
        content,
        data_dir,
        dict(named_file(text) for text in teacher),
        out,
        size=size,
        contents=contents,
        depth=depth,
        width=width,
        operator=operator.value,
        kernel=kernel,
        steps=steps,
        max_minutes=max_minutes,
        precision=precision.value,
        objective=objective.value,
        seed=seed,
        tensorboard=tensorboard,
        overwrite=overwrite,
    )


@train.command("projector")
def projector(
    data: Data,
    out: Out,
    data_dir: DataDir = None,
    preset: Annotated[
        str | None, typer.Option(help="Size of g and of the run: digits, mnist, faces64 or quick.")
    ] = None,
    init: Init = None,
    objective: Annotated[
        ProjectorObjective,
        typer.Option(help="Ours, in closed form, or the paper's trained projection."),
    ] = ProjectorObjective.ours,
    rank: Annotated[
        int | None,
        typer.Option(
            help="Largest rank; 128, or half of the pixels; learned with the paper's recipe."
        ),
    ] = None,
    projection: Annotated[
        TrainedProjection, typer.Option(help="Of the paper's recipe.")
    ] = TrainedProjection.diagonal,
    estimator: Annotated[
        MaskEstimator, typer.Option(help="Of the gradient of its mask.")
    ] = MaskEstimator.straight_through,
    size: Size = None,
    steps: Steps = None,
    batch_size: Annotated[int | None, whole(min=2, help="Images a step.")] = None,
    depth: Depth = None,
    width: Width = None,
    noise: Annotated[
        float | None, real(min=0.0, help="Noise of our recipe, in grey levels.")
    ] = None,
    learning_rate: LearningRate = None,
    restoration: Annotated[
        float, real(min=0.0, help="Weight of it against the likelihood, in our recipe.")
    ] = 20.0,
    damaged: Annotated[
        float, real(min=0.0, max=1.0, help="Share of damaged images, in our recipe.")
    ] = 0.5,
    precision: NetworkPrecision = None,
    tensorboard: Tensorboard = False,
    max_minutes: MaxMinutes = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train a projector onto what data look like: f(f(x)) = f(x) for every x.

    By default g alone is trained; the projection is principal components of its latents, and
    holds all lower ranks. An interrupted run goes on where it stopped when the same command is
    given again.
    """
    from linearizer.training.projector_run import train_projector  # noqa: PLC0415  (slow to import)

    train_projector(
        data,
        data_dir,
        out,
        preset=preset,
        init=init,
        objective=objective.value,
        rank=rank,
        projection=projection.value,
        estimator=estimator.value,
        size=size,
        changes={
            "steps": steps,
            "batch_size": batch_size,
            "depth": depth,
            "width": width,
            "noise": noise,
            "learning_rate": learning_rate,
            "precision": None if precision is None else precision.value,
        },
        weights={"restoration": restoration, "damaged": damaged},
        tensorboard=tensorboard,
        max_minutes=max_minutes,
        seed=seed,
        overwrite=overwrite,
    )


def named_file(text: str) -> tuple[str, Path]:
    """NAME=FILE in its two parts."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise typer.BadParameter(f"expected NAME=FILE, got {text!r}")
    return name, Path(path)
