"""The commands on trained styles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from linearizer.applications import Step, StyleTransfer
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
from linearizer.data.pixels import as_picture, write_picture
from linearizer.display.console import say
from linearizer.errors import FileExistsAlreadyError
from linearizer.saving import current
from linearizer.saving.certificate import CERTIFICATE_FILE
from linearizer.saving.run_information import open_model

Styles = Annotated[str, typer.Argument(help="Folder of trained styles, or a pretrained one.")]
Photo = Annotated[Path, typer.Argument(help="Image file, of any size.")]
Name = Annotated[str, typer.Argument(help="Name of a style.")]
Mix = Annotated[str, typer.Option(help="NAME or NAME=WEIGHT, several with commas.")]
Strength = Annotated[
    float, real(min=-1e6, help="0 is plain, 1 the style, beyond on the same line.")
]
Kept = Literal["none", "float32", "float64"]
Records = Annotated[
    Kept,
    typer.Option(
        help="Numbers of the record, for `style undo`: float32 give the photograph back unless a "
        "style amplifies rounding, which is told at once; float64 always, in three times the time."
    ),
]

style = typer.Typer(
    cls=CommandGroup,
    help="Put pictures and films into a style, mix styles, and take them off again.",
    no_args_is_help=True,
)


@style.command()
def apply(
    run: Styles,
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures of any size, folders of pictures, or one film.")
    ],
    mix: Mix,
    strength: Strength = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG or JPEG file; a folder for several pictures; a film for a film."),
    ] = None,
    record: Records = "float32",
    overwrite: Overwrite = False,
) -> None:
    """Draw pictures or a film in a style or in a mix of styles.

    A film is an animated GIF, WebP or PNG, or a video (MP4). A record beside each PNG picture
    keeps its numbers before rounding and what was done, for `style undo`. The same command
    goes on with a folder where it was stopped.
    """
    from linearizer.data.films import open_film  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation import style_drawing as drawing  # noqa: PLC0415

    steps = [Step(weights_of(mix), strength=strength)]
    first = pictures[0]
    if len(pictures) > 1 or first.is_dir():
        photos = drawing.outputs(pictures, out or Path("stylized"))
        model = open_model(run, StyleTransfer).model
        drawing.draw_all(model, steps, photos, record=record, overwrite=overwrite)
    elif film := open_film(first):
        path = out or Path("stylized").with_suffix(first.suffix)
        drawing.new_film(path, overwrite=overwrite)
        drawing.draw_film(open_model(run, StyleTransfer).model, steps, film, path)
    else:
        _draw(run, steps, first, out or Path("stylized.png"), record, overwrite)


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
    content_weight: Annotated[
        float,
        real(min=0.0, max=1.0, help="Of the contents' own colors, beside those of a --picture."),
    ] = 0.0,
    content: Annotated[
        str | None,
        typer.Option(
            help="Contents for a teacher or a picture; by default those of the run, or else "
            "pieces of free photographs."
        ),
    ] = None,
    data_dir: DataDir = None,
    contents: Annotated[int, whole(min=16, help="Use so many of them.")] = 100,
    ridge: Annotated[float, real(min=0.0, help="Ridge of the least squares.")] = 1e-4,
    kernel: Annotated[int, whole(min=1, max=1001, help="Side of the kernel, odd.")] = 5,
    refine: Annotated[
        int, whole(min=0, help="Steps on images; 0 for the closed form between latents.")
    ] = 250,
    overwrite: Overwrite = False,
) -> None:
    """Add a style to a model by least squares: g stays as it is, and it takes a minute.

    From the mean of the model's styles on, short steps lower the squared error of the images;
    with --refine 0 it is the closed form between latents. A picture gives (1 - w) T P + w P: P is
    the style `plain`, T carries the contents' second moments to the picture's, and w is
    --content-weight.
    """
    from linearizer.evaluation.style_drawing import read_photo  # noqa: PLC0415
    from linearizer.training.lessons import taught  # noqa: PLC0415
    from linearizer.training.style_fit import fit_with_progress, pairs_in  # noqa: PLC0415
    from linearizer.training.style_run import contents_to_add  # noqa: PLC0415
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
    if pairs is None:
        images = contents_to_add(opened, content, data_dir, contents)
    if picture is not None:
        seen = read_photo(picture, model)
        operator = model.from_picture(images.split(100), seen, content_weight=content_weight)
    else:
        if pairs is not None:
            lessons = pairs_in(pairs, model)
        elif teacher is not None:
            lessons = taught(FastNeuralStyle.from_file(teacher), images, name)
        operator = fit_with_progress(model, lessons, ridge, kernel, refine)
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
    place: Annotated[
        float | None, real(min=0.0, max=1.0, help="Draw this place alone, with its record.")
    ] = None,
    record: Records = "float32",
    out: Annotated[Path, typer.Option(help="PNG file; a GIF is written beside it.")] = Path(
        "styles.png"
    ),
    overwrite: Overwrite = False,
) -> None:
    """Walk from one style to another, as a strip and as a GIF, or draw one place on the way."""
    from linearizer.data.films import Film, Frame, write_film  # noqa: PLC0415  (slow to import)
    from linearizer.display.output import new_file, new_picture  # noqa: PLC0415
    from linearizer.display.pictures import save_mosaic  # noqa: PLC0415
    from linearizer.display.progress import track  # noqa: PLC0415
    from linearizer.evaluation.style_drawing import read_photo  # noqa: PLC0415

    if place is not None:
        way = Step({a: 1 - place, b: place}, geodesic=geodesic)
        _draw(run, [way], photo, out, record, overwrite)
        return
    strip = new_picture(out, overwrite=overwrite)
    gif = new_file(out.with_suffix(".gif"), overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    image = read_photo(photo, model)
    places = torch.linspace(0, 1, steps).tolist()
    frames = [
        model.stylize(image, model.interpolate(a, b, s, geodesic=geodesic))
        for s in track(places, f"{a} to {b}")
    ]
    labels = [f"{s:.2f}" for s in places]
    save_mosaic(strip, [torch.stack(frames)], column_labels=labels, inches=1.2)
    pictures = (Frame(as_picture(frame), 120) for frame in (*frames, *frames[-2:0:-1]))
    height, width = image.shape[1:]
    write_film(gif, pictures, Film(gif, (height, width), 2 * steps - 2, 0))
    say(f"{strip} and {gif}")


@style.command()
def undo(
    run: Styles,
    photo: Photo,
    mix: Annotated[str | None, typer.Option(help="The styles, where there is no record.")] = None,
    strength: Annotated[float | None, real(min=-1e6, help="And its strength.")] = None,
    out: Picture = Path("undone.png"),
    overwrite: Overwrite = False,
) -> None:
    """Take back what was done to a picture, by the record beside it.

    The record knows the styles and the exact numbers: 8 bits are too few to undo a style.
    """
    from linearizer.display.output import new_picture  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation.style_drawing import undone  # noqa: PLC0415

    if mix is None and strength is not None:
        raise typer.BadParameter("give --strength beside --mix; a record knows its own")
    steps = None
    if mix is not None:
        steps = [Step(weights_of(mix), strength=1.0 if strength is None else strength)]
    new_picture(out, overwrite=overwrite)
    content = undone(open_model(run, StyleTransfer).model, photo, steps)
    write_picture(out, content)
    say(str(out))


@style.command()
def compose(
    run: Styles,
    photo: Photo,
    a: Name,
    b: Name,
    out: Picture = Path("composed.png"),
    record: Records = "float32",
    overwrite: Overwrite = False,
) -> None:
    """Draw a photograph with the product of two operators: first a, then b."""
    _draw(run, [Step({a: 1.0}), Step({b: 1.0})], photo, out, record, overwrite)


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
    from linearizer.evaluation.style_drawing import read_photo  # noqa: PLC0415
    from linearizer.evaluation.style_pictures import save_directions  # noqa: PLC0415

    new_picture(out, overwrite=overwrite)
    model = open_model(run, StyleTransfer).model
    image = resized(read_photo(photo, model), model.g_x.in_shape[1:])
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
    teacher: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE, the teacher of a style.")
    ] = None,
    picture: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE, the picture that a style is made of.")
    ] = None,
    content: Annotated[
        str | None, typer.Option(help="Contents, of which the held-out part is used.")
    ] = None,
    data_dir: DataDir = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Folder of contents to use instead, all of them.")
    ] = None,
    size: Annotated[
        list[int] | None,
        whole(min=16, max=4096, help="Side of the contents; several if repeated."),
    ] = None,
    count: Annotated[int, whole("-n", "--count", min=1, help="Number of held-out contents.")] = 200,
    lpips_backbone: Backbone = None,
    lpips_heads: Heads = None,
    out: Folder = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure styles against their teachers or pictures, and how exactly they are undone."""
    from linearizer.display.output import new_file, write_evaluation  # noqa: PLC0415
    from linearizer.evaluation.style import evaluate_styles  # noqa: PLC0415
    from linearizer.evaluation.style_table import style_page  # noqa: PLC0415

    lpips = lpips_files(lpips_backbone, lpips_heads)
    teachers, pictures = named_files(teacher or ()), named_files(picture or ())
    opened = open_model(run, StyleTransfer)
    path = new_file((out or opened.folder) / "style-evaluation.json", overwrite=overwrite)
    results = evaluate_styles(
        opened,
        teachers,
        pictures,
        content,
        data_dir,
        held_out=held_out,
        sizes=size or (),
        count=count,
        lpips=lpips,
    )
    write_evaluation(path, results, style_page(results))


def _draw(
    run: str, steps: Sequence[Step], photo: Path, out: Path, record: Kept, overwrite: bool
) -> None:
    """Take steps on one picture."""
    from linearizer.evaluation import style_drawing as drawing  # noqa: PLC0415  (slow to import)

    kept = drawing.new_outputs(out, record=record, overwrite=overwrite)
    drawing.draw(open_model(run, StyleTransfer).model, steps, photo, out, record=kept)
