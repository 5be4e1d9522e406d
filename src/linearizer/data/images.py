"""Images with labels in one range, and the noise that makes their gray levels continuous."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from linearizer.errors import RangeError


@dataclass(frozen=True)
class Images:
    """Images in [-1, 1] and their labels.

    Attributes:
        images: (N, C, H, W) in [-1, 1].
        labels: (N,) whole numbers.
        quantization_levels: Gray levels that the images were stored in.
    """

    images: Tensor
    labels: Tensor
    quantization_levels: int

    @classmethod
    def from_bytes(cls, pixels: Tensor, labels: Tensor) -> "Images":
        """Images (N, C, H, W) stored in bytes: byte b becomes b / 127.5 - 1.

        Example:
            >>> from linearizer.data import Images
            >>> pixels = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
            >>> Images.from_bytes(pixels, torch.zeros(2)).images.flatten().tolist()
            [-1.0, 1.0]
        """
        return cls(from_bytes(pixels), labels, quantization_levels=256)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.images.shape[1:])

    def take(self, index: Tensor) -> "Images":
        """The images at some indices."""
        return Images(self.images[index], self.labels[index], self.quantization_levels)

    def split(self, held_out: int, seed: int = 0) -> tuple["Images", "Images"]:
        """Two parts at random: the rest, and `held_out` images never trained on."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[:-held_out]), self.take(order[-held_out:])

    def split_last(
        self, one_in: int = 10, *, at_most: int | None = None
    ) -> tuple["Images", "Images"]:
        """Two parts in order: the rest, and the last ⌈n / one_in⌉ of the n images of each label.

        A label with one image stays in the rest; if each has but one, labels do not count.

        Args:
            one_in: One of so many images is held out.
            at_most: The most images to hold out of one label.

        Raises:
            RangeError: If there are fewer than two images.

        Example:
            >>> from linearizer.data import Images
            >>> labels = torch.arange(40) // 20
            >>> data = Images(torch.zeros(40, 1, 8, 8), labels, quantization_levels=17)
            >>> rest, held_out = data.split_last()
            >>> len(rest), held_out.labels.tolist()
            (36, [0, 0, 1, 1])
        """
        if len(self) < 2:
            raise RangeError(
                f"expected two images or more, one to hold out, got {len(self)}; add images"
            )
        last = torch.zeros(len(self), dtype=torch.bool)
        groups = [(self.labels == label).nonzero()[:, 0] for label in self.labels.unique()]
        if len(groups) == len(self):
            groups = [torch.arange(len(self))]
        for group in groups:
            held_out = min(-(-len(group) // one_in), len(group) - 1, at_most or len(self))
            last[group[len(group) - held_out :]] = True
        return self.take(~last), self.take(last)

    def turned(self, seed: int = 0) -> "Images":
        """Each image turned by 0 to 3 quarters at random, which is its new label.

        Telling the turn needs features of what is seen, and no labels (Gidaris, Singh,
        Komodakis, arXiv:1803.07728). Images that are not square are turned by halves.
        """
        quarters = [0, 1, 2, 3] if self.shape[1] == self.shape[2] else [0, 2]
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(len(quarters), (len(self),), generator=generator)
        images = self.images.clone()
        for label, turn in enumerate(quarters):
            images[labels == label] = self.images[labels == label].rot90(turn, (-2, -1))
        return Images(images, labels, self.quantization_levels)

    def noise_std(self, width: float) -> float:
        """The standard deviation of uniform noise of `width` gray levels, in units of [-1, 1].

        Example:
            >>> from linearizer.data import load_digits
            >>> load_digits().noise_std(width=2.0)
            0.0722
        """
        return 2 * width / (self.quantization_levels - 1) / math.sqrt(12)

    def dequantized(self, width: float, seed: int) -> Tensor:
        """The images plus uniform noise of `width` gray levels, centered at zero.

        Stored images lie on a grid, on which a density can grow without bound; noise of at
        least one gray level fills the gaps (Uria, Murray, Larochelle, arXiv:1306.0186).
        """
        return dequantize(
            self.images, width, self.quantization_levels, torch.Generator().manual_seed(seed)
        )


def dequantize(
    images: Tensor, width: float, quantization_levels: int, generator: torch.Generator
) -> Tensor:
    """Images in [-1, 1] of some gray levels, plus uniform noise of `width` of them."""
    noise = torch.rand(images.shape, generator=generator).to(images) - 0.5
    return images + noise * (2 * width / (quantization_levels - 1))


def as_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as bytes; what lies outside is clamped.

    Example:
        >>> from linearizer.data.images import as_bytes
        >>> as_bytes(torch.tensor([-1.2, 0.0, 1.0])).tolist()
        [0, 128, 255]
    """
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_bytes(pixels: Tensor) -> Tensor:
    """Images stored in bytes as numbers in [-1, 1]: byte b becomes b / 127.5 - 1."""
    return pixels.float().div_(127.5).sub_(1)


def resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """An image (C, H, W) in [-1, 1] at another size, without aliasing.

    Example:
        >>> import torch
        >>> from linearizer.data.images import resized
        >>> resized(torch.zeros(1, 8, 8), (4, 6)).shape
        torch.Size([1, 4, 6])
    """
    other = interpolate(image[None], tuple(size), mode="bicubic", antialias=True)
    return other[0].clamp(-1, 1)
