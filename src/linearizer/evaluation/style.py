"""Measuring styles against their teachers, on contents that were not trained on."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from linearizer.applications import StyleTransfer
from linearizer.bijections import ActNorm, Chain, Squeeze
from linearizer.data import Images
from linearizer.display.tables import Page, Table
from linearizer.evaluation.likeness import LPIPS_MISSING, LPIPS_NETWORK, capped_psnr_db, ssim
from linearizer.metrics import LPIPS, psnr_db
from linearizer.operators import Convolution
from linearizer.saving.run_information import Opened
from linearizer.training.lessons import taught
from linearizer.training.style_run import contents_of
from linearizer.training.teachers import FastNeuralStyle

BASELINE_PAIRS = 1000
BATCH = 50


def evaluate_styles(
    opened: Opened[StyleTransfer],
    teachers: Mapping[str, Path],
    content: str | None,
    data_dir: Path | None,
    *,
    count: int,
    lpips: tuple[Path, Path] | None,
) -> dict[str, Any]:
    """`measure_styles` with teachers in files, on held-out contents that are named or the run's."""
    train, held_out = contents_of(opened, content, data_dir)
    return measure_styles(
        opened.model,
        {style: FastNeuralStyle.from_file(file) for style, file in teachers.items()},
        train,
        held_out.images[:count],
        lpips=None if lpips is None else LPIPS.from_files(*lpips),
    )


@torch.no_grad()
def measure_styles(
    model: StyleTransfer,
    teachers: Mapping[str, nn.Module],
    train: Images,
    contents: Tensor,
    *,
    lpips: LPIPS | None = None,
) -> dict[str, Any]:
    """Each style against its teacher, on contents that were not trained on.

    Beside the model stands the best convolution of the same kernel between pixels: the same
    squeeze and ActNorm, fitted by least squares to the same teacher on training contents.
    """
    rows: dict[str, dict[str, Any]] = {}
    pairs = train.images[:BASELINE_PAIRS]
    for name, teacher in teachers.items():
        operator, condition = model.operator(name), model.cond(name)
        truth = _truth(teacher, contents, name)
        started = time.perf_counter()
        made = torch.cat([model.stylize(x, name) for x in contents.split(BATCH)])
        seconds = (time.perf_counter() - started) / len(contents)
        undone = torch.cat([model.undo(y, name) for y in made.split(BATCH)])
        again = torch.cat([model.stylize(x, name) for x in undone.split(BATCH)])
        pixels = pixel_baseline(model, pairs, _truth(teacher, pairs, name), operator)
        linear = pixels.stylize(contents, "fitted").clamp(-1, 1)
        rows[name] = {
            **_likeness(made, truth, lpips),
            "linear_in_pixels_psnr_db": psnr_db(linear, truth),
            "undo_redo_psnr_db": capped_psnr_db(again, made),
            "condition": condition if math.isfinite(condition) else None,
            "milliseconds_per_image": 1e3 * seconds,
        }
    return {
        "styles": rows,
        "mean_psnr_db": sum(row["psnr_db"] for row in rows.values()) / len(rows),
        "contents": len(contents),
        "size": list(contents.shape[-2:]),
        "baseline_pairs": len(pairs),
        "lpips": None if lpips is None else LPIPS_NETWORK,
    }


def pixel_baseline(model: StyleTransfer, x: Tensor, y: Tensor, like: Convolution) -> StyleTransfer:
    """The same class of operator with g nothing but squeeze and ActNorm, fitted to pairs."""
    baseline = StyleTransfer(_initialized(x, model.factor), _initialized(y, model.factor))
    pairs = zip(x.split(100), y.split(100), strict=True)
    fitted = baseline.fit(pairs, ridge=1e-6, kernel_size=like.side, kind=type(like))
    baseline.add("fitted", fitted)
    return baseline


def _initialized(images: Tensor, factor: int) -> Chain:
    squeeze = Squeeze(images.shape[1:], factor)
    g = Chain(squeeze, ActNorm(squeeze.out_shape))
    g.initialize(images)
    return g


def style_page(results: Mapping[str, Any]) -> Page:
    """The results as a table."""
    height, width = results["size"]
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "PSNR to the teacher": lambda row: f"{row['psnr_db']:.2f} dB",
        "SSIM": lambda row: f"{row['ssim']:.3f}",
        "LPIPS": lambda row: f"{row['lpips']:.3f}",
        "the same operator on pixels, PSNR": lambda row: (
            f"{row['linear_in_pixels_psnr_db']:.2f} dB"
        ),
        "gain": lambda row: f"{row['psnr_db'] - row['linear_in_pixels_psnr_db']:+.2f} dB",
        "stylize, undo, stylize": lambda row: f"{row['undo_redo_psnr_db']:.1f} dB",
        "condition": lambda row: (
            "infinite" if row["condition"] is None else f"{row['condition']:.3g}"
        ),
        "ms an image": lambda row: f"{row['milliseconds_per_image']:.1f}",
    }
    if results["lpips"] is None:
        del columns["LPIPS"]
    return [
        Table(
            ["style", *columns],
            [
                (name, *(cell(row) for cell in columns.values()))
                for name, row in results["styles"].items()
            ],
        ),
        f"Mean of the styles: {results['mean_psnr_db']:.2f} dB. {results['contents']} held-out "
        f"contents of {height}×{width}; the operator on pixels is fitted to "
        f"{results['baseline_pairs']} training contents. PSNR of images clamped to [-1, 1]"
        + (f". {LPIPS_MISSING}" if results["lpips"] is None else f"; LPIPS: {results['lpips']}."),
    ]


def _likeness(made: Tensor, truth: Tensor, lpips: LPIPS | None) -> dict[str, float | None]:
    seen = made.clamp(-1, 1)
    return {
        "psnr_db": psnr_db(seen, truth),
        "ssim": ssim(seen, truth),
        "lpips": None if lpips is None else float(lpips(seen, truth).mean()),
    }


def _truth(teacher: nn.Module, contents: Tensor, name: str) -> Tensor:
    return torch.cat([y for _, y in taught(teacher, contents, name, shifted=False)])
