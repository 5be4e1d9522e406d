"""What the commands on a trained one-step flow do."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.data.images import resized
from linearizer.data.pixels import read_image
from linearizer.display.console import say
from linearizer.display.pictures import save_mosaic
from linearizer.display.tables import Table
from linearizer.errors import RangeError, ShapeError
from linearizer.flows import Method
from linearizer.metrics import nats_to_bits, psnr_db
from linearizer.saving import find_model
from linearizer.saving.run_information import NOTE, read_note
from linearizer.spaces import InducedSpace
from linearizer.training.run_folder import new_file, new_picture

COLUMNS = 8


class Output:
    """A picture and its tensors, next to each other, never written over unasked.

    Raises:
        FileExistsAlreadyError: If there is one of them and `overwrite` is false.
        RangeError: If it cannot be that of a picture.
    """

    def __init__(self, picture: Path, *, overwrite: bool) -> None:
        self.picture = new_picture(picture, overwrite=overwrite)
        self.tensors = new_file(picture.with_suffix(".safetensors"), overwrite=overwrite)

    def write(
        self,
        rows: list[Tensor],
        tensors: dict[str, Tensor],
        row_labels: list[str] | None = None,
        column_labels: list[str] | None = None,
    ) -> None:
        """Write both and say where."""
        save_mosaic(
            self.picture, rows, row_labels=row_labels or [], column_labels=column_labels or []
        )
        save_file({k: t.contiguous() for k, t in tensors.items()}, self.tensors)
        say(f"{self.picture} and {self.tensors}")


def open_flow(run: str) -> OneStepFlow:
    """The flow in a folder, or the pretrained one of a name."""
    return OneStepFlow.from_pretrained(run)


def read_images(paths: list[Path], shape: tuple[int, ...], *, resize: bool) -> Tensor:
    """Image files as (N, C, H, W) in [-1, 1].

    Raises:
        FileFormatError: If a file is missing or no image.
        ShapeError: If its size is another and `resize` is false.
    """
    channels, height, width = shape
    images = []
    for path in paths:
        image = read_image(path, grey=channels == 1)
        if image.shape[1:] != (height, width):
            if not resize:
                raise ShapeError(
                    f"expected {width}×{height} pixels, got {image.shape[2]}×{image.shape[1]} in "
                    f"{path}; pass --resize, or crop it yourself"
                )
            image = resized(image, (height, width))
        images.append(image)
    return torch.stack(images)


@torch.no_grad()
def sample(
    run: str,
    count: int,
    steps: int | None,
    method: Method,
    temperature: float,
    denoise: bool,
    seed: int,
    out: Output,
) -> None:
    """New images, in one step or many."""
    flow = open_flow(run)
    images = flow.sample(count, steps=steps, method=method, temperature=temperature, seed=seed)
    if denoise:
        std = read_note(find_model(run)).get("noise_std")
        if std is None:
            raise RangeError(
                f"expected the noise that {run} was trained with in its {NOTE}, got none; leave "
                "out --denoise, or use OneStepFlow.denoise with a std"
            )
        images = torch.cat([flow.denoise(batch, std) for batch in images.split(100)])
    out.write(rows_of(images), {"images": images})


@torch.no_grad()
def invert(run: str, paths: list[Path], resize: bool, out: Output) -> None:
    """Images and the noise that they come from."""
    flow = open_flow(run)
    images = read_images(paths, flow.g_data.in_shape, resize=resize)
    noise = flow.encode(images)
    as_image = (noise / 3).reshape(images.shape)
    out.write([images, as_image], {"images": images, "noise": noise}, ["image", "its noise"])


@torch.no_grad()
def reconstruct(
    run: str, paths: list[Path], latent_noise: float, resize: bool, seed: int, out: Output
) -> None:
    """Images, what comes back of them, and the difference, enlarged to be seen."""
    flow = open_flow(run)
    images = read_images(paths, flow.g_data.in_shape, resize=resize)
    again = flow.reconstruct(images, latent_noise=latent_noise, seed=seed)
    error = again - images
    largest = float(error.abs().max())
    out.write(
        [images, again, error / max(largest, torch.finfo(error.dtype).tiny)],
        {"images": images, "reconstruction": again},
        ["image", "and back", f"error, grey = 0,\nwhite = {largest:.1g}"],
    )
    for path, x, y in zip(paths, images, again, strict=True):
        say(f"{path}: {psnr_db(y, x):.1f} dB PSNR")


@torch.no_grad()
def interpolate(run: str, a: Path, b: Path, count: int, resize: bool, out: Output) -> None:
    """The straight line between two images in the induced space, and in pixels."""
    flow = open_flow(run)
    x, y = read_images([a, b], flow.g_data.in_shape, resize=resize)
    line = flow.interpolate(x, y, count)
    times = torch.linspace(0, 1, count)
    pixels = torch.stack([torch.lerp(x, y, float(t)) for t in times])
    out.write(
        [line, pixels],
        {"line": line, "pixels": pixels},
        ["induced space", "pixels"],
        [f"{t:.2f}" for t in times],
    )


@torch.no_grad()
def likelihood(run: str, paths: list[Path], resize: bool, quantization_levels: int) -> None:
    """The exact density of images, as bits a dimension in units of grey levels."""
    flow = open_flow(run)
    images = read_images(paths, flow.g_data.in_shape, resize=resize)
    rows = []
    for path, density in zip(paths, flow.log_prob(images), strict=True):
        bits = nats_to_bits(float(density), images[0].numel(), quantization_levels)
        rows.append((str(path), f"{float(density):.1f}", f"{bits:.3f}"))
    Table(["image", "log-density (nats)", "bits a dimension"], rows).show()


@torch.no_grad()
def directions(
    run: str, path: Path | None, count: int, reach: float, resize: bool, out: Output
) -> None:
    """Walks along the leading left singular points of the sampler, from an image or the mean."""
    flow = open_flow(run)
    if path is None:
        start = InducedSpace(flow.g_data).zero()
    else:
        start = read_images([path], flow.g_data.in_shape, resize=resize)[0]
    lengths = torch.linspace(-reach, reach, 9).tolist()
    walks, values = flow.directions(start, lengths, count)
    out.write(
        list(walks),
        {"walks": walks, "singular_values": values},
        [f"σ{i + 1} = {sigma:.2f}" for i, sigma in enumerate(values)],
        [f"{t:+.1f}" for t in lengths],
    )


def rows_of(images: Tensor) -> list[Tensor]:
    """Rows of up to eight images; the last is filled up with black."""
    columns = min(COLUMNS, len(images))
    missing = -len(images) % columns
    filled = torch.cat([images, images.new_full((missing, *images.shape[1:]), -1.0)])
    return list(filled.split(columns))
