"""What a linear operator is, and how operators combine: lazily, checked when built.

An operator is its action and the action of its transpose; the base class checks what comes in
and what goes out. Sums, scalings, products and transposes are nodes that hold their parts, so a
parameter that is trained later, or moved to another device, is the same one everywhere it occurs.
"""

import abc
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from linearizer._arrays import Points
from linearizer._checks import HasNumbers, Shape, check_alike
from linearizer._gate import EventMap, call_checked, checked_result, refuse_overrides
from linearizer._modes import in_dtype
from linearizer.errors import ShapeError
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import as_scalar, register
from linearizer.saving import Saveable

if TYPE_CHECKING:
    from scipy.sparse import linalg


class LinearOperator(EventMap, HasNumbers, Saveable, abc.ABC):
    """A linear map A from events of `in_shape` to events of `out_shape`.

    Subclasses define `_forward` (A z) and `_adjoint` (Aᵀ y), for input that is checked; every
    axis left of the event is batch. The algebra (`svd`, `pinv`, `expm`, ...) is in functions,
    which use the structure of an operator where its class declares one by `blocks`.

    Raises:
        InterfaceError: If a subclass defines `forward` or `adjoint`, and so goes around the checks.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.Dense(torch.eye(3)) + 2 * lz.LowRank(torch.ones(3, 1), torch.ones(3, 1))
        >>> A.T.to_dense()
        tensor([[3., 2., 2.],
                [2., 3., 2.],
                [2., 2., 3.]])
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a class that goes around the gate."""
        super().__init_subclass__(**kwargs)
        refuse_overrides(cls, LinearOperator, "forward", "adjoint")

    def forward(self, z: Points) -> Points:
        """A z, for z of shape `(*batch, *in_shape)`: a tensor, or a NumPy array for an array.

        Raises:
            ShapeError: If z has another event shape, or the class returns another one than it
                declares.
            DtypeError: If the dtypes differ.
            DeviceError: If the devices differ.
        """
        return call_checked(self, self._forward, z, self.in_shape, self.out_shape)

    def adjoint(self, y: Points) -> Points:
        """Aᵀ y, for y of shape `(*batch, *out_shape)`; it raises as `forward` does."""
        return call_checked(self, self._adjoint, y, self.out_shape, self.in_shape)

    @abc.abstractmethod
    def _forward(self, z: Tensor) -> Tensor:
        """A z, for z that fits."""

    @abc.abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ y, for y that fits."""

    def _image(self, z: Tensor) -> Tensor:
        """What lazy nodes call of their parts: only the result is checked."""
        return checked_result(self, self._forward(z), z, self.in_shape, self.out_shape)

    def _adjoint_image(self, y: Tensor) -> Tensor:
        return checked_result(self, self._adjoint(y), y, self.out_shape, self.in_shape)

    def blocks(self) -> Blocks:
        """The reduction to small blocks that declares a structure to the algebra; here, to one.

        Override it in a class with structure. Then the pseudo-inverse, the rank, powers, the
        exponential, multiples, and sums and products with its like all keep it.
        """
        return self._as_matrix().blocks()

    @property
    def is_structured(self) -> bool:
        """Whether the class declares a structure by `blocks`."""
        return type(self).blocks is not LinearOperator.blocks

    def _scaled(self, factor: Tensor) -> "LinearOperator":
        """c · A, not lazily."""
        parts = self.blocks()
        return parts.rebuild(tuple(factor * matrices for matrices in parts.matrices))

    def _transposed(self) -> "LinearOperator":
        """Aᵀ, as `transpose` gives it; lazily only where nothing else keeps the structure."""
        T = self.transpose()
        if not isinstance(T, Transpose):
            return T
        if not self.is_structured:
            return self._as_matrix()._transposed()
        parts = self.blocks()
        if parts.similar and self.in_shape == self.out_shape:
            return parts.rebuild(tuple(matrices.mH for matrices in parts.matrices))
        return T

    def _as_matrix(self) -> "LinearOperator":
        from linearizer.operators.dense import Dense  # noqa: PLC0415  (it imports this)

        return Dense(self.to_dense(), self.in_shape, self.out_shape)

    def _in_dtype(self, dtype: torch.dtype) -> "LinearOperator":
        """A twin in another dtype, whose gradients reach the tensors of this one."""
        return in_dtype(self, dtype)

    def transpose(self) -> "LinearOperator":
        """Aᵀ, sharing the parameters of A; `A.T.T is A`."""
        return Transpose(self)

    @property
    def T(self) -> "LinearOperator":
        """Aᵀ."""
        return self.transpose()

    @property
    def n_in(self) -> int:
        """Numbers in one input event."""
        return torch.Size(self.in_shape).numel()

    @property
    def n_out(self) -> int:
        """Numbers in one output event."""
        return torch.Size(self.out_shape).numel()

    def to_dense(self) -> Tensor:
        """The matrix `(n_out, n_in)` of A on flattened events."""
        basis = torch.eye(self.n_in, dtype=self.dtype, device=self.device)
        images: Tensor = self(basis.unflatten(-1, self.in_shape))
        return images.flatten(1).mT

    def as_scipy(self) -> "linalg.LinearOperator":
        """A on flattened events for `scipy.sparse.linalg`: `cg`, `lsqr`, `eigsh`, `svds`, ...

        It computes what A does at the time of the call, on the device of A, without gradients.

        Raises:
            MissingExtraError: If SciPy is not installed.

        Example:
            >>> import torch, linearizer as lz
            >>> from scipy.sparse.linalg import svds
            >>> A = lz.Diagonal(torch.tensor([3., 1., 2.]))
            >>> svds(A.as_scipy(), k=1, return_singular_vectors=False)
            array([3.], dtype=float32)
        """
        from linearizer.operators.as_scipy import as_scipy  # noqa: PLC0415  (it imports this)

        return as_scipy(self)

    def __add__(self, other: "LinearOperator") -> "LinearOperator":
        return Sum(self, other) if isinstance(other, LinearOperator) else NotImplemented

    def __sub__(self, other: "LinearOperator") -> "LinearOperator":
        return Sum(self, -other) if isinstance(other, LinearOperator) else NotImplemented

    def __matmul__(self, other: "LinearOperator") -> "LinearOperator":
        return Product(self, other) if isinstance(other, LinearOperator) else NotImplemented

    def __mul__(self, factor: float | Tensor) -> "LinearOperator":
        return Scaled(self, factor) if _is_scalar(factor) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | Tensor) -> "LinearOperator":
        return Scaled(self, 1 / divisor) if _is_scalar(divisor) else NotImplemented

    def __neg__(self) -> "LinearOperator":
        return Scaled(self, -1.0)


class Symmetric(LinearOperator, abc.ABC):
    """An operator with Aᵀ = A."""

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def transpose(self) -> LinearOperator:
        """A itself."""
        return self


class Transpose(LinearOperator):
    """Aᵀ; get it as `A.T`."""

    def __init__(self, operator: LinearOperator) -> None:
        super().__init__(operator.out_shape, operator.in_shape)
        self.operator = operator

    def _forward(self, z: Tensor) -> Tensor:
        return self.operator._adjoint_image(z)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.operator._image(y)

    def blocks(self) -> Blocks:
        """Those of A, each transposed."""
        parts = self.operator.blocks()
        return Blocks(
            tuple(matrices.mH for matrices in parts.matrices),
            parts.multiplicities,
            lambda new: parts.rebuild(tuple(matrices.mH for matrices in new))._transposed(),
            parts.similar,
            None if parts.maps is None else (Transpose, *parts.maps),
        )

    def transpose(self) -> LinearOperator:
        """The operator that this one transposes."""
        return self.operator


class Scaled(LinearOperator):
    """c · A, for a number or a scalar tensor c."""

    factor: Tensor

    def __init__(self, operator: LinearOperator, factor: float | Tensor) -> None:
        super().__init__(operator.in_shape, operator.out_shape)
        self.operator = operator
        register(self, "factor", as_scalar(factor, operator.dtype, operator.device))

    def _forward(self, z: Tensor) -> Tensor:
        return self.factor * self.operator._image(z)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.factor * self.operator._adjoint_image(y)


class _Pair(LinearOperator, abc.ABC):
    """What a sum and a product share: two operators of one dtype and device."""

    def __init__(
        self, left: LinearOperator, right: LinearOperator, in_shape: Shape, out_shape: Shape
    ) -> None:
        check_alike(
            right,
            left,
            "expected both operators to be",
            "convert one with .to(dtype)",
            "move one with .to(device)",
        )
        super().__init__(in_shape, out_shape)
        self.left, self.right = left, right


class Sum(_Pair):
    """A + B.

    Raises:
        ShapeError: If the shapes differ.
        DtypeError: If the dtypes differ.
        DeviceError: If the devices differ.
    """

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        if (left.in_shape, left.out_shape) != (right.in_shape, right.out_shape):
            raise ShapeError(
                f"expected two operators of one shape to add, got {describe(left)} and "
                f"{describe(right)}"
            )
        super().__init__(left, right, left.in_shape, left.out_shape)

    def _forward(self, z: Tensor) -> Tensor:
        return self.left._image(z) + self.right._image(z)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.left._adjoint_image(y) + self.right._adjoint_image(y)


class Product(_Pair):
    """A B: first B, then A.

    Raises:
        ShapeError: If A does not take what B returns.
        DtypeError: If the dtypes differ.
        DeviceError: If the devices differ.
    """

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        if left.in_shape != right.out_shape:
            raise ShapeError(
                f"expected the left operator to take {right.out_shape}, what the right one "
                f"returns, got {describe(left)} @ {describe(right)}"
            )
        super().__init__(left, right, right.in_shape, left.out_shape)

    def _forward(self, z: Tensor) -> Tensor:
        return self.left._image(self.right._image(z))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.right._adjoint_image(self.left._adjoint_image(y))


def check_size(operator: LinearOperator, shape: Sequence[int], what: str) -> None:
    """Raise unless a matrix (m, n) maps the event shapes of its operator."""
    if (operator.n_out, operator.n_in) != tuple(shape):
        raise ShapeError(
            f"expected {what} {operator.n_out, operator.n_in} for {operator.in_shape} -> "
            f"{operator.out_shape}, got {tuple(shape)}"
        )


def describe(operator: LinearOperator) -> str:
    """Name and shapes of an operator, for messages."""
    return f"{type(operator).__name__} {operator.in_shape} -> {operator.out_shape}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.ndim == 0)
