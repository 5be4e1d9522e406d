"""The small convolutional conditioner, for image-shaped events."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from linearizer._checks import Shape
from linearizer.errors import ShapeError
from linearizer.saving import Saveable


@dataclass(frozen=True)
class ConvNet(Saveable):
    """Factory of a convolutional network: 3×3, then 1×1 layers, then 3×3.

    Args:
        width: Channels of each hidden layer.
        depth: Hidden layers.

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

    def __call__(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Make the network."""
        if len(in_shape) != 3 or in_shape[1:] != out_shape[-2:]:
            raise ShapeError(
                f"expected events (C, H, W) of one size, got {in_shape} and {out_shape}; "
                "split the channels (axis=0) of an image, or use MLP"
            )
        layers: list[nn.Module] = [nn.Conv2d(in_shape[0], self.width, 3, padding=1), nn.SiLU()]
        for _ in range(self.depth - 1):
            layers += [nn.Conv2d(self.width, self.width, 1), nn.SiLU()]
        channels = torch.Size(out_shape[:-2]).numel()
        last = nn.Conv2d(self.width, channels, 3, padding=1)
        return nn.Sequential(*layers, last, nn.Unflatten(1, out_shape[:-2]))
