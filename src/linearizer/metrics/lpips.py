"""LPIPS: how different two pictures look, by the features of a network for recognising things."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from linearizer.errors import ShapeError
from linearizer.metrics.pth import load_strictly

SMALLEST_SIDE = 64
"""Smaller images are enlarged to this: seven layers in, nothing would be left of them."""

_TAPS = {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}
"""The layers that are compared, and their channels."""

_EPSILON = 1e-10


class LPIPS(nn.Module):
    """Learned perceptual distance of images, version 0.1 on SqueezeNet 1.1.

    With `φ_l` the features of layer l at every pixel, divided by their Euclidean norm over
    the channels, and `w_l ≥ 0` published weights of the channels,
    `d(x, y) = Σ_l mean over pixels of Σ_c w_lc (φ_l(x) - φ_l(y))²_c`, over seven layers.
    Zero for equal images, symmetric; about 0.1 for a slight and 0.5 for a strong distortion.

    Distances depend on the network: compare only numbers of one network. Grey images are
    repeated to three channels; images with a side under 64 pixels are first enlarged to 64,
    bilinearly, so that a distance of small images is one of their enlargements.
    Source: Zhang, Isola, Efros, Shechtman, Wang, arXiv:1801.03924, and their package `lpips`.

    The constructor makes the untrained network; `LPIPS.from_files` the real one.

    Shape:
        Images and reference (N, 3, H, W) or (N, 1, H, W) in [-1, 1], distances (N,).

    Example:
        >>> import torch
        >>> from linearizer.metrics import LPIPS
        >>> untrained, x = LPIPS(), torch.rand(2, 1, 28, 28) * 2 - 1
        >>> untrained(x, x)
        tensor([0., 0.])
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1))
        self.backbone = _SqueezeNet()
        self.heads = nn.ModuleDict(
            {f"lin{i}": _Head(channels) for i, channels in enumerate(_TAPS.values())}
        )
        self.requires_grad_(False).eval()

    @classmethod
    def from_files(cls, backbone: str | Path, heads: str | Path) -> Self:
        """The published network.

        Args:
            backbone: `features.*` of SqueezeNet 1.1 trained on ImageNet, under torchvision's
                names.
            heads: The linear heads `squeeze.pth` of LPIPS version 0.1.

        Raises:
            FileFormatError: If a file is missing, cut off, or of another network.
        """
        lpips = cls()
        load_strictly(lpips.backbone, backbone, "features of SqueezeNet 1.1")
        load_strictly(lpips.heads, heads, "LPIPS v0.1 heads for SqueezeNet")
        return lpips

    def forward(self, images: Tensor, reference: Tensor) -> Tensor:
        """Distances (N,) of each image from its reference.

        Raises:
            ShapeError: If the two differ in shape, or are not (N, 1 or 3, H, W).
        """
        if images.shape != reference.shape or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ShapeError(
                "expected two batches of images of one shape (N, 3, H, W) or (N, 1, H, W), got "
                f"{tuple(images.shape)} and {tuple(reference.shape)}; reshape them"
            )
        total = images.new_zeros(len(images))
        pairs = zip(self._features(images), self._features(reference), strict=True)
        for head, (x, y) in zip(self.heads.values(), pairs, strict=True):
            total = total + head((x - y).square()).mean((1, 2, 3))
        return total

    def _features(self, images: Tensor) -> list[Tensor]:
        x = images.expand(-1, 3, -1, -1)
        if min(x.shape[-2:]) < SMALLEST_SIDE:
            size = [max(side, SMALLEST_SIDE) for side in x.shape[-2:]]
            x = interpolate(x, size, mode="bilinear", align_corners=False)
        taps = self.backbone((x - self.shift) / self.scale)
        return [t / (torch.linalg.vector_norm(t, dim=1, keepdim=True) + _EPSILON) for t in taps]


class _SqueezeNet(nn.Module):
    """The features of SqueezeNet 1.1, with the names of torchvision's layers.

    Source: Iandola et al., arXiv:1602.07360, and the release 1.1 of their models.
    """

    def __init__(self) -> None:
        super().__init__()
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

    def forward(self, x: Tensor) -> list[Tensor]:
        taps = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in _TAPS:
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


class _Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()  # the published names have a dropout at 0, used in training alone
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out
