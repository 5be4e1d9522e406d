"""The commands on a trained one-step flow: their options."""

from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from linearizer.cli.options import MOST_DRAWN, MOST_IN_A_ROW, real, seed_option, whole
from linearizer.cli.train_commands import lpips_files

Run = Annotated[str, typer.Argument(help="Folder of a trained flow.")]
Images = Annotated[list[Path], typer.Argument(help="Image files.")]
Resize = Annotated[bool, typer.Option(help="Resize images of another size.")]
Overwrite = Annotated[bool, typer.Option(help="Replace files that exist.")]
Seed = Annotated[int, seed_option(help="Seed of the noise.")]


class Method(StrEnum):
    """Runge-Kutta methods."""

    euler = "euler"
    midpoint = "midpoint"
    heun = "heun"
    rk4 = "rk4"


def _work() -> ModuleType:
    from linearizer.cli import flow  # noqa: PLC0415  (matplotlib is slow to import)

    return flow


def sample(
    run: Run,
    count: Annotated[
        int, whole("-n", "--count", min=1, max=MOST_DRAWN, help="Number of images.")
    ] = 64,
    steps: Annotated[
        int | None, whole(min=1, help="Really take so many steps, instead of one.")
    ] = None,
    method: Annotated[Method, typer.Option(help="Of many steps.")] = Method.euler,
    temperature: Annotated[float, real(min=0.0, help="Standard deviation of the noise.")] = 1.0,
    denoise: Annotated[
        bool, typer.Option(help="Take away the noise that g was trained with.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("samples.png"),
    overwrite: Overwrite = False,
) -> None:
    """Generate images in one step."""
    work = _work()
    output = work.Output(out, overwrite=overwrite)
    work.sample(run, count, steps, method.value, temperature, denoise, seed, output)


def invert(
    run: Run,
    images: Images,
    resize: Resize = False,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("inversion.png"),
    overwrite: Overwrite = False,
) -> None:
    """Find the noise that images come from."""
    work = _work()
    work.invert(run, images, resize, work.Output(out, overwrite=overwrite))


def reconstruct(
    run: Run,
    images: Images,
    latent_noise: Annotated[
        float, real(min=0.0, help="Standard deviation of noise added to the latents.")
    ] = 0.0,
    resize: Resize = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("reconstruction.png"),
    overwrite: Overwrite = False,
) -> None:
    """Images to noise and back by one-step maps, and what is lost on the way."""
    work = _work()
    output = work.Output(out, overwrite=overwrite)
    work.reconstruct(run, images, latent_noise, resize, seed, output)


def interpolate(
    run: Run,
    a: Annotated[Path, typer.Argument(help="First image.")],
    b: Annotated[Path, typer.Argument(help="Last image.")],
    count: Annotated[
        int, whole("-n", "--count", min=2, max=MOST_IN_A_ROW, help="Images on the line.")
    ] = 9,
    resize: Resize = False,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("interpolation.png"),
    overwrite: Overwrite = False,
) -> None:
    """Walk the straight line of the induced space from one image to another."""
    work = _work()
    work.interpolate(run, a, b, count, resize, work.Output(out, overwrite=overwrite))


def likelihood(
    run: Run,
    images: Images,
    resize: Resize = False,
    quantization_levels: Annotated[int, whole(min=2, help="Grey levels of the images.")] = 256,
) -> None:
    """Print the exact log-density of images."""
    _work().likelihood(run, images, resize, quantization_levels)


def directions(
    run: Run,
    image: Annotated[Path | None, typer.Option(help="Start here; else at the mean.")] = None,
    count: Annotated[int, whole("-k", "--count", min=1, help="Directions.")] = 8,
    reach: Annotated[float, real(min=0.0, help="Furthest point, in standard deviations.")] = 3.0,
    resize: Resize = False,
    out: Annotated[Path, typer.Option(help="PNG file.")] = Path("directions.png"),
    overwrite: Overwrite = False,
) -> None:
    """Walk along the leading singular directions of the sampler."""
    work = _work()
    output = work.Output(out, overwrite=overwrite)
    work.directions(run, image, count, reach, resize, output)


def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a trained flow or projector.")],
    data: Annotated[str | None, typer.Option(help="Data set; that of the run by default.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where its files lie.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; the run by default.")] = None,
    lpips_backbone: Annotated[
        Path | None, typer.Option(help="Weights of SqueezeNet 1.1, for LPIPS.")
    ] = None,
    lpips_heads: Annotated[Path | None, typer.Option(help="Weights of its LPIPS heads.")] = None,
    steps: Annotated[int, whole(min=1, help="Of the many-step samplers.")] = 100,
    count: Annotated[int, whole("-n", "--count", min=2, help="Images measured.")] = 1000,
    rank: Annotated[
        int | None, whole(min=1, help="Of a projector's restoration; 64 if it has so many.")
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Measure a flow or a projector against held-out images."""
    from linearizer.cli.evaluate import evaluate as measure  # noqa: PLC0415  (slow to import)

    measure(
        run,
        data=data,
        data_dir=data_dir,
        out=out,
        lpips=lpips_files(lpips_backbone, lpips_heads),
        steps=steps,
        count=count,
        rank=rank,
        seed=seed,
        overwrite=overwrite,
    )


def add_flow_commands(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for command in (sample, invert, reconstruct, interpolate, likelihood, directions, evaluate):
        app.command()(command)
