"""The commands on any trained model."""

import re
from pathlib import Path
from typing import Annotated

import typer

from linearizer.cli.options import (
    Backbone,
    DataDir,
    Folder,
    Heads,
    Model,
    Overwrite,
    Seed,
    class_of,
    lpips_files,
    weights_of,
    whole,
    with_classes,
)
from linearizer.display.console import say, waiting
from linearizer.display.tables import Table
from linearizer.errors import CertificateError, RangeError
from linearizer.export import SUFFIXES, Part, Target
from linearizer.saving import Saveable, find_model
from linearizer.saving.certificate import CERTIFICATE_FILE, Certificate
from linearizer.saving.run_information import open_model


def verify(
    run: Model,
    overwrite: Annotated[
        bool, typer.Option(help="Certify the weights as they are now, whatever they were.")
    ] = False,
) -> None:
    """Check the laws on trained weights, and write the certificate that loading looks for.

    Round trips in and out of distribution, superposition, pseudo-inverse, condition numbers; one
    step against many, idempotence, or undoing, as the model has it. A certificate that is there
    is compared with the weights, and stays as it is.
    """
    from linearizer import verification  # noqa: PLC0415
    from linearizer.evaluation.card import law_table, write_certificate  # noqa: PLC0415

    folder = find_model(run)
    model = verification.load_quietly(folder)
    old = None if overwrite else Certificate.read(folder)
    with waiting(f"Verifying {run}"):
        if old is None:
            certificate = verification.certify(folder, model)
            laws = certificate.laws
            write_certificate(folder, certificate, model)
        else:
            found = verification.verify(model)
            laws = found.laws
    law_table(laws).show()
    if old is None:
        say(f"{folder / CERTIFICATE_FILE} and its model card")
    else:
        _compare(folder, model, old, found.probe)
    if failed := [law.name for law in laws if not law.holds]:
        raise CertificateError(
            f"expected all laws to hold on the weights of {run}, got {len(failed)} that do not: "
            f"{'; '.join(failed)}; train a g with a more stable inverse, or compute in float64"
        )


def export(
    run: Model,
    to: Annotated[Target, typer.Option(help="ONNX, or PyTorch's own torch.export.")] = "onnx",
    part: Annotated[
        Part | None, typer.Option(help="Which map; the model's first if not given.")
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Rank of a projector.")] = None,
    mix: Annotated[
        str | None, typer.Option(help="Mix of styles: NAME, or NAME=WEIGHT,NAME=WEIGHT,...")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH of a style's images, as 256x256.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Class of a flow that has classes.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File; named after the model if not given.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write one map of a model as one static graph, which runs without this library.

    The one-step sampler, the encoder, the projector, a style with a frozen mix. The batch is
    free. The graph is compared with PyTorch before it is kept.
    """
    from linearizer.display.output import new_file  # noqa: PLC0415  (slow to import)
    from linearizer.export import export as write_graph  # noqa: PLC0415

    weights = None if mix is None else weights_of(mix)
    sides = None if size is None else _size(size)
    opened = open_model(run, object)
    model = opened.model
    if label is not None:
        mixture = with_classes(model, run)
        model = mixture.at(class_of(mixture, label))
    if out is None:
        name = "-".join([opened.folder.resolve().name, *filter(None, (part, label))])
        out = Path(name + SUFFIXES[to])
    new_file(out, overwrite=overwrite)
    with waiting(f"Exporting {run}"):
        made = write_graph(model, out, to=to, part=part, rank=rank, mix=weights, size=sides)
    rows = [
        ("part", made.part),
        ("input, after the batch", str(made.in_shape)),
        ("output", str(made.out_shape)),
        ("size", f"{made.megabytes:.1f} MB"),
        ("largest difference from PyTorch, relative", f"{made.error:.1e}"),
        ("a batch of 16", f"{1e3 * made.seconds:.2f} ms"),
        ("in PyTorch", f"{1e3 * made.torch_seconds:.2f} ms"),
        ("times as fast", f"{made.torch_seconds / made.seconds:.2f}"),
    ]
    Table(["what", "measured"], rows).show()
    say(str(made.path))


def push(
    run: Model,
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option(help="Make a new repository private.")] = False,
) -> None:
    """Push a model to the Hugging Face hub, with its card and its certificate.

    It is loaded by linearizer.load("hf:OWNER/NAME"), and by every command that takes a model.
    """
    from linearizer.saving.hub import push_folder  # noqa: PLC0415

    opened = open_model(run, object)  # what cannot be loaded, or warns, is seen before it is pushed
    typer.echo(push_folder(opened.folder, repo, private=private or None))


def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a trained flow or projector.")],
    data: Annotated[str | None, typer.Option(help="Data set; that of the run by default.")] = None,
    data_dir: DataDir = None,
    out: Folder = None,
    lpips_backbone: Backbone = None,
    lpips_heads: Heads = None,
    steps: Annotated[int, whole(min=1, help="Steps of the many-step samplers.")] = 100,
    count: Annotated[
        int | None,
        whole(
            "-n",
            "--count",
            min=2,
            help="Samples of a flow, as many as held-out images (10,000 at most) if not given; "
            "images of a projector, 1,000 if not given.",
        ),
    ] = None,
    rank: Annotated[
        int | None, whole(min=1, help="Rank of a projector's restoration; 64 if it has so many.")
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure a flow, with classes or without, or a projector against held-out images."""
    from linearizer.display.output import new_file, write_evaluation  # noqa: PLC0415
    from linearizer.evaluation.model import data_set_of, evaluate_model  # noqa: PLC0415

    lpips = lpips_files(lpips_backbone, lpips_heads)
    opened = open_model(run, object)
    data = data_set_of(opened, run, data)
    out = out or Path(run)
    path = new_file(out / "evaluation.json", overwrite=overwrite)
    results, page = evaluate_model(
        opened,
        data,
        data_dir,
        out / "classifier",
        lpips=lpips,
        steps=steps,
        count=count,
        rank=rank,
        seed=seed,
    )
    write_evaluation(path, results, page)


def _compare(folder: Path, model: Saveable, old: Certificate, probe: tuple[float, ...]) -> None:
    """Say what has changed since the certificate; outputs that differ are an error."""
    from linearizer.verification import SAME, difference  # noqa: PLC0415

    changed = old.changed(folder, model.parts_in(folder))
    if not changed:
        say(f"These are the weights of {folder / CERTIFICATE_FILE}.")
        return
    off = difference(old.probe, probe)
    if not off <= SAME:
        raise CertificateError(
            f"expected the model that {folder / CERTIFICATE_FILE} is of, got one whose outputs "
            f"differ by {off:.1e} (up to {SAME:.0e} are rounding), with another "
            f"{', '.join(changed)}; copy the model again, or certify this one with --overwrite"
        )
    say(
        f"{', '.join(changed)}: other bytes than those of {folder / CERTIFICATE_FILE}, and the "
        f"same outputs up to {off:.1e}; --overwrite renews the certificate."
    )


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text.lower())
    if match is None:
        raise RangeError(f"expected a size such as 256x256, got '{text}'; height first")
    return int(match[1]), int(match[2])
