"""The pictures of docs/style.md: each pixel of them is one of a stylized photograph."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from photographs import photograph
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from linearizer.applications import StyleTransfer
from linearizer.data.images import from_bytes
from linearizer.data.pixels import as_picture
from linearizer.display.pictures import GAP, mosaic, save_mosaic
from linearizer.training.teachers import FastNeuralStyle, teach

SHOWN = ("china", "flower", "coffee")
FULL = (427, 640)
PICTURES = (
    "astronaut",
    "chelsea",
    "coffee",
    "grass",
    "gravel",
    "brick",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
)
WEIGHTS = (0.0, 0.5)
"""Of the contents, in a style of one picture."""
TILE = 160
LABEL = 26
"""Height of a line of labels in pixels, of letters of 18."""
MARGIN = 210
"""Width of the labels of rows."""


def image(name: str, size: tuple[int, int] | None = None) -> Tensor:
    """A photograph (3, H, W) in [-1, 1], its middle at a size if one is given."""
    whole = Image.fromarray(photograph(name))
    if size is not None:
        whole = ImageOps.fit(whole, size[::-1], Image.Resampling.LANCZOS)
    return from_bytes(torch.tensor(np.asarray(whole)).movedim(-1, 0))


def save_at_full_size(
    path: Path, rows: Sequence[Tensor], column_labels: Sequence[str], row_labels: Sequence[str] = ()
) -> None:
    """Rows of images (k, 3, H, W) as one picture of just their pixels, with labels."""
    side = MARGIN if row_labels else 0
    pixels = as_picture(mosaic(rows).movedim(-1, 0) * 2 - 1)
    whole = Image.new("RGB", (pixels.width + side, pixels.height + LABEL), "white")
    whole.paste(pixels, (side, LABEL))
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(18)
    height, width = rows[0].shape[-2:]
    for i, label in enumerate(column_labels):
        middle = side + i * (width + GAP) + width // 2
        draw.text((middle, LABEL // 2), label, "black", font, anchor="mm")
    for i, label in enumerate(row_labels):
        middle = LABEL + i * (height + GAP) + height // 2
        draw.text((side - 8, middle), label, "black", font, anchor="rm")
    whole.save(path, quality=92, subsampling=0)


def strips(model: StyleTransfer, teachers: Mapping[str, Path], out: Path) -> list[str]:
    """A picture a style: photographs, the teacher's, ours, and the photographs again."""
    lines = [
        "## Photographs",
        "",
        f"Each photograph has {FULL[1]}×{FULL[0]} pixels, and so has each of its pictures: open "
        "one to see all of them. From left to right the content, the teacher, ours, and ours "
        "undone. Squares of the first two photographs were trained on, the third was held out.",
        "",
    ]
    photographs = torch.stack([image(name, FULL) for name in SHOWN])
    for name, path in teachers.items():
        teacher = FastNeuralStyle.from_file(path)
        rows = []
        for x in photographs:
            exact = model.stylize(x, name, cropped=False)
            undone = model.undo(exact, name)
            made = [x, _taught(teacher, x), *(y[:, : FULL[0], : FULL[1]] for y in (exact, undone))]
            rows.append(torch.stack(made))
        save_at_full_size(
            out / "images" / f"style-{name}.jpg", rows, ("content", "teacher", "ours", "undone")
        )
        lines += [f"![{name}: content, teacher, ours, undone](images/style-{name}.jpg)", ""]
    return lines


def _taught(teacher: FastNeuralStyle, x: Tensor) -> Tensor:
    """A teacher's picture of a photograph of any size: these networks want sides of 4 pixels."""
    height, width = x.shape[1:]
    around = (0, -width % 4, 0, -height % 4)
    whole = torch.nn.functional.pad(x[None], around, mode="reflect")
    return teach(teacher, whole)[0, :, :height, :width]


def pictures_as_styles(model: StyleTransfer, contents: Tensor, out: Path) -> list[str]:
    """Free pictures as styles, without pairs and without a teacher."""
    tile = (TILE, TILE)
    shown = [image(name, tile) for name in SHOWN]
    blank = torch.ones(3, *tile)
    rows = [torch.stack([blank, *(x for x in shown for _ in WEIGHTS)])]
    for name in PICTURES:
        picture = image(name, tile)
        operators = [
            model.from_picture(contents.split(100), picture, content_weight=w) for w in WEIGHTS
        ]
        made = [model.stylize(x, operator) for x in shown for operator in operators]
        rows.append(torch.stack([picture, *made]))
    columns = ["picture", *(f"{name}, w = {w:g}" for name in SHOWN for w in WEIGHTS)]
    labels = ["content", *(name.replace("_", " ") for name in PICTURES)]
    save_at_full_size(out / "images" / "style-pictures.jpg", rows, columns, labels)
    return [
        "## A style from one picture",
        "",
        "`linearizer style add --picture FILE --content-weight w`: no pairs, no teacher, no "
        "training. After `plain`, the operator carries the second moments of the latents of the "
        "contents to those of the picture's, by the optimal transport between them: it knows the "
        "colors of a picture and its texture of a few pixels, but no strokes. w is how much of "
        "the contents' own colors stays.",
        "",
        "![Ten pictures as styles](images/style-pictures.jpg)",
        "",
    ]


def walks(model: StyleTransfer, names: Sequence[str], out: Path) -> list[str]:
    """From every style to every other, on two photographs."""
    lines = ["## From style to style", "", "Linear mixes of two operators, 256×256 pixels.", ""]
    for photo in SHOWN[:2]:
        x = image(photo, (256, 256))
        rows, labels = [], []
        for a, b in itertools.combinations(names, 2):
            places = torch.linspace(0, 1, 7).tolist()
            frames = [model.stylize(x, model.interpolate(a, b, s)) for s in places]
            rows.append(torch.stack(frames))
            labels.append(f"{a}\nto {b}")
        save_mosaic(out / "images" / f"styles-{photo}.png", rows, row_labels=labels, inches=1.0)
        lines += [f"![Style pairs on {photo}](images/styles-{photo}.png)", ""]
    return [*lines, *_mixes(model, names, out)]


def _mixes(model: StyleTransfer, names: Sequence[str], out: Path) -> list[str]:
    """Four styles in the corners of a square, and their mixes between."""
    if len(names) < 4:
        return []
    x, places = image(SHOWN[0], (TILE, TILE)), torch.linspace(0, 1, 5).tolist()
    rows = []
    for down in places:
        weights = [
            [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
            for right in places
        ]
        mixes = (dict(zip(names, w, strict=False)) for w in weights)
        rows.append(torch.stack([model.stylize(x, mix) for mix in mixes]))
    save_mosaic(out / "images" / "styles-mixes.png", rows, inches=TILE / 144)
    corners = "{}, {}, {} and {}".format(*names)
    return [f"![Mixes of {corners}](images/styles-mixes.png)", "", f"Mixes of {corners}.", ""]
