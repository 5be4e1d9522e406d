"""Images with labels in one range, and the noise that makes their grey levels continuous."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Images in [-1, 1] and their labels.

    Attributes:
        images: (N, C, H, W) in [-1, 1].
        labels: (N,) whole numbers.
        levels: Grey levels that the images were stored in.
    """

    images: Tensor
    labels: Tensor
    levels: int

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.images.shape[1:])

    def take(self, index: Tensor) -> "Images":
        """The images at some indices."""
        return Images(self.images[index], self.labels[index], self.levels)

    def split(self, held_out: int, seed: int = 0) -> tuple["Images", "Images"]:
        """Two parts at random: the rest, and `held_out` images never trained on."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:-held_out]), self.take(order[-held_out:])

    def dequantized(self, width: float, seed: int) -> Tensor:
        """The images plus uniform noise of `width` grey levels, centred at zero.

        Stored images lie on a grid, on which a density can grow without bound; noise of at
        least one grey level fills the gaps (Uria, Murray, Larochelle, arXiv:1306.0186).
        """
        return dequantize(self.images, width, self.levels, torch.Generator().manual_seed(seed))


def dequantize(images: Tensor, width: float, levels: int, generator: torch.Generator) -> Tensor:
    """Images in [-1, 1] of some grey levels, plus uniform noise of `width` of them."""
    noise = torch.rand(images.shape, generator=generator).to(images) - 0.5
    return images + noise * (2 * width / (levels - 1))
