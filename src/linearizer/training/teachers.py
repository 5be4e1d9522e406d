"""Networks that others trained to stylize, as teachers: images in [-1, 1] to images in [-1, 1]."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from linearizer._checks import check_finite
from linearizer.errors import ShapeError
from linearizer.metrics.pth import load_strictly


class FastNeuralStyle(nn.Module):
    """The TransformerNet of PyTorch's fast-neural-style example, for images in [-1, 1].

    Source: Johnson, Alahi, Fei-Fei, arXiv:1603.08155; Ulyanov, Vedaldi, Lempitsky,
    arXiv:1607.08022. The constructor makes the untrained network; `from_file` the real one.

    Shape:
        Images (N, 3, H, W) in [-1, 1], with sides that 4 divides, to the same.

    Example:
        >>> import torch
        >>> from linearizer.training.teachers import FastNeuralStyle
        >>> FastNeuralStyle()(torch.zeros(2, 3, 16, 32)).shape
        torch.Size([2, 3, 16, 32])
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = _TransformerNet()
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The published network in a `.pth` file.

        Raises:
            FileFormatError: If the file is missing, cut off, or of another network.
        """
        teacher = cls()
        load_strictly(teacher.network, path, "weights of a fast-neural-style TransformerNet")
        return teacher

    def forward(self, images: Tensor) -> Tensor:
        """The stylized images, clamped to [-1, 1]."""
        stylized: Tensor = self.network((images + 1) * 127.5)
        return (stylized / 127.5 - 1).clamp(-1, 1)


@torch.no_grad()
def teach(teacher: nn.Module, images: Tensor, *, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """What a teacher makes of images (N, C, H, W).

    Args:
        teacher: Any module from images to images of the same size.
        images: In [-1, 1].
        shift: Pixels, 0 to 3, by which the images are moved before and back after, with their
            reflections around them. The published networks enlarge by repetition and leave a
            grid of 4 pixels; after many shifts its place is anywhere, and nobody learns it.

    Raises:
        ShapeError: If it changes their size.
        NonFiniteError: If it returns NaN or infinity.
    """
    if any(shift):
        (down, right), (height, width) = shift, images.shape[-2:]
        around = (4 + right, 8 - right, 4 + down, 8 - down)
        made = teach(teacher, nn.functional.pad(images, around, mode="reflect"))
        return made[..., 4 + down : 4 + down + height, 4 + right : 4 + right + width]
    made = teacher(images)
    if made.shape != images.shape:
        raise ShapeError(
            f"expected a teacher that keeps the size of images, got {tuple(made.shape)} from "
            f"{tuple(images.shape)}; crop or resize inside the teacher"
        )
    check_finite(made, "a teacher's output")
    return made


class _Convolution(nn.Module):
    def __init__(self, before: int, after: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(side // 2)
        self.conv2d = nn.Conv2d(before, after, side, stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2d(self.reflection_pad(x))
        return out


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _Convolution(channels, channels, 3)
        self.in1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = _Convolution(channels, channels, 3)
        self.in2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.in2(self.conv2(self.in1(self.conv1(x)).relu())) + x
        return out


class _TransformerNet(nn.Module):
    """Its attributes have the names of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.in1 = _Convolution(3, 32, 9), nn.InstanceNorm2d(32, affine=True)
        self.conv2, self.in2 = _Convolution(32, 64, 3, 2), nn.InstanceNorm2d(64, affine=True)
        self.conv3, self.in3 = _Convolution(64, 128, 3, 2), nn.InstanceNorm2d(128, affine=True)
        self.res1, self.res2, self.res3 = _Residual(128), _Residual(128), _Residual(128)
        self.res4, self.res5 = _Residual(128), _Residual(128)
        self.deconv1, self.in4 = _Convolution(128, 64, 3), nn.InstanceNorm2d(64, affine=True)
        self.deconv2, self.in5 = _Convolution(64, 32, 3), nn.InstanceNorm2d(32, affine=True)
        self.deconv3 = _Convolution(32, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = self.in1(self.conv1(x)).relu()
        x = self.in2(self.conv2(x)).relu()
        x = self.in3(self.conv3(x)).relu()
        for residual in (self.res1, self.res2, self.res3, self.res4, self.res5):
            x = residual(x)
        x = self.in4(self.deconv1(_twice(x))).relu()
        x = self.in5(self.deconv2(_twice(x))).relu()
        out: Tensor = self.deconv3(x)
        return out


def _twice(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")
