"""A new style for trained bijections, by least squares: from pairs, a teacher or a picture."""

from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from linearizer.applications import StyleTransfer
from linearizer.data.files import SUFFIXES
from linearizer.data.images import resized
from linearizer.data.pixels import read_image
from linearizer.display.progress import track
from linearizer.errors import FileFormatError, ShapeError
from linearizer.operators import Convolution


@torch.no_grad()
def fit_with_progress(
    model: StyleTransfer,
    lessons: Iterator[tuple[Tensor, Tensor]],
    ridge: float,
    kernel_size: int,
    refinement: int,
) -> Convolution:
    """`StyleTransfer.fit`, with a progress bar of its refinement."""
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
        steps = bar.add_task("Refining", total=refinement, visible=False)
        return model.fit(
            lessons,
            ridge=ridge,
            kernel_size=kernel_size,
            refinement=refinement,
            progress=lambda loss: bar.update(steps, advance=1, visible=True),
        )


def pairs_in(folder: Path, model: StyleTransfer) -> Iterator[tuple[Tensor, Tensor]]:
    """Files of equal names in `content` and `style`, at the size of the model.

    Raises:
        FileFormatError: If there are none.
        ShapeError: If two of one name have different sizes.
    """
    sides = [folder / "content", folder / "style"]
    names = [{p.name for p in side.glob("*") if p.suffix.lower() in SUFFIXES} for side in sides]
    both = sorted(names[0] & names[1])
    if not both:
        raise FileFormatError(
            f"expected pairs of images of equal names in {sides[0]} and {sides[1]}, got none; "
            "put each content and its stylized image there under one name"
        )
    channels, *size = model.g_x.in_shape
    for name in track(both, "Pairs"):
        x, y = (read_image(side / name, gray=channels == 1) for side in sides)
        if x.shape != y.shape:
            raise ShapeError(
                f"expected a pair of one size, got {tuple(x.shape)} and {tuple(y.shape)} of "
                f"{name}; resize one of them"
            )
        yield resized(x, size)[None], resized(y, size)[None]
