"""What the commands on a trained projector do."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from linearizer.applications import IdempotentGenerator
from linearizer.cli.flow import Output, read_images, rows_of
from linearizer.data import corrupt
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.saving import find_model
from linearizer.saving.run_information import read_note
from linearizer.training.run_folder import open_data_of

HELD_OUT = 8


def open_projector(run: str) -> IdempotentGenerator:
    """The projector in a folder, or the pretrained one of a name."""
    return IdempotentGenerator.from_pretrained(run)


@torch.no_grad()
def project(
    run: str,
    paths: list[Path],
    *,
    noise: int | None,
    corruptions: Sequence[str],
    data_dir: Path | None,
    rank: int | None,
    resize: bool,
    seed: int,
    out: Output,
) -> None:
    """Inputs above, their projections below; and how far they were from the manifold."""
    model = open_projector(run)
    inputs: dict[str, Tensor] = {}
    if paths or noise is None:
        images = (
            read_images(paths, model.g.in_shape, resize=resize)
            if paths
            else _held_out(run, data_dir, model)
        )
        if not corruptions:
            inputs["image"] = images
        for name in corruptions:
            inputs[name] = corrupt(images, name, seed)
    if noise is not None:
        inputs["noise"] = model.noise(noise, seed)
    rows, labels = [], []
    tensors: dict[str, Tensor] = {}
    width = max(len(x) for x in inputs.values())
    for name, x in inputs.items():
        projected, residual = model.project(x, rank), model.residual(x, rank)
        rows += [_filled(x, width), _filled(projected, width)]
        labels += [name, "projected"]
        tensors |= {name: x, f"{name}_projected": projected, f"{name}_residual": residual}
        say(
            f"{name}: induced distance to the manifold {float(residual.min()):.3g} to "
            f"{float(residual.max()):.3g}"
        )
    out.write(rows, tensors, labels)


@torch.no_grad()
def generate(
    run: str,
    count: int,
    *,
    noise: bool,
    rank: int | None,
    temperature: float,
    seed: int,
    out: Output,
) -> None:
    """New images: drawn from the range, or noise projected onto it."""
    model = open_projector(run)
    if noise:
        images = model.project(temperature * model.noise(count, seed), rank)
    else:
        images = model.generate(count, rank=rank, temperature=temperature, seed=seed)
    out.write(rows_of(images), {"images": images})


def _held_out(run: str, data_dir: Path | None, model: IdempotentGenerator) -> Tensor:
    """The first images that a run was not trained on."""
    note = read_note(find_model(run))
    if note.get("data") is None:
        raise RangeError(f"expected images to project, got none, and {run} names no data; add some")
    _, held_out = open_data_of(note, note["data"], data_dir)
    return held_out.images[:HELD_OUT]


def _filled(row: Tensor, width: int) -> Tensor:
    missing = row.new_full((width - len(row), *row.shape[1:]), -1.0)
    return torch.cat([row, missing])
