"""What convolutions have in common: a kernel, any size, and one small matrix a frequency."""

import abc
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from linearizer._checks import as_shape
from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.entries import check_real, register


class Convolution(LinearOperator, abc.ABC):
    """A convolution of images (C_in, H, W) to images (C_out, H, W), by a kernel.

    An orthonormal transform of the images makes it one matrix K(ω) for each of H·W frequencies.
    Whether images wrap around or reflect at the border, and with it the transform and the meaning
    of the kernel's entries, is what subclasses choose.
    """

    kernel: Tensor
    entries_are: ClassVar[str]
    """The two last axes of a kernel, as messages name them."""

    def __init__(self, kernel: Tensor, size: Sequence[int]) -> None:
        size = as_shape(size)
        if (
            kernel.ndim != 4
            or len(size) != 2
            or any(k > s for k, s in zip(kernel.shape[2:], size, strict=True))
        ):
            raise ShapeError(
                f"expected a kernel (C_out, C_in, {self.entries_are}) and a size (H, W) no "
                f"smaller, got {tuple(kernel.shape)} and {size}; crop the kernel or enlarge the "
                "images"
            )
        check_real(kernel, "a kernel")
        super().__init__((kernel.shape[1], *size), (kernel.shape[0], *size))
        self.size = size
        register(self, "kernel", kernel)

    @staticmethod
    @abc.abstractmethod
    def entries(side: int) -> int:
        """Entries a kernel has along an axis to span an odd number of pixels, `side`."""

    @staticmethod
    @abc.abstractmethod
    def span(entries: int) -> int:
        """Pixels that a kernel of so many entries along an axis spans."""

    @staticmethod
    @abc.abstractmethod
    def enlarged(kernel: Tensor, shape: Sequence[int]) -> Tensor:
        """The same kernel with zeros beside it, of a larger shape (p, q)."""

    @staticmethod
    @abc.abstractmethod
    def transform(images: Tensor) -> Tensor:
        """The orthonormal transform of images (..., H, W) in which convolutions are products."""

    @abc.abstractmethod
    def response(self) -> Tensor:
        """The matrices of all frequencies, (H, W, C_out, C_in)."""

    @classmethod
    @abc.abstractmethod
    def from_response(cls, response: Tensor) -> Self:
        """The convolution whose matrices are `response[h, w]`, of shape (H, W, C_out, C_in)."""

    @abc.abstractmethod
    def by_padding(self, z: Tensor) -> Tensor:
        """The same as calling it, by padding and `conv2d`: for graphs without other transforms."""

    @property
    def side(self) -> int:
        """Pixels that the kernel spans along its last axis."""
        return self.span(self.kernel.shape[-1])

    def resized(self, size: Sequence[int]) -> Self:
        """The same kernel, not a copy, for images of another size; itself for its own.

        Raises:
            ShapeError: If the kernel is larger.
        """
        return self if tuple(size) == self.size else type(self)(self.kernel, size)

    def _scaled(self, factor: Tensor) -> LinearOperator:
        return type(self)(factor * self.kernel, self.size)


def one_shape(kind: type[Convolution], kernels: Sequence[Tensor]) -> list[Tensor]:
    """Kernels of one kind of convolution, enlarged until they can be added."""
    shape = [max(kernel.shape[axis] for kernel in kernels) for axis in (-2, -1)]
    return [kind.enlarged(kernel, shape) for kernel in kernels]


def unit_kernels(shape: Sequence[int], like: Tensor) -> Tensor:
    """One kernel for each entry of a kernel of a shape (p, q): 1 there, else 0; (p q, 1, p, q)."""
    count = torch.Size(shape).numel()
    return torch.eye(count, dtype=like.dtype, device=like.device).reshape(count, 1, *shape)
