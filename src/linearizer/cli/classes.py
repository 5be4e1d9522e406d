"""The commands on classes: a class is an operator, as a style is."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from linearizer.applications.conditional_flow import Kind
from linearizer.cli.options import (
    CommandGroup,
    DataDir,
    Denoise,
    Overwrite,
    Picture,
    Resize,
    Seed,
    class_of,
    cleaned,
    open_flow,
    real,
    whole,
    with_classes,
)
from linearizer.data.pixels import read_images
from linearizer.display.console import say, waiting
from linearizer.errors import RangeError
from linearizer.saving.certificate import Certificate

MOST_CLASSES = 100

classes = typer.Typer(
    cls=CommandGroup,
    help="Add classes to a trained flow, each of which is a linear operator.",
    no_args_is_help=True,
)


@classes.command()
def add(
    run: Annotated[str, typer.Argument(help="Folder of a trained flow, or a pretrained one.")],
    out: Annotated[Path, typer.Option(help="Folder of the new flow.")],
    data: Annotated[
        str | None, typer.Option(help="Data set with labels; that of the run by default.")
    ] = None,
    data_dir: DataDir = None,
    components: Annotated[
        int | None, whole(min=1, help="Find so many clusters, instead of using labels.")
    ] = None,
    noise: Annotated[
        float,
        real(min=0.0, max=100.0, help="Standard deviation of the noise that densities are of."),
    ] = 0.1,
    rank: Annotated[
        int | None,
        whole(min=1, help="Directions that each class keeps; all, or 128 of more than 512."),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Give a trained one-step flow classes, without training: each is an operator in closed form.

    The new flow has the same g. It is written to a folder of its own, with its certificate and
    its model card.
    """
    from linearizer.evaluation.card import write_certificate  # noqa: PLC0415  (slow to import)
    from linearizer.training.classes_fit import add_classes  # noqa: PLC0415

    opened = open_flow(run)
    data = data or opened.note.get("data")
    if data is None:
        raise RangeError(f"expected the data set of {run}, got none; name it with --data")
    with waiting(f"Fitting classes on the g of {run}"):
        made = add_classes(
            opened.model,
            out,
            note=opened.note,
            data=data,
            data_dir=data_dir,
            overwrite=overwrite,
            components=components,
            noise=noise,
            rank=rank,
            seed=seed,
        )
    certificate = Certificate.read(out)
    assert certificate is not None, "written above"
    write_certificate(out, certificate, made)
    names = ", ".join(map(str, made.classes))
    say(f"{len(made.classes)} classes: {names}; the flow is in {out}")
    say(f"Look at it: linearizer sample {out} -n 64")


@torch.no_grad()
def translate(
    run: Annotated[str, typer.Argument(help="Folder of a flow with classes.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    to: Annotated[
        str | None, typer.Option(help="The class; each of the classes if not given.")
    ] = None,
    kind: Annotated[
        Kind, typer.Option(help="Keep the noise, or move the latents as little as possible.")
    ] = "noise",
    denoise: Denoise = False,
    resize: Resize = False,
    out: Picture = Path("translated.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw images as images of another class, in the same hand."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    opened = open_flow(run)
    flow = with_classes(opened.model, run)
    x = read_images(images, flow.g.in_shape, resize=resize)
    targets = flow.classes[:MOST_CLASSES] if to is None else [class_of(flow, to)]
    made = torch.stack([flow.translate(x, target, kind) for target in targets])
    made = cleaned(opened, run, made, denoise)
    output.write(
        [x, *made],
        {"images": x, "translated": made},
        ["image", *(f"as {target}" for target in targets)],
    )
