"""What a linear operator is, and how operators combine: lazily, checked when built.

An operator is its action and the action of its transpose. Sums, scalings, products and
transposes are nodes that hold their parts, so a parameter that is trained later, or moved
to another device, is the same parameter everywhere it occurs.
"""

import abc
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from linearizer._checks import Shape, as_shape, check_input, reference
from linearizer.errors import DeviceError, DtypeError, ShapeError
from linearizer.saving import Saveable

if TYPE_CHECKING:
    from scipy.sparse import linalg


class LinearOperator(nn.Module, Saveable, abc.ABC):
    """A linear map A from events of `in_shape` to events of `out_shape`.

    Subclasses define `forward` (A z) and `adjoint` (Aᵀ y); every axis left of the event is
    batch. The algebra (`svd`, `pinv`, `expm`, ...) is in functions, which use the structure
    of an operator where it has some.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.Dense(torch.eye(3)) + 2 * lz.LowRank(torch.ones(3, 1), torch.ones(3, 1))
        >>> A.T.to_dense()
        tensor([[3., 2., 2.],
                [2., 3., 2.],
                [2., 2., 3.]])
    """

    in_shape: Shape
    out_shape: Shape

    def __init__(
        self, in_shape: int | Sequence[int], out_shape: int | Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.in_shape = as_shape(in_shape)
        self.out_shape = self.in_shape if out_shape is None else as_shape(out_shape)

    @abc.abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """A z, for z of shape `(*batch, *in_shape)`."""

    @abc.abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ y, for y of shape `(*batch, *out_shape)`."""

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

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the entries."""
        return _entries(self).dtype

    @property
    def device(self) -> torch.device:
        """Device of the entries."""
        return _entries(self).device

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


class Transpose(LinearOperator):
    """Aᵀ; get it as `A.T`."""

    def __init__(self, operator: LinearOperator) -> None:
        super().__init__(operator.out_shape, operator.in_shape)
        self.operator = operator

    def forward(self, z: Tensor) -> Tensor:
        """Aᵀ z."""
        return self.operator.adjoint(z)

    def adjoint(self, y: Tensor) -> Tensor:
        """A y."""
        image: Tensor = self.operator(y)
        return image

    def transpose(self) -> LinearOperator:
        """The operator that this one transposes."""
        return self.operator


class Scaled(LinearOperator):
    """c · A, for a number or a scalar tensor c."""

    factor: Tensor

    def __init__(self, operator: LinearOperator, factor: float | Tensor) -> None:
        super().__init__(operator.in_shape, operator.out_shape)
        self.operator = operator
        register(
            self, "factor", torch.as_tensor(factor, dtype=operator.dtype, device=operator.device)
        )

    def forward(self, z: Tensor) -> Tensor:
        """c · A z."""
        return self.factor * self.operator(z)

    def adjoint(self, y: Tensor) -> Tensor:
        """c · Aᵀ y."""
        return self.factor * self.operator.adjoint(y)


class Sum(LinearOperator):
    """A + B.

    Raises:
        ShapeError: If the shapes differ; DtypeError, DeviceError likewise.
    """

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        if (left.in_shape, left.out_shape) != (right.in_shape, right.out_shape):
            raise ShapeError(
                f"expected two operators of one shape to add, got {describe(left)} and "
                f"{describe(right)}"
            )
        _check_alike(left, right)
        super().__init__(left.in_shape, left.out_shape)
        self.left, self.right = left, right

    def forward(self, z: Tensor) -> Tensor:
        """A z + B z."""
        total: Tensor = self.left(z) + self.right(z)
        return total

    def adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ y + Bᵀ y."""
        return self.left.adjoint(y) + self.right.adjoint(y)


class Product(LinearOperator):
    """A B: first B, then A.

    Raises:
        ShapeError: If A does not take what B returns; DtypeError, DeviceError likewise.
    """

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        if left.in_shape != right.out_shape:
            raise ShapeError(
                f"expected the left operator to take {right.out_shape}, what the right one "
                f"returns, got {describe(left)} @ {describe(right)}"
            )
        _check_alike(left, right)
        super().__init__(right.in_shape, left.out_shape)
        self.left, self.right = left, right

    def forward(self, z: Tensor) -> Tensor:
        """A B z."""
        image: Tensor = self.left(self.right(z))
        return image

    def adjoint(self, y: Tensor) -> Tensor:
        """Bᵀ Aᵀ y."""
        return self.right.adjoint(self.left.adjoint(y))


def register(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Keep a tensor as a parameter if it is one, else as a buffer.

    Its entries are laid out row by row, as they are in a file: another layout is multiplied in
    another order, and a loaded operator would differ from the saved one in the last bit.
    """
    if isinstance(tensor, nn.Parameter):
        tensor.data = tensor.data.contiguous()
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor.contiguous())


def apply_matrix(
    matrix: Tensor, z: Tensor, in_shape: Shape, out_shape: Shape, owner: nn.Module
) -> Tensor:
    """The product of a matrix and flattened events, as events again."""
    check_input(z, in_shape, owner)
    image = z.flatten(-len(in_shape)) @ matrix.mT
    return image.unflatten(-1, out_shape)


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


def _check_alike(left: LinearOperator, right: LinearOperator) -> None:
    if left.dtype != right.dtype:
        raise DtypeError(
            f"expected operators of one dtype, got {left.dtype} and {right.dtype}; "
            "convert one with .to(dtype)"
        )
    if left.device != right.device:
        raise DeviceError(
            f"expected operators on one device, got {left.device} and {right.device}; "
            "move one with .to(device)"
        )


def _entries(operator: LinearOperator) -> Tensor:
    tensor = reference(operator)
    if tensor is None:
        raise DtypeError(
            f"expected {type(operator).__name__} to hold a floating-point tensor, got none; "
            "register its numbers with register_buffer"
        )
    return tensor


def _is_scalar(value: Any) -> bool:
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.ndim == 0)
