"""Coarse and fine apart: the wavelet transform, and bijections of the coarse part alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import as_shape, check_input
from linearizer.bijections import inner
from linearizer.bijections.base import Bijection
from linearizer.bijections.log_det import VolumePreserving
from linearizer.bijections.rearrange import Squeeze
from linearizer.errors import RangeError, ShapeError


class Haar(VolumePreserving):
    """The orthonormal Haar wavelets of an image: `(C, H, W) ↦ (C·H·W,)`, coarse to fine.

    Each level turns squares of 2×2 pixels into an average, passed on to the next level, and
    three differences. First come the averages of the last level, C·H·W / 4^levels of them, and
    then the differences, level by level up to the finest. Source: Haar, Zur Theorie der
    orthogonalen Funktionensysteme, 1910; as a flow: Yu, Derpanis, Brubaker, arXiv:2010.13821.

    Args:
        shape: (C, H, W), with sides that 2^levels divides.
        levels: How often the sides are halved.

    Raises:
        ShapeError: If the sides cannot be halved so often.
        RangeError: If there is no level.

    Example:
        >>> import torch, linearizer as lz
        >>> z = lz.Haar((1, 4, 4), levels=2)(torch.ones(1, 4, 4))
        >>> z.shape, z[:4]                # the average, of the same length; no differences
        (torch.Size([16]), tensor([4., 0., 0., 0.]))
    """

    def __init__(self, shape: Sequence[int], levels: int = 1) -> None:
        if levels < 1:
            raise RangeError(f"expected one level or more, got {levels}")
        self.shape, self.levels = as_shape(shape), levels
        halvings = min(levels, max(self.shape).bit_length())  # no side can be halved more often
        super().__init__(self.shape, torch.Size(self.shape).numel())
        self._channels, *sides = self.shape
        self._squeezes = [
            Squeeze((self._channels, *(side >> level for side in sides)))
            for level in range(halvings)
            if not any(side % 2 ** (level + 1) for side in sides)
        ]
        if len(sides) != 2 or len(self._squeezes) < levels:
            raise ShapeError(
                f"expected an image (C, H, W) with sides that 2^{levels} divides, got "
                f"{self.shape}; pad or crop it, or take fewer levels"
            )

    def _forward(self, x: Tensor) -> Tensor:
        bands = []
        for squeeze in self._squeezes:
            mixed = self._mix(squeeze._forward(x))
            x, fine = mixed[..., 0, :, :], mixed[..., 1:, :, :]
            bands.append(fine.flatten(-4))
        return torch.cat([x.flatten(-3), *reversed(bands)], -1)

    def _inverse(self, z: Tensor) -> Tensor:
        coarse, used = None, 0
        for squeeze in reversed(self._squeezes):
            channels, height, width = squeeze.out_shape
            squares = (channels // 4, 4, height, width)
            if coarse is None:
                used = channels // 4 * height * width
                coarse = z[..., :used].unflatten(-1, (channels // 4, height, width))
            end = used + 3 * channels // 4 * height * width
            fine = z[..., used:end].unflatten(-1, (squares[0], 3, *squares[2:]))
            mixed = torch.cat([coarse[..., None, :, :], fine], -3)
            coarse, used = squeeze._inverse(self._mix(mixed.flatten(-4, -3)).flatten(-4, -3)), end
        assert coarse is not None, "there is a level"
        return coarse

    def _mix(self, squares: Tensor) -> Tensor:
        """The symmetric, orthogonal 4×4 matrix on each square: (4C, h, w) to (C, 4, h, w).

        It is half the sums and differences of columns, and of rows: nothing to keep, or to move.
        """
        mixed = 0.5 * squares.unflatten(-3, (self._channels, 2, 2))
        for axis in (-4, -3):
            first, second = mixed.unbind(axis)
            mixed = torch.stack([first + second, first - second], axis)
        return mixed.flatten(-4, -3)


class PartialBijection(Bijection):
    """A bijection of the first entries of a vector; the other ones stay.

    Args:
        bijection: On vectors (k,).
        n: Length of the whole vectors, at least k.

    Raises:
        ShapeError: If the bijection does not map vectors of at most n entries.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.bijections.PartialBijection(lz.Permute(2, [1, 0]), 4)(torch.tensor([1., 2., 3., 4.]))
        tensor([2., 1., 3., 4.])
    """

    def __init__(self, bijection: Bijection, n: int) -> None:
        super().__init__(n)
        if len(bijection.in_shape) != 1 or bijection.out_shape != bijection.in_shape:
            raise ShapeError(
                f"expected a bijection of vectors, got {bijection.in_shape} to "
                f"{bijection.out_shape}; put Flatten around it"
            )
        if bijection.in_shape[0] > n:
            raise ShapeError(
                f"expected a bijection of at most {n} entries, got {bijection.in_shape[0]}"
            )
        self.bijection, self.n = bijection, n

    def _forward(self, x: Tensor) -> Tensor:
        first, rest = self._split(x)
        return torch.cat([inner.forward(self.bijection, first), rest], -1)

    def _inverse(self, z: Tensor) -> Tensor:
        first, rest = self._split(z)
        return torch.cat([inner.inverse(self.bijection, first), rest], -1)

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, rest = self._split(x)
        z, log_det = inner.forward_and_log_det(self.bijection, first)
        return torch.cat([z, rest], -1), log_det

    def initialize(self, x: Tensor) -> Tensor:
        """Initialize the bijection on the first entries."""
        check_input(x, self.in_shape, self)
        first, rest = self._split(x)
        return torch.cat([self.bijection.initialize(first), rest], -1)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        k = self.bijection.in_shape[0]
        return x[..., :k], x[..., k:]
