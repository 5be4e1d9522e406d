"""The commands on trained styles."""

import warnings
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from linearizer._files import atomic_write
from linearizer.applications import StyleTransfer
from linearizer.cli.options import (
    MOST_IN_A_ROW,
    Backbone,
    CommandGroup,
    DataDir,
    Folder,
    Heads,
    Overwrite,
    Picture,
    lpips_files,
    named_files,
    real,
    weights_of,
    whole,
)
from linearizer.data.images import resized
from linearizer.data.pixels import as_picture, read_image
from linearizer.display.console import say
from linearizer.errors import FileExistsAlreadyError, LinearizerWarning
from linearizer.saving import current
from linearizer.saving.certificate import CERTIFICATE_FILE
from linearizer.saving.run_information import open_model

Styles = Annotated[str, typer.Argument(help="Folder of trained styles, or a pretrained one.")]
Photo = Annotated[Path, typer.Argument(help="Image file, of any size.")]
Name = Annotated[str, typer.Argument(help="Name of a style.")]

style = typer.Typer(cls=CommandGroup, help="Styles as linear operators.", no_args_is_help=True)


def stylize(
    run: Styles,
    photo: Photo,
    mix: Annotated[str, typer.Option(help="NAME, or NAME=WEIGHT,NAME=WEIGHT,...")],
    strength: Annotated[
        float, real(min=-1e6, help="0 is plain, 1 the style, beyond on the same line.")
    ] = 1.0,
    out: Picture = Path("stylized.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw a photograph in a style or in a mix of styles.

    The exact numbers are written beside the picture, for `style undo`.
    """
    from safetensors.torch import save_file  # noqa: PLC0415

    from linearizer.display.output import TENSORS, new_file, new_picture  # noqa: PLC0415

    new_picture(out, overwrite=overwrite)
    numbers = new_file(out.with_suffix(TENSORS), overwrite=overwrite)
    weights = weights_of(mix)
    model = open_model(run, StyleTransfer).model
    image = _read(photo, model)
    exact = model.stylize(image, weights, strength=strength, cropped=False)
    _save(exact[..., : image.shape[-2], : image.shape[-1]], out)
    with atomic_write(numbers) as path:
        save_file({"image": exact.contiguous()}, path)


@style.command()
@torch.no_grad()
def add(
    run: Styles,
    name: Name,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Folder with folders `content` and `style`: files of equal names."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Weights of a fast-neural-style network.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="A single style picture, for whitening and coloring.")
    ] = None,
    content: Annotated[
        str | None,
        typer.Option(help="Contents for a teacher or a picture; by default those of the run."),
    ] = None,
    data_dir: DataDir = None,
    contents: Annotated[int, whole(min=16, help="Use so many of them.")] = 500,
    ridge: Annotated[float, real(min=0.0, help="Ridge of the least squares.")] = 1e-4,
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
    from linearizer.training.style_fit import fit_with_progress, pairs_in  # noqa: PLC0415
    from linearizer.training.style_run import contents_of, taught  # noqa: PLC0415
    from linearizer.training.teachers import FastNeuralStyle  # noqa: PLC0415
    from linearizer.verification import certify  # noqa: PLC0415

    if sum(source is not None for source in (pairs, teacher, picture)) != 1:
        raise typer.BadParameter("give one of --pairs, --teacher and --picture")
    opened = open_model(run, StyleTransfer)
    model, folder = opened.model, opened.folder
    if name in model.names and not overwrite:
        raise FileExistsAlreadyError(
            f"expected a new style, got {name}, which exists in {folder}; choose another name, or "
            "replace it with --overwrite"
        )
    if pairs is not None:
        lessons = pairs_in(pairs, model)
    else:
        images = contents_of(opened, content, data_dir)[0].images[:contents]
        if teacher is not None:
            lessons = taught(FastNeuralStyle.from_file(teacher), images, name)
    if picture is not None:
        operator = model.from_picture(images.split(100), _read(picture, model))
    else:
        operator = fit_with_progress(
            model, lessons, ridge=ridge, kernel_size=kernel, refinement=refine
        )
    model.add(name, operator)
    place = model.save_style(name, folder, overwrite=overwrite)
    if current(folder / CERTIFICATE_FILE).exists():  # a model with one more style is another model
        certify(folder, model)
    say(f"{name} is in {place}; condition number {model.cond(name):.3g}")


@style.command()
def interpolate(
    run: Styles,
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
    from linearizer.display.output import new_file, new_picture  # noqa: PLC0415  (slow to import)
    from linearizer.display.pictures import save_mosaic  # noqa: PLC0415
    from linearizer.display.progress import track  # noqa: PLC0415

    strip = new_picture(out, overwrite=overwrite)
    gif = new_file(out.with_suffix(".gif"), overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    image = _read(photo, model)
    places = torch.linspace(0, 1, steps).tolist()
    frames = [
        model.stylize(image, model.interpolate(a, b, s, geodesic=geodesic))
        for s in track(places, f"{a} to {b}")
    ]
    labels = [f"{s:.2f}" for s in places]
    save_mosaic(strip, [torch.stack(frames)], column_labels=labels, inches=1.2)
    pictures = [as_picture(frame) for frame in (*frames, *frames[-2:0:-1])]
    pictures[0].save(gif, save_all=True, append_images=pictures[1:], duration=120, loop=0)
    say(f"{strip} and {gif}")


@style.command()
def undo(
    run: Styles,
    photo: Photo,
    name: Name,
    out: Picture = Path("undone.png"),
    overwrite: Overwrite = False,
) -> None:
    """Take a style off an image that stylize made, by the pseudo-inverse of its operator.

    It reads the exact numbers beside the picture: 8 bits are too few to undo a style.
    """
    from linearizer.display.output import exact_numbers, new_picture  # noqa: PLC0415

    new_picture(out, overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    picture = _read(photo, model)
    exact = exact_numbers(photo, picture)
    if exact is None:
        warnings.warn(
            f"expected the numbers that stylize wrote beside {photo}, got the picture alone; its "
            "rounding to 8 bits is amplified, and what comes back may be noise",
            LinearizerWarning,
            stacklevel=1,
        )
        exact = picture
    content = model.undo(exact, name)
    _save(content[..., : picture.shape[-2], : picture.shape[-1]], out)
    say(f"condition number of {name}: {model.cond(name):.3g}")


@style.command()
def compose(
    run: Styles,
    photo: Photo,
    a: Name,
    b: Name,
    out: Picture = Path("composed.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw a photograph with the product of two operators: first a, then b."""
    from linearizer.display.output import new_picture  # noqa: PLC0415  (slow to import)

    new_picture(out, overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    _save(model.compose(_read(photo, model), a, b), out)


@style.command()
def directions(
    run: Styles,
    photo: Photo,
    name: Name,
    count: Annotated[int, whole("-k", "--count", min=1, help="Number of directions.")] = 4,
    reach: Annotated[float, real(min=0.0, help="Furthest factor of a direction.")] = 2.0,
    out: Picture = Path("style-directions.png"),
    overwrite: Overwrite = False,
) -> None:
    """Weaken and strengthen the leading singular parts of a style, each at all frequencies."""
    from linearizer.display.output import new_picture  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation.style_pictures import save_directions  # noqa: PLC0415

    new_picture(out, overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    image = resized(_read(photo, model), model.g_x.in_shape[1:])
    save_directions(model, image, name, count, torch.linspace(0, reach, 7).tolist(), out)
    say(str(out))


@style.command()
def compare(
    run: Styles, out: Picture = Path("style-distances.png"), overwrite: Overwrite = False
) -> None:
    """Print and draw how far the styles are from each other, and the basis that they share."""
    from linearizer.display.output import new_picture  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation.style_pictures import (  # noqa: PLC0415
        distance_table,
        save_distances,
    )

    new_picture(out, overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    distance_table(model).show()
    save_distances(model, out)
    say(str(out))


@style.command()
def evaluate(
    run: Styles,
    teacher: Annotated[list[str], typer.Option(help="NAME=FILE, the teacher of a style.")],
    content: Annotated[
        str | None, typer.Option(help="Contents, of which the held-out part is used.")
    ] = None,
    data_dir: DataDir = None,
    count: Annotated[int, whole("-n", "--count", min=1, help="Number of held-out contents.")] = 200,
    lpips_backbone: Backbone = None,
    lpips_heads: Heads = None,
    out: Folder = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure styles against their teachers and against the same operators on pixels."""
    from linearizer.display.output import new_file, write_evaluation  # noqa: PLC0415
    from linearizer.evaluation.style import evaluate_styles, style_page  # noqa: PLC0415

    lpips = lpips_files(lpips_backbone, lpips_heads)
    teachers = named_files(teacher)
    opened = open_model(run, StyleTransfer)
    path = new_file((out or opened.folder) / "style-evaluation.json", overwrite=overwrite)
    results = evaluate_styles(opened, teachers, content, data_dir, count=count, lpips=lpips)
    write_evaluation(path, results, style_page(results))


def _read(path: Path, model: StyleTransfer) -> Tensor:
    return read_image(path, gray=model.g_x.in_shape[0] == 1)


def _save(image: Tensor, out: Path) -> None:
    as_picture(image).save(out)
    say(str(out))
