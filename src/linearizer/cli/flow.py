"""The commands on a trained one-step flow."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from linearizer.applications import OneStepFlow
from linearizer.cli.options import (
    MOST_DRAWN,
    MOST_IN_A_ROW,
    Overwrite,
    Picture,
    Resize,
    Seed,
    real,
    whole,
)
from linearizer.data.pixels import read_images
from linearizer.display.console import say
from linearizer.errors import RangeError
from linearizer.flows import Method
from linearizer.saving.run_information import NOTE, open_model
from linearizer.spaces import InducedSpace

Flow = Annotated[str, typer.Argument(help="Folder of a trained flow, or a pretrained one.")]
Images = Annotated[list[Path], typer.Argument(help="Image files.")]


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
    denoise: Annotated[
        bool, typer.Option(help="Take away the noise that g was trained with.")
    ] = False,
    seed: Seed = 0,
    out: Picture = Path("samples.png"),
    overwrite: Overwrite = False,
) -> None:
    """Generate images in one step."""
    from linearizer.display.output import Output, rows_of  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    opened = open_model(run, OneStepFlow)
    flow = opened.model
    images = flow.sample(count, steps=steps, method=method, temperature=temperature, seed=seed)
    if denoise:
        std = opened.note.get("noise_std")
        if std is None:
            raise RangeError(
                f"expected the noise that {run} was trained with in its {NOTE}, got none; leave "
                "out --denoise, or use OneStepFlow.denoise with a std"
            )
        images = torch.cat([flow.denoise(batch, std) for batch in images.split(100)])
    output.write(rows_of(images), {"images": images})


@torch.no_grad()
def invert(
    run: Flow,
    images: Images,
    resize: Resize = False,
    out: Picture = Path("inversion.png"),
    overwrite: Overwrite = False,
) -> None:
    """Find the noise that images come from."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    flow = open_model(run, OneStepFlow).model
    x = read_images(images, flow.g_data.in_shape, resize=resize)
    noise = flow.encode(x)
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
    flow = open_model(run, OneStepFlow).model
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
    resize: Resize = False,
    out: Picture = Path("interpolation.png"),
    overwrite: Overwrite = False,
) -> None:
    """Walk the straight line of the induced space from one image to another."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    flow = open_model(run, OneStepFlow).model
    x, y = read_images([a, b], flow.g_data.in_shape, resize=resize)
    line = flow.interpolate(x, y, count)
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
    """Print the exact log-density of images."""
    from linearizer.evaluation.images import likelihood_table  # noqa: PLC0415  (slow to import)

    flow = open_model(run, OneStepFlow).model
    x = read_images(images, flow.g_data.in_shape, resize=resize)
    likelihood_table(flow, x, [str(path) for path in images], quantization_levels).show()


@torch.no_grad()
def directions(
    run: Flow,
    image: Annotated[Path | None, typer.Option(help="Start here; else at the mean.")] = None,
    count: Annotated[int, whole("-k", "--count", min=1, help="Number of directions.")] = 8,
    reach: Annotated[float, real(min=0.0, help="Furthest point, in standard deviations.")] = 3.0,
    resize: Resize = False,
    out: Picture = Path("directions.png"),
    overwrite: Overwrite = False,
) -> None:
    """Walk along the leading singular directions of the sampler."""
    from linearizer.display.output import Output  # noqa: PLC0415  (slow to import)

    output = Output(out, overwrite=overwrite)
    flow = open_model(run, OneStepFlow).model
    if image is None:
        start = InducedSpace(flow.g_data).zero()
    else:
        start = read_images([image], flow.g_data.in_shape, resize=resize)[0]
    lengths = torch.linspace(-reach, reach, 9).tolist()
    walks, values = flow.directions(start, lengths, count)
    output.write(
        list(walks),
        {"walks": walks, "singular_values": values},
        [f"σ{i + 1} = {sigma:.2f}" for i, sigma in enumerate(values)],
        [f"{t:+.1f}" for t in lengths],
    )
