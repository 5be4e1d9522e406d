"""The checks at the gates of the library; inside it, tensors are trusted."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from linearizer.errors import DeviceError, DtypeError, NonFiniteError, RangeError, ShapeError

Shape = tuple[int, ...]


class HasNumbers(nn.Module):
    """A module whose tensors all have one dtype and lie on one device."""

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the numbers."""
        return numbers_of(self).dtype

    @property
    def device(self) -> torch.device:
        """Device of the numbers."""
        return numbers_of(self).device


def as_shape(shape: int | Sequence[int]) -> Shape:
    """An event shape from an int or a sequence of positive ints."""
    axes = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    if not axes or any(n < 1 for n in axes):
        raise ShapeError(
            f"expected an event shape of positive axes such as (1, 28, 28), got {axes}"
        )
    return axes


def check_event(x: Tensor, shape: Shape, owner: object) -> None:
    """Raise unless the trailing axes of `x` are `shape`."""
    if not isinstance(x, Tensor):
        raise DtypeError(
            f"{_name(owner)} expected a tensor, got {type(x).__name__}; "
            "convert it with torch.as_tensor"
        )
    if not x.is_floating_point():
        raise DtypeError(
            f"{_name(owner)} expected real floating-point numbers, got {x.dtype}; "
            + (
                "pass real and imaginary part as entries of their own, by torch.view_as_real"
                if x.is_complex()
                else "convert the input with .to(dtype)"
            )
        )
    if x.shape[x.ndim - len(shape) :] != shape or x.ndim < len(shape):
        raise ShapeError(
            f"{_name(owner)} expected shape (*batch, {', '.join(map(str, shape))}), "
            f"got {tuple(x.shape)}; reshape the input, or build the map for this event shape"
        )


def check_like(x: Tensor, like: Tensor | None, owner: object) -> None:
    """Raise unless `x` has the dtype and the device of `like`."""
    if like is not None:
        check_alike(
            x,
            like,
            f"{_name(owner)} expected",
            "convert the input or the module with .to(dtype)",
            "move the input or the module with .to(device)",
        )


def check_alike(
    x: Tensor | HasNumbers, like: Tensor | HasNumbers, expected: str, to_dtype: str, to_device: str
) -> None:
    """Raise, with `expected` and a cure, unless both have one dtype and one device."""
    if x.dtype != like.dtype:
        raise DtypeError(f"{expected} {like.dtype}, got {x.dtype}; {to_dtype}")
    if x.device != like.device:
        raise DeviceError(
            f"{expected} a tensor on {like.device}, got one on {x.device}; {to_device}"
        )


def check_input(x: Tensor, shape: Shape, module: nn.Module) -> None:
    """Raise unless `x` fits `module` in event shape, dtype and device."""
    check_event(x, shape, module)
    check_like(x, reference(module), module)


def check_image(image: Tensor, x: Tensor, given: Shape, made: Shape, what: str) -> None:
    """Raise unless the image of `x`, events `given`, is one of events `made` in the same batch.

    It looks at shape, dtype and device alone, so that it costs no synchronization.
    """
    if not isinstance(image, Tensor):
        raise DtypeError(f"expected {what} to be a tensor, got {type(image).__name__}")
    expected = (*x.shape[: x.ndim - len(given)], *made)
    if tuple(image.shape) != expected:
        raise ShapeError(
            f"expected {what} to have shape {expected}, got {tuple(image.shape)}; events {given} "
            f"become events {made}, and all axes before them are batch"
        )
    check_alike(
        image,
        x,
        f"expected {what} to be, like its input,",
        "compute in the dtype of the input",
        "make new tensors on the device of the input",
    )


def check_finite(x: Tensor, what: str) -> None:
    """Raise if `x` holds NaN or infinity; a tensor without data passes."""
    if not x.is_meta and not bool(torch.isfinite(x).all()):
        bad = int((~torch.isfinite(x)).sum())
        raise NonFiniteError(
            f"expected finite numbers in {what}, got {bad} NaN or infinite of {x.numel()}; "
            "remove or repair those entries"
        )


def check_between(value: float, low: float, high: float, what: str) -> None:
    """Raise unless `low <= value <= high`."""
    if not low <= value <= high:
        raise RangeError(f"expected {what} between {low:g} and {high:g}, got {value:g}")


def check_axis(axis: int, shape: Shape) -> None:
    """Raise unless an event of this shape has this axis, counted from the front."""
    if not 0 <= axis < len(shape):
        raise RangeError(f"expected an event axis from 0 to {len(shape) - 1}, got {axis}")


def check_permutation(permutation: Tensor | Sequence[int], length: int) -> None:
    """Raise unless each of `0, ..., length - 1` occurs once; a tensor without data passes."""
    if isinstance(permutation, Tensor):
        if permutation.is_meta:
            return
        permutation = permutation.flatten().tolist()
    if sorted(permutation) != list(range(length)):
        raise RangeError(f"expected each of 0 to {length - 1} once, got {list(permutation)}")


def reference(module: nn.Module) -> Tensor | None:
    """The first floating-point tensor of a module, whose dtype and device are the module's."""
    for tensor in chain(module.parameters(), module.buffers()):  # older compilers know no `next`
        if tensor.is_floating_point():
            return tensor
    return None


def numbers_of(module: nn.Module) -> Tensor:
    """`reference(module)` of a module that must have one."""
    tensor = reference(module)
    if tensor is None:
        raise DtypeError(
            f"expected {type(module).__name__} to hold a floating-point tensor, got none; "
            "register its numbers with register_buffer"
        )
    return tensor


def _name(owner: object) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
