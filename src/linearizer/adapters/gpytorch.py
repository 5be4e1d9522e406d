"""linear_operator, GPyTorch's library of structured matrices: as operators A."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from linearizer.errors import DtypeError, ShapeError
from linearizer.operators import LinearOperator
from linearizer.operators.base import check_size
from linearizer.operators.entries import register


class GPyTorchOperator(LinearOperator):
    """`z ↦ L z` for a `linear_operator.LinearOperator` L: Toeplitz, Kronecker, triangular, ...

    L acts by its own fast product. The tensors that define it are parameters or buffers here, so
    dtype, device and `state_dict` are those of any module. It is not written by `save_pretrained`,
    which would not know how to build L again: keep its `state_dict`.

    Args:
        operator: L, without batch axes, (m, n).
        in_shape: Event shape with n numbers; (n,) if not given.
        out_shape: Event shape with m numbers; (m,) if not given.

    Raises:
        ShapeError: If L has batch axes, or does not fit the event shapes.
        DtypeError: If no tensor defines L, as with its identity and zero operators.

    Example, with linear_operator installed::

        L = linear_operator.operators.ToeplitzLinearOperator(torch.tensor([4., 1., 0.5]))
        f = linearizer.Linearizer(linearizer.vector_bijection(3), GPyTorchOperator(L))
    """

    def __init__(
        self,
        operator: Any,
        in_shape: int | Sequence[int] | None = None,
        out_shape: int | Sequence[int] | None = None,
    ) -> None:
        if len(operator.shape) != 2:
            raise ShapeError(
                f"expected an operator (m, n), got shape {tuple(operator.shape)}; index its batch"
            )
        m, n = operator.shape
        super().__init__(in_shape or n, out_shape or m)
        check_size(self, operator.shape, "an operator")
        tensors = operator.representation()
        if not any(tensor.is_floating_point() for tensor in tensors):
            raise DtypeError(
                f"expected an operator that tensors define, got a {type(operator).__name__}; "
                "for multiples of the identity take linearizer.ScaledIdentity"
            )
        tree = operator.representation_tree()  # cannot be deep-copied; a function need not be
        self._rebuild: Callable[[Iterable[Tensor]], Any] = lambda tensors: tree(*tensors)
        self._count = len(tensors)
        for i, tensor in enumerate(tensors):
            register(self, f"tensor{i}", tensor)

    @property
    def operator(self) -> Any:
        """L, of the tensors as they are now."""
        return self._rebuild(getattr(self, f"tensor{i}") for i in range(self._count))

    def _forward(self, z: Tensor) -> Tensor:
        return _rows(self.operator, z, len(self.in_shape)).unflatten(-1, self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        return _rows(self.operator.mT, y, len(self.out_shape)).unflatten(-1, self.in_shape)


def _rows(L: Any, events: Tensor, axes: int) -> Tensor:
    rows = events.flatten(-axes)
    batch = rows.shape[:-1]
    if not batch.numel():
        return rows.new_zeros(*batch, L.shape[0])
    columns: Tensor = torch.matmul(L, rows.reshape(-1, L.shape[1]).mT)
    return columns.mT.reshape(*batch, L.shape[0])
