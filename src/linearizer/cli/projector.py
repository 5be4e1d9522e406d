"""The commands on a trained projector."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from linearizer.applications import IdempotentGenerator
from linearizer.cli.options import (
    MOST_DRAWN,
    DataDir,
    Overwrite,
    Picture,
    Resize,
    Seed,
    real,
    whole,
)
from linearizer.data.corruptions import corrupt as damaged
from linearizer.data.pixels import read_images
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.saving.run_information import Opened, open_model

HELD_OUT = 8

Projector = Annotated[
    str, typer.Argument(help="Folder of a trained projector, or a pretrained one.")
]
Rank = Annotated[
    int | None, typer.Option(help="Number of directions to project onto; all by default.")
]


@torch.no_grad()
def project(
    run: Projector,
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Image files; by default held-out ones of the data of the run."),
    ] = None,
    noise: Annotated[
        int | None, whole(min=1, max=MOST_DRAWN, help="Project so many draws of N(0, I).")
    ] = None,
    corrupt: Annotated[
        str,
        typer.Option(
            help="Damage the images first: noise, salt, blur, occlude, pixelate, fade, scratch; "
            "several with commas."
        ),
    ] = "",
    data_dir: DataDir = None,
    rank: Rank = None,
    resize: Resize = False,
    seed: Seed = 0,
    out: Picture = Path("projected.png"),
    overwrite: Overwrite = False,
) -> None:
    """Project images, damaged images or noise onto what data look like."""
    from linearizer.display.output import Output, filled  # noqa: PLC0415  (slow to import)

    names = [name.strip() for name in corrupt.split(",") if name.strip()]
    if names and noise is not None and not images:
        raise typer.BadParameter("give --noise or --corrupt, or images to corrupt beside the noise")
    output = Output(out, overwrite=overwrite)
    opened = open_model(run, IdempotentGenerator)
    model = opened.model
    inputs: dict[str, Tensor] = {}
    if images or noise is None:
        x = (
            read_images(images, model.g.in_shape, resize=resize)
            if images
            else _held_out(opened, run, data_dir)
        )
        inputs = {name: damaged(x, name, seed) for name in names} or {"image": x}
    if noise is not None:
        inputs["noise"] = model.noise(noise, seed)
    rows, labels = [], []
    tensors: dict[str, Tensor] = {}
    width = max(len(x) for x in inputs.values())
    for name, x in inputs.items():
        projected, residual = model.project(x, rank), model.residual(x, rank)
        rows += [filled(x, width), filled(projected, width)]
        labels += [name, "projected"]
        tensors |= {name: x, f"{name}_projected": projected, f"{name}_residual": residual}
        say(
            f"{name}: induced distance to the manifold {float(residual.min()):.3g} to "
            f"{float(residual.max()):.3g}"
        )
    output.write(rows, tensors, labels)


@torch.no_grad()
def generate(
    run: Projector,
    count: Annotated[
        int, whole("-n", "--count", min=1, max=MOST_DRAWN, help="Number of images.")
    ] = 64,
    noise: Annotated[
        bool, typer.Option(help="Project noise, instead of drawing from the range.")
    ] = False,
    label: Annotated[int | None, typer.Option(help="Of this class; of all by default.")] = None,
    rank: Rank = None,
    temperature: Annotated[float, real(min=0.0, help="Factor of the standard deviations.")] = 1.0,
    seed: Seed = 0,
    out: Picture = Path("generated.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw new images from the range of a projector."""
    from linearizer.display.output import Output, rows_of  # noqa: PLC0415  (slow to import)

    if noise and label is not None:
        raise typer.BadParameter("give --noise or --label; what noise becomes is not chosen")
    output = Output(out, overwrite=overwrite)
    model = open_model(run, IdempotentGenerator).model
    if noise:
        images = model.project(temperature * model.noise(count, seed), rank)
    else:
        images = model.generate(count, rank=rank, label=label, temperature=temperature, seed=seed)
    output.write(rows_of(images), {"images": images})


def _held_out(opened: Opened[IdempotentGenerator], run: str, data_dir: Path | None) -> Tensor:
    """The first images that a model was not trained on."""
    from linearizer.training.run_folder import open_data_of  # noqa: PLC0415  (slow to import)

    data = opened.note.get("data")
    if data is None:
        raise RangeError(f"expected images to project, got none, and {run} names no data; add some")
    return open_data_of(opened.note, data, data_dir)[1].images[:HELD_OUT]
