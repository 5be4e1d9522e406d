"""The commands on a trained projector: their options."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from linearizer.cli.flow_commands import Overwrite, Resize, Seed
from linearizer.cli.options import MOST_DRAWN, real, whole

Run = Annotated[str, typer.Argument(help="Folder of a trained projector, or a pretrained one.")]
Rank = Annotated[int | None, typer.Option(help="Onto so many directions; all if not given.")]


def _work() -> ModuleType:
    from linearizer.cli import projector  # noqa: PLC0415  (matplotlib is slow to import)

    return projector


def project(
    run: Run,
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Image files; held-out ones of the run's data if none."),
    ] = None,
    noise: Annotated[
        int | None, whole(min=1, max=MOST_DRAWN, help="Project so many of N(0, I).")
    ] = None,
    corrupt: Annotated[
        str,
        typer.Option(
            help="Damage the images first: noise, salt, blur, occlude, pixelate, fade, scratch; "
            "several with commas."
        ),
    ] = "",
    data_dir: Annotated[Path | None, typer.Option(help="Where the run's data lie.")] = None,
    rank: Rank = None,
    resize: Resize = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("projected.png"),
    overwrite: Overwrite = False,
) -> None:
    """Project images, damaged images or noise onto what data look like."""
    work = _work()
    names = [name.strip() for name in corrupt.split(",") if name.strip()]
    if names and noise is not None and not images:
        raise typer.BadParameter("give --noise or --corrupt, or images to corrupt beside the noise")
    work.project(
        run,
        images or [],
        noise=noise,
        corruptions=names,
        data_dir=data_dir,
        rank=rank,
        resize=resize,
        seed=seed,
        out=work.Output(out, overwrite=overwrite),
    )


def generate(
    run: Run,
    count: Annotated[
        int, whole("-n", "--count", min=1, max=MOST_DRAWN, help="Number of images.")
    ] = 64,
    noise: Annotated[
        bool, typer.Option(help="Project noise, instead of drawing from the range.")
    ] = False,
    rank: Rank = None,
    temperature: Annotated[float, real(min=0.0, help="Factor of the standard deviations.")] = 1.0,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("generated.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw new images from the range of a projector."""
    work = _work()
    output = work.Output(out, overwrite=overwrite)
    work.generate(
        run, count, noise=noise, rank=rank, temperature=temperature, seed=seed, out=output
    )


def add_projector_commands(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for command in (project, generate):
        app.command()(command)
