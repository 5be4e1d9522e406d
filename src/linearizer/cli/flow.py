"""The commands on a trained one-step flow."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from linearizer._checks import Shape
from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.applications.conditional_flow import directions_between
from linearizer.cli.options import (
    MOST_DRAWN,
    MOST_IN_A_ROW,
    Denoise,
    Overwrite,
    Picture,
    Resize,
    Seed,
    class_of,
    cleaned,
    open_flow,
    real,
    whole,
    with_classes,
)
from linearizer.data.pixels import read_images
from linearizer.display.console import say, tell
from linearizer.errors import RangeError
from linearizer.flows import Method
from linearizer.spaces import InducedSpace

Flow = Annotated[str, typer.Argument(help="Folder of a trained flow, or a pretrained one.")]
Images = Annotated[list[Path], typer.Argument(help="Image files.")]
Label = Annotated[str | None, typer.Option(help="Class, of a flow that has classes.")]

MOST_ROWS = 12
"""Classes, of which each has a row of samples."""


@torch.no_grad()
def sample(
    run: Flow,
    count: Annotated[
        int, whole("-n", "--count", min=1, max=MOST_DRAWN, help="Number of images.")
    ] = 64,
    steps: Annotated[
        int | None, whole(min=1, help="Really take so many steps, instead of one.")
    ] = None,
    method: Annotated[Method, typer.Option(help="Runge-Kutta method of many steps.")] = "euler",
    temperature: Annotated[float, real(min=0.0, help="Standard deviation of the noise.")] = 1.0,
    label: Label = None,
    guidance: Annotated[
        float, real(min=0.0, help="Above 0 for more typical images of each class.")
    ] = 0.0,
    denoise: Denoise = False,
    seed: Seed = 0,
    out: Picture = Path("samples.png"),
    overwrite: Overwrite = False,
) -> None:
    """Generate images in one step.

    A flow of at most twelve classes draws a row of each, unless one is named.
    """
    from linearizer.display.output import Output, parts_of, rows_of  # noqa: PLC0415

    output = Output(out, overwrite=overwrite)
    opened = open_flow(run)
    flow = opened.model
    if label is not None or guidance:
        flow = with_classes(flow, run)
    if isinstance(flow, ConditionalFlow) and steps is None:
        components = _components(flow, count, label, seed)
        images = flow.decode(flow.pooled.noise(count, seed, temperature), components, guidance)
    else:
        one = flow if isinstance(flow, OneStepFlow) else _only(flow, label, guidance)
        images = one.sample(count, steps=steps, method=method, temperature=temperature, seed=seed)
    images = cleaned(opened, run, images, denoise)
    if isinstance(flow, ConditionalFlow) and _has_rows(flow, label):
        names = [str(name) for name in flow.classes][:count]
        output.write(parts_of(images, len(names)), {"images": images}, names)
    else:
        output.write(rows_of(images), {"images": images})


@torch.no_grad()
def invert(
    run: Flow,
    images: Images,
    label: Label = None,
    resize: Resize = False,
    out: Picture = Path("inversion.png"),
    overwrite: Overwrite = False,
) -> None:
    """Find the noise that images come from, each as its likeliest class if there are any."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    flow = open_flow(run).model
    x = read_images(images, _shape(flow), resize=resize)
    if label is None:
        noise = flow.encode(x)
    else:
        mixture = with_classes(flow, run)
        noise = mixture.encode(x, class_of(mixture, label))
    as_image = (noise / 3).reshape(x.shape)
    output.write([x, as_image], {"images": x, "noise": noise}, ["image", "its noise"])


@torch.no_grad()
def reconstruct(
    run: Flow,
    images: Images,
    latent_noise: Annotated[
        float, real(min=0.0, help="Standard deviation of noise added to the latents.")
    ] = 0.0,
    resize: Resize = False,
    seed: Seed = 0,
    out: Picture = Path("reconstruction.png"),
    overwrite: Overwrite = False,
) -> None:
    """Map images to noise and back in one step each, and show what is lost on the way."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation.images import reconstruction_errors  # noqa: PLC0415

    output = Output(out, overwrite=overwrite)
    flow = _as_one(open_flow(run).model)
    x = read_images(images, flow.g_data.in_shape, resize=resize)
    again = flow.reconstruct(x, latent_noise=latent_noise, seed=seed)
    error, largest, psnr = reconstruction_errors(x, again)
    output.write(
        [x, again, error],
        {"images": x, "reconstruction": again},
        ["image", "and back", f"error, gray = 0,\nwhite = {largest:.1g}"],
    )
    for path, decibels in zip(images, psnr, strict=True):
        say(f"{path}: {decibels:.1f} dB PSNR")


@torch.no_grad()
def interpolate(
    run: Flow,
    a: Annotated[Path, typer.Argument(help="First image.")],
    b: Annotated[Path, typer.Argument(help="Last image.")],
    count: Annotated[
        int, whole("-n", "--count", min=2, max=MOST_IN_A_ROW, help="Images on the line.")
    ] = 9,
    denoise: Denoise = False,
    resize: Resize = False,
    out: Picture = Path("interpolation.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw the way from one image to another, a straight line of the induced space."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    opened = open_flow(run)
    flow = _as_one(opened.model)
    x, y = read_images([a, b], flow.g_data.in_shape, resize=resize)
    line = cleaned(opened, run, flow.interpolate(x, y, count), denoise)
    times = torch.linspace(0, 1, count)
    pixels = torch.stack([torch.lerp(x, y, float(t)) for t in times])
    output.write(
        [line, pixels],
        {"line": line, "pixels": pixels},
        ["induced space", "pixels"],
        [f"{t:.2f}" for t in times],
    )


@torch.no_grad()
def likelihood(
    run: Flow,
    images: Images,
    resize: Resize = False,
    quantization_levels: Annotated[int, whole(min=2, help="Gray levels of the images.")] = 256,
) -> None:
    """Print the exact log-density of images, and their likeliest class if there are any."""
    from linearizer.evaluation.images import likelihood_table  # noqa: PLC0415  (slow to import)

    flow = open_flow(run).model
    x = read_images(images, _shape(flow), resize=resize)
    likelihood_table(flow, x, [str(path) for path in images], quantization_levels).show()


@torch.no_grad()
def directions(
    run: Flow,
    image: Annotated[Path | None, typer.Option(help="Start here; else at the mean.")] = None,
    label: Label = None,
    to: Annotated[
        str | None, typer.Option(help="Of the map from --label to this class, instead.")
    ] = None,
    count: Annotated[int, whole("-k", "--count", min=1, help="Number of directions.")] = 8,
    reach: Annotated[float, real(min=0.0, help="Furthest point, in standard deviations.")] = 3.0,
    denoise: Denoise = False,
    resize: Resize = False,
    out: Picture = Path("directions.png"),
    overwrite: Overwrite = False,
) -> None:
    """Draw what images differ in most: walks along singular directions of the sampler.

    Of the sampler of one class with --label, which stretches more than that of all, or of the map
    from one class to another with --to: each walk is above what the map makes of it.
    """
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)
    from linearizer.evaluation.images import spectrum_in_words  # noqa: PLC0415

    output = Output(out, overwrite=overwrite)
    opened = open_flow(run)
    flow = _as_one(opened.model)
    if label is not None:
        mixture = with_classes(opened.model, run)
        flow = mixture.at(class_of(mixture, label))
    elif to is not None:
        raise typer.BadParameter("give --label beside --to: the class that the map leads from")
    if image is None:
        start = InducedSpace(flow.g_data).zero()
    else:
        start = read_images([image], flow.g_data.in_shape, resize=resize)[0]
    lengths = torch.linspace(-reach, reach, 9).tolist()
    if to is None:
        walks, values = flow.directions(start, lengths, count)
        rows, made = [*cleaned(opened, run, walks, denoise)], {"walks": walks}
    else:
        other = mixture.at(class_of(mixture, to))
        walks, mapped, values = directions_between(flow, other, start, lengths, count)
        pairs = torch.stack([walks, mapped], 1).flatten(0, 1)
        rows, made = [*cleaned(opened, run, pairs, denoise)], {"walks": walks, "mapped": mapped}
    names = [f"σ{i + 1} = {sigma:.2f}" for i, sigma in enumerate(values)]
    if to is not None:
        names = [text for name in names for text in (name, f"as {to}")]
    output.write(rows, {**made, "singular_values": values}, names, [f"{t:+.1f}" for t in lengths])
    tell(spectrum_in_words(values))


def _has_rows(flow: ConditionalFlow, label: str | None) -> bool:
    """Whether each class has a row of samples."""
    return label is None and len(flow.classes) <= MOST_ROWS


def _components(flow: ConditionalFlow, count: int, label: str | None, seed: int) -> Tensor:
    """The components to sample from: of one class, as many of each, or by their weights."""
    if _has_rows(flow, label):
        return flow.draw_evenly(count, seed)
    return flow.draw(count, None if label is None else class_of(flow, label), seed)


def _only(flow: ConditionalFlow, label: str | None, guidance: float) -> OneStepFlow:
    """The flow of the one class that many steps are taken of."""
    if label is None or guidance:
        got = "no class" if label is None else f"guidance {guidance:g}"
        raise RangeError(
            f"expected one class and no guidance to take --steps, got {got}; give --label alone, "
            "or leave out --steps"
        )
    return flow.at(class_of(flow, label))


def _as_one(flow: OneStepFlow | ConditionalFlow) -> OneStepFlow:
    """The flow of all classes as one."""
    return flow.pooled if isinstance(flow, ConditionalFlow) else flow


def _shape(flow: OneStepFlow | ConditionalFlow) -> Shape:
    """The event shape of the images."""
    return _as_one(flow).g_data.in_shape
