"""SqueezeNet 1.1: what a network for recognising things sees in a picture, layer by layer."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from linearizer.errors import ShapeError
from linearizer.metrics.pth import load_strictly

SMALLEST_SIDE = 64
"""Smaller images are enlarged to this: seven layers in, nothing would be left of them."""

TAPS = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}
"""The layers whose features are returned, and their channels."""


class SqueezeNet(nn.Module):
    """The features of SqueezeNet 1.1 at seven layers, of images in [-1, 1].

    Grey images are repeated to three channels; images with a side under 64 pixels are first
    enlarged to 64, bilinearly. The constructor makes the untrained network;
    `SqueezeNet.from_file` the real one.
    Source: Iandola et al., arXiv:1602.07360, and the release 1.1 of their models, with the names
    of torchvision's layers.

    Shape:
        Images (N, 3, H, W) or (N, 1, H, W) to seven tensors (N, c, h, w).

    Example:
        >>> import torch
        >>> from linearizer.metrics import SqueezeNet
        >>> [tuple(t.shape[1:]) for t in SqueezeNet()(torch.zeros(1, 3, 64, 64))[:3]]
        [(64, 31, 31), (128, 15, 15), (256, 7, 7)]
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Not saved: the published files have the layers alone.
        shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]])
        self.register_buffer("shift", shift.view(3, 1, 1), persistent=False)
        self.register_buffer("scale", scale.view(3, 1, 1), persistent=False)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            _pool(),
            _Fire(64, 16, 64),
            _Fire(128, 16, 64),
            _pool(),
            _Fire(128, 32, 128),
            _Fire(256, 32, 128),
            _pool(),
            _Fire(256, 48, 192),
            _Fire(384, 48, 192),
            _Fire(384, 64, 256),
            _Fire(512, 64, 256),
        )
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The published network: `features.*`, trained on ImageNet, under torchvision's names.

        Raises:
            FileFormatError: If the file is missing, cut off, or of another network.
        """
        network = cls()
        load_strictly(network, path, "features of SqueezeNet 1.1")
        return network

    def forward(self, images: Tensor) -> list[Tensor]:
        """The features of each layer.

        Raises:
            ShapeError: If the images are not (N, 1 or 3, H, W).
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ShapeError(
                "expected a batch of images (N, 3, H, W) or (N, 1, H, W), got "
                f"{tuple(images.shape)}; reshape them"
            )
        x = images.expand(-1, 3, -1, -1)
        if min(x.shape[-2:]) < SMALLEST_SIDE:
            size = [max(side, SMALLEST_SIDE) for side in x.shape[-2:]]
            x = interpolate(x, size, mode="bilinear", align_corners=False)
        x = (x - self.shift) / self.scale
        taps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                taps.append(x)
        return taps


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class _Fire(nn.Module):
    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()
