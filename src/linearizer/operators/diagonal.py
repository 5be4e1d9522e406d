"""Operators that treat every entry on its own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import check_input
from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator, register
from linearizer.operators.blocks import Blocks, blocks
from linearizer.operators.dense import check_real


class Diagonal(LinearOperator):
    """`z ↦ d · z` entry by entry; the event shape is that of `diagonal`.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.expm(lz.Diagonal(torch.tensor([0., 1.]))).diagonal
        tensor([1.0000, 2.7183])
    """

    diagonal: Tensor

    def __init__(self, diagonal: Tensor) -> None:
        check_real(diagonal, "a diagonal")
        super().__init__(diagonal.shape)
        register(self, "diagonal", diagonal)

    def forward(self, z: Tensor) -> Tensor:
        """d · z."""
        check_input(z, self.in_shape, self)
        return self.diagonal * z

    def adjoint(self, y: Tensor) -> Tensor:
        """d · y."""
        check_input(y, self.in_shape, self)
        return self.diagonal * y


class ScaledIdentity(LinearOperator):
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

    def forward(self, z: Tensor) -> Tensor:
        """α z."""
        check_input(z, self.in_shape, self)
        return self.scale * z

    def adjoint(self, y: Tensor) -> Tensor:
        """α y."""
        check_input(y, self.in_shape, self)
        return self.scale * y


@blocks.register
def _(operator: Diagonal) -> Blocks:
    def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
        return Diagonal(parts[0].reshape(operator.in_shape))

    return Blocks((operator.diagonal.reshape(-1, 1, 1),), (1,), rebuild)


@blocks.register
def _(operator: ScaledIdentity) -> Blocks:
    def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
        return ScaledIdentity(operator.in_shape, parts[0].reshape(()))

    return Blocks((operator.scale.reshape(1, 1, 1),), (operator.n_in,), rebuild)
