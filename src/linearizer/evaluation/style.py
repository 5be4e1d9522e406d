"""Measuring styles on contents that were not trained on: against teachers, pictures, pixels."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from linearizer.applications import StyleTransfer
from linearizer.data import Images
from linearizer.data.pixels import read_image
from linearizer.errors import RangeError
from linearizer.evaluation.likeness import LPIPS_NETWORK, capped_psnr_db, finite, ssim
from linearizer.metrics import LPIPS, border_ratio, gram_distance, grid_energy, psnr_db
from linearizer.saving.run_information import Opened
from linearizer.training.pixel_styles import batches_of, made_by, pixel_baseline
from linearizer.training.style_run import contents_of, open_held_out
from linearizer.training.teachers import FastNeuralStyle

BASELINE_PIXELS = 1000 * 64 * 64
"""Of the training contents that the operator on pixels is fitted to."""
ROUNDS = 20
IN_ROUNDS = 4
"""Contents that are stylized and undone so often: every time takes a solve a frequency."""
LARGE = 32
"""The side from which on images have an interior, and room between the lines of their grids."""


def evaluate_styles(
    opened: Opened[StyleTransfer],
    teachers: Mapping[str, Path],
    pictures: Mapping[str, Path],
    content: str | None,
    data_dir: Path | None,
    *,
    held_out: Path | None = None,
    sizes: Sequence[int] = (),
    count: int,
    lpips: tuple[Path, Path] | None,
) -> dict[str, Any]:
    """`measure_styles` at some sizes, that of the model by default, with what lies in files.

    Args:
        opened: The model.
        teachers: Files of fast-neural-style networks, by the names of their styles.
        pictures: Files of style pictures, by the names of the styles that are made of them.
        content: Contents; those of the run by default.
        data_dir: Where they lie.
        held_out: A folder of contents to measure on, instead of the held-out part of the contents.
        sizes: Sides of the contents.
        count: The most contents to measure on.
        lpips: Files of its backbone and its heads.

    Raises:
        RangeError: If there is neither a teacher nor a picture.
    """
    if not teachers and not pictures:
        raise RangeError(
            "expected a teacher or a style picture, got none; name one with --teacher NAME=FILE "
            "or --picture NAME=FILE"
        )
    networks = {name: FastNeuralStyle.from_file(file) for name, file in teachers.items()}
    images = {name: read_image(file) for name, file in pictures.items()}
    distance = None if lpips is None else LPIPS.from_files(*lpips)
    measured = {}
    for side in sizes or [opened.model.g_x.in_shape[1]]:
        train, last = contents_of(opened, content, data_dir, side)
        contents = last.images if held_out is None else open_held_out(held_out, side)
        measured[str(side)] = measure_styles(
            opened.model, networks, images, train, contents[:count], lpips=distance
        )
    return finite({"sizes": measured, "lpips": None if lpips is None else LPIPS_NETWORK})


@torch.no_grad()
def measure_styles(
    model: StyleTransfer,
    teachers: Mapping[str, nn.Module],
    pictures: Mapping[str, Tensor],
    train: Images,
    contents: Tensor,
    *,
    lpips: LPIPS | None = None,
) -> dict[str, Any]:
    """Each style by itself, and against its teacher or its picture, on contents never trained on.

    Beside the model stands the best convolution of the same kernel between pixels: the same
    squeeze and ActNorm, fitted by least squares to the same teacher on training contents.
    """
    rows: dict[str, dict[str, Any]] = {}
    pairs = train.images[: max(2, BASELINE_PIXELS // train.images[0, 0].numel())]
    for name in dict.fromkeys([*teachers, *pictures]):
        made, rows[name] = _by_itself(model, name, contents)
        if name in teachers:
            truth = made_by(teachers[name], contents, name)
            fitted = pixel_baseline(
                model, pairs, made_by(teachers[name], pairs, name), model.operator(name)
            )
            linear = [fitted.stylize(x, "fitted").clamp(-1, 1) for x in batches_of(contents)]
            rows[name] |= {
                **_likeness(made, truth, lpips),
                "linear_in_pixels_psnr_db": psnr_db(torch.cat(linear), truth),
            }
        if name in pictures and lpips is not None:
            picture = pictures[name][None]
            distances = [
                torch.cat([gram_distance(x, picture, lpips.backbone) for x in batches_of(images)])
                for images in (made, contents)
            ]
            rows[name]["picture_gram"], rows[name]["content_gram"] = (
                float(d.mean()) for d in distances
            )
    scores = [row["psnr_db"] for row in rows.values() if "psnr_db" in row]
    return {
        "styles": rows,
        "mean_psnr_db": sum(scores) / len(scores) if scores else None,
        "contents": len(contents),
        "in_rounds": len(contents[:IN_ROUNDS]),
        "size": list(contents.shape[-2:]),
        "baseline_pairs": len(pairs),
    }


def rounds_psnr_db(
    model: StyleTransfer, contents: Tensor, name: str, *, rounds: int = ROUNDS
) -> float:
    """How near contents come back that are stylized and undone so often, one after the other.

    PSNR of the last contents against the first. Every round starts from what the round before
    has left, so that what a style destroys would add up.
    """
    x, (height, width) = contents, contents.shape[-2:]
    for _ in range(rounds):
        styled = model.stylize(x, name, cropped=False)
        x = model.undo(styled, name)[..., :height, :width]
    return capped_psnr_db(x, contents)


def _by_itself(
    model: StyleTransfer, name: str, contents: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """What a style makes of contents, and what can be said of it without a teacher."""
    height, width = contents.shape[-2:]
    started = time.perf_counter()
    exact = [model.stylize(x, name, cropped=False) for x in batches_of(contents)]
    seconds = (time.perf_counter() - started) / len(contents)
    undone = [model.undo(y, name)[..., :height, :width] for y in exact]
    again = torch.cat([model.stylize(x, name, cropped=False) for x in undone])
    made = torch.cat(exact)[..., :height, :width].clamp(-1, 1)
    return made, {
        "content_ssim": ssim(made, contents),
        **({"grid_energy": grid_energy(made)} if min(height, width) >= LARGE else {}),
        "undo_psnr_db": capped_psnr_db(torch.cat(undone), contents),
        "rounds_psnr_db": rounds_psnr_db(model, contents[:IN_ROUNDS], name),
        "undo_redo_psnr_db": capped_psnr_db(again, torch.cat(exact)),
        "condition": model.cond(name),
        "milliseconds_per_image": 1e3 * seconds,
    }


def _likeness(made: Tensor, truth: Tensor, lpips: LPIPS | None) -> dict[str, float]:
    """How like the pictures of a teacher are what a style makes."""
    measured = {"psnr_db": psnr_db(made, truth), "ssim": ssim(made, truth)}
    if lpips is not None:
        pairs = list(zip(batches_of(made), batches_of(truth), strict=True))
        measured["lpips"] = float(torch.cat([lpips(*pair) for pair in pairs]).mean())
        grams = [gram_distance(*pair, lpips.backbone) for pair in pairs]
        measured["gram"] = float(torch.cat(grams).mean())
    if min(made.shape[-2:]) >= LARGE:
        measured["teacher_grid_energy"] = grid_energy(truth)
        measured["border_ratio"] = border_ratio(made - truth)
    return measured
