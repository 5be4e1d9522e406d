"""Bijections that only move entries: exact, free, and volume-preserving."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import as_shape, check_axis, check_permutation
from linearizer.bijections.base import Bijection
from linearizer.bijections.log_det import VolumePreserving
from linearizer.errors import ShapeError


class Identity(VolumePreserving):
    """`x ↦ x`; its induced space is R^n with the usual + and ·."""

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        self.shape = self.in_shape

    def _forward(self, x: Tensor) -> Tensor:
        return x

    def _inverse(self, z: Tensor) -> Tensor:
        return z

    def same_as(self, other: Bijection) -> bool:
        """All identities on one shape are one map."""
        return isinstance(other, Identity) and self.in_shape == other.in_shape


class Flatten(VolumePreserving):
    """`(*batch, *shape) ↦ (*batch, n)`."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = as_shape(shape)
        super().__init__(self.shape, torch.Size(self.shape).numel())

    def _forward(self, x: Tensor) -> Tensor:
        return x.flatten(-len(self.in_shape))

    def _inverse(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, self.in_shape)


class Permute(VolumePreserving):
    """Reorder the entries on one event axis.

    Args:
        shape: Event shape.
        permutation: The index that each place takes its entry from; random if not given.
        axis: Event axis.

    Raises:
        RangeError: If `permutation` is not one of the axis.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.Permute(3, [2, 0, 1])(torch.tensor([10., 20., 30.]))
        tensor([30., 10., 20.])
    """

    permutation: Tensor

    def __init__(
        self,
        shape: int | Sequence[int],
        permutation: Tensor | Sequence[int] | None = None,
        *,
        axis: int = 0,
    ) -> None:
        super().__init__(shape)
        self.shape, self.axis = self.in_shape, axis
        check_axis(axis, self.in_shape)
        length = self.in_shape[axis]
        if permutation is None:
            permutation = torch.randperm(length)
        check_permutation(permutation, length)
        self.register_buffer("permutation", torch.as_tensor(permutation))
        # Files hold it; nothing reads it, because it does not follow the other.
        self.register_buffer("_back", torch.argsort(self.permutation))

    def _forward(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis - len(self.in_shape), self.permutation)

    def _inverse(self, z: Tensor) -> Tensor:
        return z.index_select(self.axis - len(self.in_shape), torch.argsort(self.permutation))


class Squeeze(VolumePreserving):
    """Space to depth: `(C, H, W) ↦ (C·f², H/f, W/f)`."""

    def __init__(self, shape: Sequence[int], factor: int = 2) -> None:
        self.shape, self.factor = as_shape(shape), factor
        channels, height, width = _image(self.shape, factor)
        super().__init__(self.shape, (channels * factor**2, height // factor, width // factor))

    def resized(self, size: Sequence[int]) -> Bijection:
        """The same for images of another size."""
        return Squeeze((self.shape[0], *size), self.factor)

    def _forward(self, x: Tensor) -> Tensor:
        return _space_to_depth(x, self.factor)

    def _inverse(self, z: Tensor) -> Tensor:
        return _depth_to_space(z, self.factor)


class Patches(VolumePreserving):
    """`(C, H, W) ↦ (H·W/p², C·p²)`: one row for each patch, as transformers take them."""

    def __init__(self, shape: Sequence[int], patch: int) -> None:
        self.shape, self.patch = as_shape(shape), patch
        channels, height, width = _image(self.shape, patch)
        super().__init__(self.shape, (height * width // patch**2, channels * patch**2))

    def _forward(self, x: Tensor) -> Tensor:
        return _space_to_depth(x, self.patch).flatten(-2).transpose(-2, -1)

    def _inverse(self, z: Tensor) -> Tensor:
        grid = (self.in_shape[1] // self.patch, self.in_shape[2] // self.patch)
        return _depth_to_space(z.transpose(-2, -1).unflatten(-1, grid), self.patch)


def _space_to_depth(x: Tensor, f: int) -> Tensor:
    """`torch.nn.functional.pixel_unshuffle`, which misshapes an empty batch."""
    height, width = x.shape[-2:]
    squares = x.unflatten(-1, (width // f, f)).unflatten(-3, (height // f, f))
    return squares.movedim((-3, -1), (-4, -3)).flatten(-5, -3)


def _depth_to_space(z: Tensor, f: int) -> Tensor:
    """Undo `_space_to_depth`."""
    squares = z.unflatten(-3, (z.shape[-3] // f**2, f, f))
    return squares.movedim((-4, -3), (-3, -1)).flatten(-2).flatten(-3, -2)


def _image(shape: tuple[int, ...], factor: int) -> tuple[int, ...]:
    if len(shape) != 3 or factor < 1 or shape[1] % factor or shape[2] % factor:
        raise ShapeError(
            f"expected a shape (C, H, W) whose sides {factor} divides, got {shape}; "
            "pad or crop the images, or choose another factor"
        )
    return shape
