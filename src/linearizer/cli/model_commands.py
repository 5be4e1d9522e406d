"""The commands on any trained model: verify, export, push."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linearizer.cli.flow_commands import Overwrite
from linearizer.cli.style_commands import weights_of
from linearizer.errors import RangeError

Run = Annotated[str, typer.Argument(help="Folder of a model, or a pretrained one.")]


class Target(StrEnum):
    """Kinds of graphs."""

    onnx = "onnx"
    torch_export = "torch-export"


class Part(StrEnum):
    """Maps of models."""

    sampler = "sampler"
    encoder = "encoder"
    projector = "projector"
    style = "style"
    map = "map"


def verify(
    run: Run,
    overwrite: Annotated[
        bool, typer.Option(help="Certify the weights as they are now, whatever they were.")
    ] = False,
) -> None:
    """Check the laws on trained weights, and write the certificate that loading looks for.

    Round trips in and out of distribution, superposition, pseudo-inverse, condition numbers; one
    step against many, idempotence, or undoing, as the model has it. A certificate that is there
    is compared with the weights, and stays as it is.
    """
    from linearizer.cli.verify import verify_model  # noqa: PLC0415  (the applications)

    verify_model(run, overwrite=overwrite)


def export(
    run: Run,
    to: Annotated[Target, typer.Option(help="ONNX, or PyTorch's own torch.export.")] = Target.onnx,
    part: Annotated[
        Part | None, typer.Option(help="Which map; the model's first if not given.")
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Of a projector.")] = None,
    mix: Annotated[
        str | None, typer.Option(help="Of a style: NAME, or NAME=WEIGHT,NAME=WEIGHT,...")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH of a style's images, as 256x256.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File; named after the model if not given.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write one map of a model as one static graph, which runs without this library.

    The one-step sampler, the encoder, the projector, a style with a frozen mix. The batch is
    free. The graph is compared with PyTorch before it is kept.
    """
    from linearizer.cli.export import export_model  # noqa: PLC0415  (the applications)

    export_model(
        run,
        to=to.value,
        part=None if part is None else part.value,
        rank=rank,
        mix=None if mix is None else weights_of(mix),
        size=None if size is None else _size(size),
        out=out,
        overwrite=overwrite,
    )


def push(
    run: Run,
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option(help="Make a new repository private.")] = False,
) -> None:
    """Push a model to the Hugging Face hub, with its card and its certificate.

    It is loaded by linearizer.load("hf:OWNER/NAME"), and by every command that takes a model.
    """
    from linearizer.saving import find_model, load  # noqa: PLC0415
    from linearizer.saving.hub import push_folder  # noqa: PLC0415

    load(run)  # what cannot be loaded, or warns, is seen before it is pushed
    typer.echo(push_folder(find_model(run), repo, private=private or None))


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text.lower())
    if match is None:
        raise RangeError(f"expected a size such as 256x256, got '{text}'; height first")
    return int(match[1]), int(match[2])


def add_model_commands(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for command in (verify, export, push):
        app.command()(command)
