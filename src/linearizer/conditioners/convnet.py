"""The small convolutional conditioner, for image-shaped events."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from linearizer._checks import Shape
from linearizer.errors import ShapeError
from linearizer.saving import Saveable

VARIANCE = 0.1
"""What normalization adds to that of a channel: flat images are not amplified without bound."""


@dataclass(frozen=True)
class ConvNet(Saveable):
    """Factory of a convolutional network: 3×3, then layers of 1×1 or more, then 3×3.

    Args:
        width: Channels of each hidden layer.
        depth: Hidden layers.
        padding: What lies beyond the border of an image: `zeros`, or its last
            pixels once more, which is its reflection.
        mixing: Side of the kernels between the first and the last layer, odd.
        normalized: Whether half of each hidden layer's channels are normalized over the image, so
            that every pixel knows of all others, as in style networks (Ulyanov, Vedaldi,
            Lempitsky, arXiv:1607.08022; of half of them: Pan et al., arXiv:1807.09441).

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
    padding: Literal["zeros", "replicate"] = "zeros"
    mixing: int = 1
    normalized: bool = False

    def __call__(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Make the network."""
        if len(in_shape) != 3 or in_shape[1:] != out_shape[-2:]:
            raise ShapeError(
                f"expected events (C, H, W) of one size, got {in_shape} and {out_shape}; "
                "split the channels (axis=0) of an image, or use MLP"
            )
        layers = self._hidden(in_shape[0], 3)
        for _ in range(self.depth - 1):
            layers += self._hidden(self.width, self.mixing)
        last = self._convolution(self.width, torch.Size(out_shape[:-2]).numel(), 3)
        return nn.Sequential(*layers, last, nn.Unflatten(1, out_shape[:-2]))

    def _hidden(self, channels: int, side: int) -> list[nn.Module]:
        layers: list[nn.Module] = [self._convolution(channels, self.width, side)]
        if self.normalized:
            layers.append(_HalfNormalized(self.width))
        return [*layers, nn.SiLU()]

    def _convolution(self, before: int, after: int, side: int) -> nn.Module:
        mode = self.padding if side > 1 else "zeros"  # which is quicker, and pads nothing
        return nn.Conv2d(before, after, side, padding=side // 2, padding_mode=mode)


class _HalfNormalized(nn.Module):
    """Instance normalization of the first half of the channels; the others keep their levels.

    `torch.nn.InstanceNorm2d` refuses empty batches and images of one pixel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels // 2, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels // 2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        first, rest = x.tensor_split((len(self.weight),), 1)
        centered = first - first.mean((-2, -1), keepdim=True)
        variance = centered.square().mean((-2, -1), keepdim=True)
        normal = centered * torch.rsqrt(variance + VARIANCE) * self.weight + self.bias
        return torch.cat([normal, rest], 1)
