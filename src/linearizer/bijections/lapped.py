"""The lapped orthogonal transform: blocks of frequencies that overlap, so that none has an edge."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import as_shape
from linearizer.bijections.base import Bijection
from linearizer.bijections.log_det import VolumePreserving
from linearizer.errors import ShapeError


class Lapped(VolumePreserving):
    """The lapped orthogonal transform of images: `(C, H, W) ↦ (C·b², H/b, W/b)`.

    Every block of b × b pixels becomes as many frequencies, as in the discrete cosine transform,
    but the waves reach half a block into their neighbours and fade out there: what changes the
    frequencies leaves no edges between blocks, as it does after `Squeeze`. Between neighbours
    stands an orthogonal rotation of the b pixels around their border, `P = W diag(I, V) W` with
    the butterflies `W = [[I, J], [J, -I]] / √2`, and then comes the DCT-II of every block. A
    constant image has the frequency zero alone, and the borders of the image stand by themselves:
    nothing wraps around. Source: Malvar, Staelin, The LOT: transform coding without blocking
    effects, IEEE Trans. ASSP 37, 1989; in this form Tran, Liang, Tu, Lapped transform via
    time-domain pre- and post-filtering, IEEE Trans. Signal Processing 51, 2003.

    Args:
        shape: (C, H, W), with sides that `block` divides.
        block: b, even. The channels of the result are those of the image, each followed by its
            b² frequencies, row by row.

    Raises:
        ShapeError: If the sides or the block do not fit.

    Example:
        >>> import torch, linearizer as lz
        >>> z = lz.Lapped((1, 8, 8))(torch.ones(1, 8, 8))
        >>> z.shape, z[0], bool(z[1:].abs().max() < 1e-6)
        (torch.Size([16, 2, 2]), tensor([[4., 4.],
                [4., 4.]]), True)
    """

    def __init__(self, shape: Sequence[int], block: int = 4) -> None:
        self.shape, self.block = as_shape(shape), block
        if (
            len(self.shape) != 3
            or block < 2
            or block % 2
            or any(side % block for side in self.shape[1:])
        ):
            raise ShapeError(
                f"expected an image (C, H, W) with sides that an even block divides, got "
                f"{self.shape} and {block}; pad or crop the images, or choose another block"
            )
        channels, height, width = self.shape
        super().__init__(self.shape, (channels * block**2, height // block, width // block))

    def resized(self, size: Sequence[int]) -> Bijection:
        """The same for images of another size."""
        return Lapped((self.shape[0], *size), self.block)

    def _forward(self, x: Tensor) -> Tensor:
        b, (_, height, width) = self.block, self.shape
        for axis in (-2, -1):
            x = _analyzed(x.movedim(axis, -1), b).movedim(-1, axis)
        blocks = x.unflatten(-1, (width // b, b)).unflatten(-3, (height // b, b))
        return blocks.movedim((-3, -1), (-4, -3)).flatten(-5, -3)

    def _inverse(self, z: Tensor) -> Tensor:
        b = self.block
        blocks = z.unflatten(-3, (self.shape[0], b, b))
        x = blocks.movedim((-4, -3), (-3, -1)).flatten(-2).flatten(-3, -2)
        for axis in (-2, -1):
            x = _synthesized(x.movedim(axis, -1), b).movedim(-1, axis)
        return x


def _analyzed(x: Tensor, b: int) -> Tensor:
    """Frequencies of signals on the last axis."""
    blocks = _across_borders(x, _rotation(b).to(x), b).unflatten(-1, (-1, b))
    return (blocks @ _cosines(b, 0.0).to(x).mT).flatten(-2)


def _synthesized(z: Tensor, b: int) -> Tensor:
    """Signals of frequencies on the last axis: the transpose."""
    x = (z.unflatten(-1, (-1, b)) @ _cosines(b, 0.0).to(z)).flatten(-2)
    return _across_borders(x, _rotation(b).to(z).mT, b)


def _across_borders(x: Tensor, matrix: Tensor, b: int) -> Tensor:
    """A b × b matrix on the pixels around every border between two blocks."""
    half = b // 2
    first, inside, last = x.tensor_split((half, x.shape[-1] - half), -1)
    mixed = (inside.unflatten(-1, (-1, b)) @ matrix.mT).flatten(-2)
    return torch.cat([first, mixed, last], -1)


def _rotation(b: int) -> Tensor:
    """P, with Malvar's `V = J C_IIᵀ C_IV J`, in float64."""
    half = b // 2
    one = torch.eye(half, dtype=torch.float64)
    J = one.flip(0)
    butterflies = torch.cat([torch.cat([one, J], 1), torch.cat([J, -one], 1)]) / math.sqrt(2)
    V = J @ _cosines(half, 0.0).mT @ _cosines(half, 0.5) @ J
    return butterflies @ torch.block_diag(one, V) @ butterflies


def _cosines(n: int, shift: float) -> Tensor:
    """The orthonormal DCT-II (shift 0) or DCT-IV (shift ½): frequencies by pixels, in float64."""
    frequencies = torch.arange(n, dtype=torch.float64)[:, None] + shift
    pixels = torch.arange(n, dtype=torch.float64) + 0.5
    matrix = math.sqrt(2 / n) * torch.cos(math.pi / n * frequencies * pixels)
    if not shift:
        matrix[0] /= math.sqrt(2)
    return matrix
