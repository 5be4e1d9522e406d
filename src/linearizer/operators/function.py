"""An operator that is known by what it does."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from linearizer._checks import check_input
from linearizer.operators.base import LinearOperator

Function = Callable[[Tensor], Tensor]


class FunctionOperator(LinearOperator):
    """`z ↦ function(z)` for a linear function of events with any batch axes before them.

    Dtype and device are those of a number that the operator keeps, so it can be converted and
    moved; tensors inside the functions are converted and moved with it only where the functions
    are modules. It is saved only if they are saveable.

    Args:
        function: A z, linear; `testing.check_operator` tells whether it is.
        in_shape: Event shape that it takes.
        out_shape: Event shape that it returns; `in_shape` if not given.
        transposed: Aᵀ y. By automatic differentiation of `function` if not given: the transpose
            of a linear map is its vector-Jacobian product.
        like: A tensor of the dtype and on the device that `function` works in; float32 on the
            CPU if not given.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.FunctionOperator(lambda z: z.cumsum(-1), 3)
        >>> A.T(torch.tensor([1., 2., 3.])), lz.pinv(A)(torch.tensor([1., 2., 3.]))
        (tensor([6., 5., 3.]), tensor([1., 1., 1.]))
    """

    like: Tensor

    def __init__(
        self,
        function: Function,
        in_shape: int | Sequence[int],
        out_shape: int | Sequence[int] | None = None,
        transposed: Function | None = None,
        like: Tensor | None = None,
    ) -> None:
        super().__init__(in_shape, out_shape)
        self.function, self.transposed = function, transposed
        self.register_buffer("like", torch.zeros(()) if like is None else like.new_zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        """The function of z."""
        check_input(z, self.in_shape, self)
        return self.function(z)

    def adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ y, as given or by differentiating A."""
        if self.transposed is not None:
            return self.transposed(y)
        batch = y.shape[: y.ndim - len(self.out_shape)]
        origin = y.new_zeros(*batch, *self.in_shape)
        (back,) = torch.func.vjp(self.function, origin)[1](y)
        return back
