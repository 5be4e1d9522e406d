"""Pictures and a table of styles: what their parts do, and how far they are from each other."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from linearizer import linalg
from linearizer.applications import StyleTransfer
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import Table


@torch.no_grad()
def save_directions(
    model: StyleTransfer, image: Tensor, name: str, count: int, factors: Sequence[float], out: Path
) -> None:
    """Draw an image in a style whose leading singular parts are weakened or strengthened."""
    operator = model.operator(name)
    f = model.at(image.shape[-2:], operator)
    z = f.g_x(image)
    stylized = operator(z)
    rows, labels = [], []
    for i, part in enumerate(model.directions(name, count)):
        change = part(z)
        rows.append(torch.stack([f.g_y.inverse(stylized + (t - 1) * change) for t in factors]))
        labels.append(f"σ{i + 1} ≤ {float(linalg.norm(part)):.2f}")
    columns = [f"× {t:.1f}" for t in factors]
    save_mosaic(out, rows, row_labels=labels, column_labels=columns, inches=1.0)


def distance_table(model: StyleTransfer) -> Table:
    """The relative distances between all styles, and their condition numbers."""
    rows = [
        (name, *(f"{float(d):.3f}" for d in row), f"{model.cond(name):.3g}")
        for name, row in zip(model.names, model.distances(), strict=True)
    ]
    return Table(["style", *model.names, "condition"], rows)


def save_distances(model: StyleTransfer, out: Path) -> None:
    """Draw the distances between all styles, and their places in the basis that they share."""
    names, basis = model.names, model.shared_basis()
    side = 0.8 + 0.7 * len(names)
    figure = Figure(figsize=(2 * side + 1.6, side), layout="constrained")
    left, right = figure.subplots(1, 2)
    image = left.imshow(model.distances().numpy(), cmap="viridis", vmin=0)
    left.set_xticks(range(len(names)), labels=names, rotation=30, ha="right")
    left.set_yticks(range(len(names)), labels=names)
    left.set_title("relative distance", fontsize=10)
    figure.colorbar(image, ax=left, shrink=0.8)
    places = torch.nn.functional.pad(basis.coordinates, (0, 1))[:, :2].tolist()
    for name, (x, y) in zip(basis.names, places, strict=True):
        right.plot(x, y, "o", color="C0")
        right.annotate(name, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=9)
    right.margins(0.25)
    right.set_title("in the basis that they share", fontsize=10)
    for i, label in enumerate((right.set_xlabel, right.set_ylabel)):
        if i < len(basis.shares):
            label(f"component {i + 1}: {float(basis.shares[i]):.0%} of the variance")
    figure.savefig(out, dpi=144)
