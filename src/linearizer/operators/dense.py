"""The operator without structure: a matrix."""

from collections.abc import Sequence

from torch import Tensor, nn

from linearizer.errors import DtypeError, RangeError, ShapeError
from linearizer.operators.base import LinearOperator, check_size
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import apply_matrix, check_real, register


class Dense(LinearOperator):
    """`z ↦ M z` for a matrix M of shape (m, n); trained if M is an `nn.Parameter`.

    Args:
        matrix: (m, n).
        in_shape: Event shape with n numbers, flattened for the product; (n,) if not given.
        out_shape: Event shape with m numbers; (m,) if not given.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.Dense(torch.tensor([[0., 2.], [1., 0.]]))(torch.tensor([3., 5.]))
        tensor([10.,  3.])
    """

    matrix: Tensor

    def __init__(
        self,
        matrix: Tensor,
        in_shape: int | Sequence[int] | None = None,
        out_shape: int | Sequence[int] | None = None,
    ) -> None:
        if matrix.ndim != 2:
            raise ShapeError(f"expected a matrix (m, n), got shape {tuple(matrix.shape)}")
        check_real(matrix, "a matrix")
        m, n = matrix.shape
        super().__init__(in_shape or n, out_shape or m)
        check_size(self, matrix.shape, "a matrix")
        register(self, "matrix", matrix)

    def _forward(self, z: Tensor) -> Tensor:
        return apply_matrix(self.matrix, z, self.in_shape, self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        return apply_matrix(self.matrix.mT, y, self.out_shape, self.in_shape)

    def to_dense(self) -> Tensor:
        """M itself."""
        return self.matrix

    def blocks(self) -> Blocks:
        """M as the only block."""
        shapes = self.in_shape, self.out_shape
        square = self.in_shape == self.out_shape
        return Blocks((self.matrix[None],), (1,), lambda parts: Dense(parts[0][0], *shapes), square)

    def _transposed(self) -> LinearOperator:
        return Dense(self.matrix.mT, self.out_shape, self.in_shape)


def as_operator(operator: LinearOperator | nn.Linear | Tensor) -> LinearOperator:
    """An operator as it is; a matrix, or the weight of a linear layer, as a `Dense` one.

    The weight is the layer's own parameter: training one trains the other.

    Raises:
        RangeError: If the layer has a bias, with which it is affine.
        DtypeError: If it is something else.

    Example:
        >>> import torch, linearizer as lz
        >>> layer = torch.nn.Linear(3, 2, bias=False)
        >>> lz.as_operator(layer).matrix is layer.weight
        True
    """
    if isinstance(operator, LinearOperator):
        return operator
    if isinstance(operator, Tensor):
        return Dense(operator)
    if isinstance(operator, nn.Linear):
        if operator._parameters["bias"] is not None:
            raise RangeError(
                "expected a linear layer without bias, got one with a bias, which is affine; "
                "build it with bias=False, or put the shift into g as linearizer.Centering(-bias)"
            )
        return Dense(operator.weight)
    raise DtypeError(
        f"expected a LinearOperator, a matrix or a linear layer, got a {type(operator).__name__}; "
        "wrap it as linearizer.Dense(torch.as_tensor(...)), or a function as "
        "linearizer.FunctionOperator(...)"
    )
