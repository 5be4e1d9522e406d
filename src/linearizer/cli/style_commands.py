"""`linearizer stylize` and `linearizer style ...`: their options."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from linearizer.cli.command_group import CommandGroup
from linearizer.cli.flow_commands import Overwrite
from linearizer.cli.options import MOST_IN_A_ROW, real, whole
from linearizer.cli.train_commands import lpips_files, named_file
from linearizer.training.run_folder import new_file, new_picture

Run = Annotated[str, typer.Argument(help="Folder of trained styles.")]
Photo = Annotated[Path, typer.Argument(help="Image file, of any size.")]
Name = Annotated[str, typer.Argument(help="Name of a style.")]

style = typer.Typer(cls=CommandGroup, help="Styles as linear operators.", no_args_is_help=True)


def _work() -> ModuleType:
    from linearizer.cli import style as work  # noqa: PLC0415  (matplotlib is slow to import)

    return work


def stylize(
    run: Run,
    photo: Photo,
    mix: Annotated[str, typer.Option(help="NAME, or NAME=WEIGHT,NAME=WEIGHT,...")],
    strength: Annotated[
        float, real(min=-1e6, help="0 is plain, 1 the style, beyond on the same line.")
    ] = 1.0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("stylized.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw a photograph in a style or in a mix of styles.

    The exact numbers lie beside the picture, for `style undo`.
    """
    work = _work()
    new_picture(out, overwrite=overwrite)
    new_file(out.with_suffix(work.EXACT), overwrite=overwrite)
    work.stylize(run, photo, weights_of(mix), strength, out)


@style.callback()
def _style() -> None:
    """Styles as linear operators."""


@style.command()
def add(
    run: Run,
    name: Name,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Folder with folders `content` and `style`: files of equal names."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Weights of a fast-neural-style network.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="A single style picture, for whitening and colouring.")
    ] = None,
    content: Annotated[
        str | None, typer.Option(help="Contents for a teacher or a picture; the run's own else.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where their files lie.")] = None,
    contents: Annotated[int, whole(min=16, help="Use so many of them.")] = 500,
    ridge: Annotated[float, real(min=0.0, help="Of the least squares.")] = 1e-4,
    kernel: Annotated[int, whole(min=1, max=1001, help="Side of the kernel, odd.")] = 5,
    refine: Annotated[
        int, whole(min=0, help="Steps from the best latents on to the best images.")
    ] = 6,
    overwrite: Overwrite = False,
) -> None:
    """Add a style to a model by least squares: g stays as it is, and it takes seconds.

    The solution between latents is refined by a few whitened gradient steps on the images;
    with --refine 0 it stays the closed form.
    """
    if sum(source is not None for source in (pairs, teacher, picture)) != 1:
        raise typer.BadParameter("give one of --pairs, --teacher and --picture")
    _work().add(
        run,
        name,
        pairs=pairs,
        teacher=teacher,
        picture=picture,
        content=content,
        data_dir=data_dir,
        contents=contents,
        ridge=ridge,
        kernel=kernel,
        refine=refine,
        overwrite=overwrite,
    )


@style.command()
def interpolate(
    run: Run,
    photo: Photo,
    a: Name,
    b: Name,
    steps: Annotated[int, whole(min=2, max=MOST_IN_A_ROW, help="Images on the way.")] = 9,
    geodesic: Annotated[bool, typer.Option(help="Along A (A⁻¹ B)^s, not the line.")] = False,
    out: Annotated[Path, typer.Option(help="PNG file; a GIF is written beside it.")] = Path(
        "styles.png"
    ),
    overwrite: Overwrite = False,
) -> None:
    """Walk from one style to another, as a strip and as a GIF."""
    work = _work()
    strip = new_picture(out, overwrite=overwrite)
    gif = new_file(out.with_suffix(".gif"), overwrite=overwrite)
    work.interpolate(run, photo, a, b, steps, geodesic, strip, gif)


@style.command()
def undo(
    run: Run,
    photo: Photo,
    name: Name,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("undone.png"),
    overwrite: Overwrite = False,
) -> None:
    """Take a style off an image that stylize made, by the pseudo-inverse of its operator.

    It reads the exact numbers beside the picture: 8 bits are too few to undo a style.
    """
    work = _work()
    work.undo(run, photo, name, new_picture(out, overwrite=overwrite))


@style.command()
def compose(
    run: Run,
    photo: Photo,
    a: Name,
    b: Name,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("composed.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw a photograph with the product of two operators: first a, then b."""
    work = _work()
    work.compose(run, photo, a, b, new_picture(out, overwrite=overwrite))


@style.command()
def directions(
    run: Run,
    photo: Photo,
    name: Name,
    count: Annotated[int, whole("-k", "--count", min=1, help="Directions.")] = 4,
    reach: Annotated[float, real(min=0.0, help="Furthest factor of a direction.")] = 2.0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("style-directions.png"),
    overwrite: Overwrite = False,
) -> None:
    """Weaken and strengthen the leading singular parts of a style, each at all frequencies."""
    work = _work()
    work.directions(run, photo, name, count, reach, new_picture(out, overwrite=overwrite))


@style.command()
def compare(
    run: Run,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("style-distances.png"),
    overwrite: Overwrite = False,
) -> None:
    """Print and draw how far the styles lie from each other, and the basis that they share."""
    work = _work()
    work.compare(run, new_picture(out, overwrite=overwrite))


@style.command()
def evaluate(
    run: Run,
    teacher: Annotated[list[str], typer.Option(help="NAME=FILE, the teacher of a style.")],
    content: Annotated[
        str | None, typer.Option(help="Contents, of which the held-out part is used.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where their files lie.")] = None,
    count: Annotated[int, whole("-n", "--count", min=1, help="Held-out contents.")] = 200,
    lpips_backbone: Annotated[
        Path | None, typer.Option(help="Weights of SqueezeNet 1.1, for LPIPS.")
    ] = None,
    lpips_heads: Annotated[Path | None, typer.Option(help="Weights of its LPIPS heads.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; the run by default.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure styles against their teachers and against the same operators on pixels."""
    from linearizer.cli.evaluate import evaluate_style  # noqa: PLC0415  (slow to import)

    evaluate_style(
        run,
        dict(named_file(text) for text in teacher),
        content=content,
        data_dir=data_dir,
        count=count,
        lpips=lpips_files(lpips_backbone, lpips_heads),
        out=out,
        overwrite=overwrite,
    )


def weights_of(mix: str) -> dict[str, float]:
    """`a=0.4,b=0.6` as weights by name; a name alone weighs 1."""
    weights = {}
    for part in mix.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            weights[name] = float(weight or 1)
        except ValueError as error:
            raise typer.BadParameter(f"expected NAME=WEIGHT, got {part!r}") from error
    return weights


def add_style_commands(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    app.command()(stylize)
    app.add_typer(style, name="style")
