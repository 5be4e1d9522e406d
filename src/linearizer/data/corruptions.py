"""Ways to damage images, to see what is restored: each a function of images and a generator."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from linearizer._names import meant
from linearizer.errors import RangeError

Corruption = Callable[[Tensor, Generator], Tensor]


def noise(images: Tensor, random: Generator) -> Tensor:
    """Gaussian noise of standard deviation 0.5."""
    return images + 0.5 * torch.randn(images.shape, generator=random).to(images)


def salt(images: Tensor, random: Generator) -> Tensor:
    """A tenth of the pixels black or white."""
    draws = _uniform((len(images), 1, *images.shape[-2:]), images, random)
    extreme = (draws < 0.05).to(images) - (draws > 0.95).to(images)
    return torch.where(extreme == 0, images, extreme)


def blur(images: Tensor, random: Generator) -> Tensor:
    """A box filter of about an eighth of the side."""
    side = 2 * max(1, images.shape[-1] // 16) + 1
    padded = pad(images, (side // 2,) * 4, mode="replicate")
    return avg_pool2d(padded, side, stride=1)


def occlude(images: Tensor, random: Generator) -> Tensor:
    """A square of a quarter of the side, somewhere in the middle half, painted black."""
    N, _, height, width = images.shape
    side = max(height, width) // 4
    corners = _uniform((2, N), images, random) * (min(height, width) / 2) + min(height, width) / 8
    y = torch.arange(height).to(images)[None, :, None]
    x = torch.arange(width).to(images)[None, None, :]
    top, left = corners.floor()[..., None, None]
    inside = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
    return images.masked_fill(inside[:, None], -1.0)


def pixelate(images: Tensor, random: Generator) -> Tensor:
    """A third of the resolution."""
    height, width = images.shape[-2:]
    coarse = interpolate(images, (max(1, height // 3), max(1, width // 3)), mode="area")
    return interpolate(coarse, (height, width), mode="nearest")


def fade(images: Tensor, random: Generator) -> Tensor:
    """A third of the contrast, toward gray."""
    return images / 3


def scratch(images: Tensor, random: Generator) -> Tensor:
    """Two black rows and two white columns, each somewhere in the middle half."""
    N, _, height, width = images.shape
    damaged = images.clone()
    every = torch.arange(N)
    for _ in range(2):
        draws = 0.25 + 0.5 * torch.rand(2, N, generator=random)
        damaged[every, :, (draws[0] * height).long()] = -1.0
        damaged[every, :, :, (draws[1] * width).long()] = 1.0
    return damaged


CORRUPTIONS: dict[str, Corruption] = {
    "noise": noise,
    "salt": salt,
    "blur": blur,
    "occlude": occlude,
    "pixelate": pixelate,
    "fade": fade,
    "scratch": scratch,
}


def corrupt(images: Tensor, name: str, seed: int = 0) -> Tensor:
    """Images (N, C, H, W) in [-1, 1], damaged.

    Args:
        images: To damage; they stay as they are.
        name: One of `CORRUPTIONS`.
        seed: Seed of the random numbers; the same seed gives the same damage.

    Raises:
        RangeError: If there is no such corruption.

    Example:
        >>> import torch
        >>> from linearizer.data import corrupt
        >>> corrupt(torch.ones(2, 1, 8, 8), "fade")[0, 0, 0, 0]
        tensor(0.3333)
    """
    if name not in CORRUPTIONS:
        raise RangeError(
            f"expected a corruption of {', '.join(CORRUPTIONS)}, got '{name}'"
            f"{meant(name, CORRUPTIONS)}"
        )
    return CORRUPTIONS[name](images, Generator().manual_seed(seed))


def _uniform(shape: tuple[int, ...], like: Tensor, random: Generator) -> Tensor:
    return torch.rand(shape, generator=random).to(like)
