"""Mosaics of images with labels, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

GAP = 1
DPI = 144
LARGEST_SIDE = 60_000  # pixels; formats of pictures end at 65,535


def mosaic(rows: Sequence[Tensor]) -> Tensor:
    """Rows of images (k, C, H, W) in [-1, 1] as one picture (height, width, C) in [0, 1]."""
    lines = []
    for row in rows:
        padded = torch.nn.functional.pad(row.clamp(-1, 1), (0, GAP, 0, GAP), value=1.0)
        lines.append(torch.cat(list(padded), dim=-1))
    picture = torch.cat(lines, dim=-2)[..., :-GAP, :-GAP]
    return (picture.movedim(0, -1) + 1) / 2


def save_mosaic(
    path: Path,
    rows: Sequence[Tensor],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    inches: float = 0.55,
) -> None:
    """Write rows of images as a PNG file, with labels beside rows and above columns.

    Args:
        path: Where to.
        rows: Tensors (k, C, H, W) in [-1, 1], all of one k.
        row_labels: One a row, or none.
        column_labels: One a column, or none.
        inches: Side of one image in the picture.
    """
    columns, _, height, width = rows[0].shape
    figure = Figure(figsize=(inches * columns + 1.6 * bool(row_labels), inches * len(rows) + 0.4))
    axes = figure.add_subplot()
    axes.imshow(mosaic(rows).cpu().numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_frame_on(False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelsize=9)
    middle = (height - 1) / 2, (width - 1) / 2
    axes.set_yticks(
        [middle[0] + i * (height + GAP) for i in range(len(row_labels))], labels=list(row_labels)
    )
    axes.set_xticks(
        [middle[1] + i * (width + GAP) for i in range(len(column_labels))],
        labels=list(column_labels),
    )
    figure.savefig(
        path,
        dpi=min(DPI, LARGEST_SIDE / max(figure.get_size_inches())),
        bbox_inches="tight",
        pad_inches=0.08,
    )
