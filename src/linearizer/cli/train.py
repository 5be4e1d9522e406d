"""`linearizer train ...`."""

import typer

from linearizer.cli.options import CommandGroup, lpips_files, named_files, takes
from linearizer.runs import OneStepRun, ProjectorRun, StyleRun

train = typer.Typer(
    cls=CommandGroup,
    help="Train a model on images: a generator, a projector or styles.",
    no_args_is_help=True,
)


@train.command("one-step")
@takes(OneStepRun)
def one_step(run: OneStepRun) -> None:
    """Train a one-step generator of images.

    By default g by maximum likelihood, and the operator in closed form; with --classes one
    operator for each label of the data, with --components one for each cluster.

    An interrupted run goes on where it stopped when the same command is given again. Several
    processes: torchrun --nproc-per-node 2 -m linearizer train one-step ...
    """
    from linearizer.training.one_step_run import train_one_step  # noqa: PLC0415  (slow to import)

    lpips_files(run.lpips_backbone, run.lpips_heads)  # one of them alone is refused
    train_one_step(run)


@train.command("style")
@takes(StyleRun)
def style(run: StyleRun) -> None:
    """Train style transfer: two shared bijections, and a linear operator per teacher.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from linearizer.training.style_run import train_style  # noqa: PLC0415  (slow to import)

    named_files(run.teacher)  # what is not NAME=FILE is refused
    train_style(run)


@train.command("projector")
@takes(ProjectorRun)
def projector(run: ProjectorRun) -> None:
    """Train a projector onto what data look like: f(f(x)) = f(x) for every x.

    By default g alone is trained; the projection is principal components of its latents, and
    holds all lower ranks. An interrupted run goes on where it stopped when the same command is
    given again.
    """
    from linearizer.training.projector_run import train_projector  # noqa: PLC0415  (slow to import)

    train_projector(run)
