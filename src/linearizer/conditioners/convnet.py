"""The small convolutional conditioner, for image-shaped events."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.errors import ShapeError
from linearizer.saving import Saveable


@dataclass(frozen=True)
class ConvNet(Saveable):
    """Factory of a convolutional network: 3×3, then 1×1 layers, then 3×3.

    Args:
        width: Channels of each hidden layer.
        depth: Hidden layers.
        padding: What lies beyond the border of an image: `zeros`, or its own reflection.
        context: Whether every pixel also knows the averages of the whole image, as the
            normalizations of style networks do. They are averages at any size.

    Raises:
        ShapeError: When called, unless the event is (C, H, W) and keeps its H and W.

    Example:
        >>> import torch, linearizer as lz
        >>> net = lz.conditioners.ConvNet(width=16)((3, 8, 8), (2, 3, 8, 8))
        >>> net(torch.randn(5, 3, 8, 8)).shape
        torch.Size([5, 2, 3, 8, 8])
    """

    any_size: ClassVar[bool] = True
    width: int = 64
    depth: int = 2
    padding: Literal["zeros", "reflect"] = "zeros"
    context: bool = False

    def __call__(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Make the network."""
        if len(in_shape) != 3 or in_shape[1:] != out_shape[-2:]:
            raise ShapeError(
                f"expected events (C, H, W) of one size, got {in_shape} and {out_shape}; "
                "split the channels (axis=0) of an image, or use MLP"
            )
        layers: list[nn.Module] = [self._convolution(in_shape[0], self.width), nn.SiLU()]
        for _ in range(self.depth - 1):
            mixing = nn.Conv2d(self.width, self.width, 1)
            layers += [_WithAverages(mixing) if self.context else mixing, nn.SiLU()]
        channels = torch.Size(out_shape[:-2]).numel()
        last = self._convolution(self.width, channels)
        return nn.Sequential(*layers, last, nn.Unflatten(1, out_shape[:-2]))

    def _convolution(self, before: int, after: int) -> nn.Module:
        return nn.Conv2d(before, after, 3, padding=1, padding_mode=self.padding)


class _WithAverages(nn.Module):
    """A 1×1 layer of every pixel, plus one of the averages over the image."""

    def __init__(self, mixing: nn.Conv2d) -> None:
        super().__init__()
        self.mixing = mixing
        self.averages = nn.Linear(mixing.in_channels, mixing.out_channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mixing(x) + self.averages(x.mean((-2, -1)))[..., None, None]
        return out
