"""An operator that is known by what it does."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from linearizer.errors import LawError
from linearizer.operators.base import LinearOperator
from linearizer.operators.dense import Dense

Function = Callable[[Tensor], Tensor]


class FunctionOperator(LinearOperator):
    """`z ↦ function(z)` for a linear function of events with any batch axes before them.

    Dtype and device are those of a number that the operator keeps, so it can be converted and
    moved; tensors inside the functions are converted and moved with it only where the functions
    are modules. It is saved only if they are saveable.

    Args:
        function: A z, linear; `testing.check_operator` checks that it is.
        in_shape: Event shape that it takes.
        out_shape: Event shape that it returns; `in_shape` if not given.
        transposed: Aᵀ y; `⟨A z, y⟩ = ⟨z, Aᵀ y⟩` is tried here with one pair of vectors. By
            automatic differentiation of `function` if not given: the transpose of a linear map
            is its vector-Jacobian product.
        like: A tensor of the dtype and on the device that `function` works in; float32 on the
            CPU if not given.

    Raises:
        LawError: If `transposed` is not the transpose of `function`.
        ShapeError: If one of them returns another shape than declared, here or when applied.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.FunctionOperator(lambda z: z.cumsum(-1), 3)
        >>> A.T(torch.tensor([1., 2., 3.])), lz.linalg.pinv(A)(torch.tensor([1., 2., 3.]))
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
        if transposed is not None:
            self._check_transpose()

    def _forward(self, z: Tensor) -> Tensor:
        return self.function(z)

    def _adjoint(self, y: Tensor) -> Tensor:
        if self.transposed is not None:
            return self.transposed(y)
        if torch.is_inference_mode_enabled():
            with torch.inference_mode(False):
                return self._differentiated(y.clone())
        return self._differentiated(y)

    def _differentiated(self, y: Tensor) -> Tensor:
        batch = y.shape[: y.ndim - len(self.out_shape)]
        origin = y.new_zeros(*batch, *self.in_shape)
        (back,) = torch.func.vjp(self.function, origin)[1](y)
        return back

    def _in_dtype(self, dtype: torch.dtype) -> LinearOperator:
        """The matrix, for functions need not follow."""
        return Dense(self.to_dense().to(dtype), self.in_shape, self.out_shape)

    @torch.no_grad()
    def _check_transpose(self) -> None:
        """The dot-product test: one pair of vectors tells two maps apart with probability one."""
        if self.like.is_meta:
            return
        random = torch.Generator().manual_seed(0)
        z, y = (
            torch.randn(1, *shape, generator=random, dtype=torch.float64, device="cpu").to(
                self.like
            )
            for shape in (self.in_shape, self.out_shape)
        )
        image, back = self(z), self.adjoint(y)
        gap = (image.double() * y).sum() - (back.double() * z).sum()
        size = image.double().norm() * y.norm() + back.double().norm() * z.norm()
        if not bool(gap.abs() <= torch.finfo(z.dtype).eps ** 0.5 * size):
            raise LawError(
                f"expected `transposed` to be the transpose of `function`, ⟨Az, y⟩ = ⟨z, Aᵀy⟩, got "
                f"a difference of {float(gap.abs() / size):.1g}; correct it, or leave it out: then "
                "it is found by differentiation"
            )
