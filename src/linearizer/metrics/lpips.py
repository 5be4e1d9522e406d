"""LPIPS: how different two pictures look, by the features of a network for recognising things."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from linearizer.errors import ShapeError
from linearizer.metrics.pth import load_strictly
from linearizer.metrics.squeezenet import TAPS, SqueezeNet

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

    def __init__(self) -> None:
        super().__init__()
        self.backbone = SqueezeNet()
        self.heads = nn.ModuleDict(
            {f"lin{i}": _Head(channels) for i, channels in enumerate(TAPS.values())}
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
        lpips.backbone = SqueezeNet.from_file(backbone)
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
        taps = self.backbone(images)
        return [t / (torch.linalg.vector_norm(t, dim=1, keepdim=True) + _EPSILON) for t in taps]


class _Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()  # the published names have a dropout at 0, used in training alone
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out
