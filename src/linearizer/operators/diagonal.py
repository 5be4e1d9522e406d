"""Operators that treat every entry on its own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator, Symmetric
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import check_real, register


class Diagonal(Symmetric):
    """`z ↦ d · z` entry by entry; the event shape is that of `diagonal`.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.expm(lz.Diagonal(torch.tensor([0., 1.]))).diagonal
        tensor([1.0000, 2.7183])
    """

    diagonal: Tensor

    def __init__(self, diagonal: Tensor) -> None:
        check_real(diagonal, "a diagonal")
        super().__init__(diagonal.shape)
        register(self, "diagonal", diagonal)

    def _forward(self, z: Tensor) -> Tensor:
        return self.diagonal * z

    def blocks(self) -> Blocks:
        """One of 1×1 for each entry."""

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            return Diagonal(parts[0].reshape(self.in_shape))

        return Blocks((self.diagonal.reshape(-1, 1, 1),), (1,), rebuild, maps=(Diagonal,))


class ScaledIdentity(Symmetric):
    """`z ↦ α z` on events of `shape`.

    Args:
        shape: Event shape.
        scale: α, a number or a scalar tensor; trained if it is an `nn.Parameter`.
    """

    scale: Tensor

    def __init__(self, shape: int | Sequence[int], scale: float | Tensor = 1.0) -> None:
        super().__init__(shape)
        self.shape = self.in_shape
        scale = torch.as_tensor(scale)
        if scale.ndim:
            raise ShapeError(f"expected one number as scale, got shape {tuple(scale.shape)}")
        check_real(scale, "a scale")
        register(self, "scale", scale)

    def _forward(self, z: Tensor) -> Tensor:
        return self.scale * z

    def blocks(self) -> Blocks:
        """One of 1×1, which occurs n times."""

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            return ScaledIdentity(self.in_shape, parts[0].reshape(()))

        return Blocks((self.scale.reshape(1, 1, 1),), (self.n_in,), rebuild, maps=(ScaledIdentity,))
