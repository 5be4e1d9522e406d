"""What the commands on trained styles do."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from linearizer import linalg
from linearizer._files import atomic_write
from linearizer.applications import StyleTransfer
from linearizer.data.files import SUFFIXES
from linearizer.data.images import as_bytes, resized
from linearizer.data.pixels import as_picture, read_image
from linearizer.display.console import say
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import Table
from linearizer.errors import FileExistsAlreadyError, FileFormatError, LinearizerWarning, ShapeError
from linearizer.saving import current, find_model
from linearizer.saving.certificate import CERTIFICATE_FILE
from linearizer.training.progress import track
from linearizer.training.style_run import contents_of, taught
from linearizer.training.teachers import FastNeuralStyle
from linearizer.verification import certify

EXACT = ".safetensors"
Pairs = Iterator[tuple[Tensor, Tensor]]


def open_styles(run: str) -> StyleTransfer:
    """The model in a folder, with all styles beside it."""
    return StyleTransfer.from_pretrained(run)


def stylize(run: str, photo: Path, mix: Mapping[str, float], strength: float, out: Path) -> None:
    """One photograph in a mix of styles, at its own size, and the numbers to undo it from."""
    model = open_styles(run)
    image = _read(photo, model)
    exact = model.stylize(image, mix, strength=strength, cropped=False)
    _save(exact[..., : image.shape[-2], : image.shape[-1]], out)
    with atomic_write(out.with_suffix(EXACT)) as path:
        save_file({"image": exact.contiguous()}, path)


@torch.no_grad()
def add(
    run: str,
    name: str,
    *,
    pairs: Path | None,
    teacher: Path | None,
    picture: Path | None,
    content: str | None,
    data_dir: Path | None,
    contents: int,
    ridge: float,
    kernel: int,
    refine: int,
    overwrite: bool,
) -> None:
    """Solve for a style and write it beside the others."""
    model, folder = open_styles(run), find_model(run)
    if name in model.names and not overwrite:
        raise FileExistsAlreadyError(
            f"expected a new style, got {name}, which exists in {folder}; choose another name, or "
            "replace it with --overwrite"
        )
    if picture is not None:
        images = _contents(folder, content, data_dir, model, contents)
        operator = model.from_picture(images.split(100), _read(picture, model))
    else:
        if pairs is not None:
            lessons = _pairs(pairs, model)
        else:
            assert teacher is not None, "one source is given"
            images = _contents(folder, content, data_dir, model, contents)
            lessons = taught(FastNeuralStyle.from_file(teacher), images, name)
        console = Console(stderr=True)
        with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
            steps = bar.add_task("Refining", total=refine, visible=False)
            operator = model.fit(
                lessons,
                ridge=ridge,
                kernel_size=kernel,
                refinement=refine,
                progress=lambda loss: bar.update(steps, advance=1, visible=True),
            )
    model.add(name, operator)
    place = model.save_style(name, folder, overwrite=overwrite)
    if current(folder / CERTIFICATE_FILE).exists():  # a model with one more style is another model
        certify(folder, model)
    say(f"{name} is in {place}; condition number {model.cond(name):.3g}")


def interpolate(
    run: str,
    photo: Path,
    a: str,
    b: str,
    steps: int,
    geodesic: bool,
    strip: Path,
    gif: Path,
) -> None:
    """A strip and an animation of operators between two styles."""
    model = open_styles(run)
    image = _read(photo, model)
    places = torch.linspace(0, 1, steps).tolist()
    frames = [
        model.stylize(image, model.interpolate(a, b, s, geodesic=geodesic))
        for s in track(places, f"{a} to {b}")
    ]
    save_mosaic(
        strip, [torch.stack(frames)], column_labels=[f"{s:.2f}" for s in places], inches=1.2
    )
    pictures = [as_picture(frame) for frame in (*frames, *frames[-2:0:-1])]
    pictures[0].save(gif, save_all=True, append_images=pictures[1:], duration=120, loop=0)
    say(f"{strip} and {gif}")


def undo(run: str, photo: Path, name: str, out: Path) -> None:
    """The content of a stylised image."""
    model = open_styles(run)
    picture = _read(photo, model)
    exact = _numbers_of(photo, picture)
    if exact is None:
        warnings.warn(
            f"expected the numbers that stylize wrote beside {photo}, got the picture alone; its "
            "rounding to 8 bits is amplified, and what comes back may be noise",
            LinearizerWarning,
            stacklevel=1,
        )
        exact = picture
    content = model.undo(exact, name)
    _save(content[..., : picture.shape[-2], : picture.shape[-1]], out)
    say(f"condition number of {name}: {model.cond(name):.3g}")


def compose(run: str, photo: Path, a: str, b: str, out: Path) -> None:
    """Two styles one after another, as one operator."""
    model = open_styles(run)
    _save(model.compose(_read(photo, model), a, b), out)


@torch.no_grad()
def directions(run: str, photo: Path, name: str, count: int, reach: float, out: Path) -> None:
    """The leading singular parts of a style, from left out to `reach` times as strong."""
    model = open_styles(run)
    image = _square(_read(photo, model), model)
    operator = model.operator(name)
    f = model.at(image.shape[-2:], operator)
    z = f.g_x(image)
    stylised = operator(z)
    factors = torch.linspace(0, reach, 7).tolist()
    rows, labels = [], []
    for i, part in enumerate(model.directions(name, count)):
        change = part(z)
        rows.append(torch.stack([f.g_y.inverse(stylised + (t - 1) * change) for t in factors]))
        labels.append(f"σ{i + 1} ≤ {float(linalg.norm(part)):.2f}")
    save_mosaic(
        out, rows, row_labels=labels, column_labels=[f"× {t:.1f}" for t in factors], inches=1.0
    )
    say(str(out))


def compare(run: str, out: Path) -> None:
    """A table and a picture of the distances between all styles, and of the basis they share."""
    model = open_styles(run)
    names, distances = model.names, model.distances()
    rows = [
        (name, *(f"{float(d):.3f}" for d in row), f"{model.cond(name):.3g}")
        for name, row in zip(names, distances, strict=True)
    ]
    Table(["style", *names, "condition"], rows).show()
    basis = model.shared_basis()
    side = 0.8 + 0.7 * len(names)
    figure = Figure(figsize=(2 * side + 1.6, side), layout="constrained")
    left, right = figure.subplots(1, 2)
    image = left.imshow(distances.numpy(), cmap="viridis", vmin=0)
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
    say(str(out))


# Details


def _contents(
    run: Path, content: str | None, data_dir: Path | None, model: StyleTransfer, count: int
) -> Tensor:
    train, _ = contents_of(run, content, data_dir, model.g_x.in_shape[1])
    return train.images[:count]


def _read(path: Path, model: StyleTransfer) -> Tensor:
    return read_image(path, grey=model.g_x.in_shape[0] == 1)


def _numbers_of(photo: Path, picture: Tensor) -> Tensor | None:
    """What was rounded, and cropped, to this very picture; None if that is not beside it."""
    beside = photo.with_suffix(EXACT)
    if not beside.is_file():
        return None
    try:
        exact = load_file(beside).get("image")
    except SafetensorError:
        return None
    if exact is None or exact.ndim != picture.ndim:
        return None
    shown = exact[..., : picture.shape[-2], : picture.shape[-1]]
    is_of_it = shown.shape == picture.shape and torch.equal(as_bytes(shown), as_bytes(picture))
    return exact if is_of_it else None


def _square(image: Tensor, model: StyleTransfer) -> Tensor:
    """The image at the size that the model was trained for."""
    return resized(image, model.g_x.in_shape[1:])


def _pairs(folder: Path, model: StyleTransfer) -> Pairs:
    """Files of equal names in `content` and `style`, at the size of the model."""
    sides = [folder / "content", folder / "style"]
    names = [{p.name for p in side.glob("*") if p.suffix.lower() in SUFFIXES} for side in sides]
    both = sorted(names[0] & names[1])
    if not both:
        raise FileFormatError(
            f"expected pairs of images of equal names in {sides[0]} and {sides[1]}, got none; "
            "put each content and its stylised image there under one name"
        )
    for name in track(both, "Pairs"):
        x, y = (_read(side / name, model) for side in sides)
        if x.shape != y.shape:
            raise ShapeError(
                f"expected a pair of one size, got {tuple(x.shape)} and {tuple(y.shape)} of "
                f"{name}; resize one of them"
            )
        yield _square(x, model)[None], _square(y, model)[None]


def _save(image: Tensor, out: Path) -> None:
    as_picture(image).save(out)
    say(str(out))
