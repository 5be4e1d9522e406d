"""NumPy arrays where points are taken: tensors inside, and arrays again on the way out.

An array has no device and knows no gradients, so it is copied to where the numbers of a module lie
and into their dtype, nothing is recorded, and results come back in the dtype of the array.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linearizer._checks import reference
from linearizer.errors import DeviceError, DtypeError

Array = NDArray[Any]
Points = TypeVar("Points", Tensor, Array)
"""Tensors, or arrays, of which a function returns what it is given."""
S = TypeVar("S")
P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)
R = TypeVar("R")


def to_tensor(points: Array, module: nn.Module) -> Tensor:
    """Points as a module takes them.

    Raises:
        DtypeError: If they are no real floating-point numbers.
        DeviceError: If the module is on the meta device, whose results no array can hold.
    """
    name = type(module).__name__
    if points.dtype.kind != "f":
        raise DtypeError(
            f"{name} expected real floating-point numbers, got an array of {points.dtype}; convert "
            "it with .astype(float)"
        )
    if isinstance(points, np.ma.MaskedArray):
        raise DtypeError(
            f"{name} expected an array of numbers, got a masked one; fill it with .filled(value)"
        )
    like = reference(module)
    if like is None:
        return torch.from_numpy(np.array(points, dtype=_standard(points.dtype)))
    if like.is_meta:
        raise DeviceError(f"{name} expected a tensor on meta, got an array; move the module first")
    # NumPy has no bfloat16, and a copy is nobody else's and has no strides that torch refuses.
    wide = np.array(points, dtype=np.float64 if like.dtype == torch.float64 else np.float32)
    return torch.from_numpy(wide).to(like)


def to_array(result: Tensor, dtype: np.dtype[Any]) -> Array:
    """A result as an array; real numbers in this dtype, and complex ones in its partner."""
    tensor = result.detach().cpu()
    if tensor.is_complex():
        return tensor.numpy().astype(np.result_type(dtype, np.complex64))
    if not tensor.is_floating_point():
        return tensor.numpy()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().astype(dtype)


def as_tensor(points: Tensor | Array, module: nn.Module) -> Tensor:
    """Points as a module takes them; a tensor, and whole numbers such as labels, as they are."""
    if not isinstance(points, np.ndarray):
        return points
    return to_tensor(points, module) if points.dtype.kind == "f" else torch.tensor(points)


def as_tensors(
    points: Tensor | Array | Sequence[Tensor | Array], module: nn.Module
) -> Tensor | list[Tensor]:
    """`as_tensor` of a sequence, each for itself, or of one array."""
    if isinstance(points, Tensor | np.ndarray):
        return as_tensor(points, module)
    return [as_tensor(part, module) for part in points]


class _Taking(Protocol[P, R_co, A_co]):
    """A method of points that takes arrays too: first of all, or after a number."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, x: Array, /, *rest: Any, **options: Any) -> A_co: ...
    @overload
    def __call__(
        self, a: float | Sequence[float] | Array, x: Array, /, *rest: Any, **options: Any
    ) -> A_co: ...


class _Method(Generic[S, P, R_co, A_co]):
    """What `takes_arrays` makes of a method, to those who check types."""

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[Concatenate[S, P], R_co]: ...
    @overload
    def __get__(self, owner: S, kind: type | None = None) -> _Taking[P, R_co, A_co]: ...
    def __get__(self, owner: Any, kind: Any = None) -> Any:
        raise NotImplementedError


@overload
def takes_arrays(
    method: Callable[Concatenate[S, P], Tensor],
) -> _Method[S, P, Tensor, Array]: ...
@overload
def takes_arrays(method: Callable[Concatenate[S, P], R]) -> _Method[S, P, R, Any]: ...
def takes_arrays(method: Any) -> Any:
    """Make a method of tensors one of NumPy arrays as well.

    What counts is the first parameter that is annotated as `Tensor`. If it is given as an array,
    all parameters that may be tensors are made tensors of the object's module, and all tensors in
    the result arrays.
    """
    annotations = inspect.get_annotations(method)
    names = [n for n in inspect.signature(method).parameters if n != "self"]
    points = [n for n in names if annotations.get(n) is Tensor]
    also = [n for n in names if annotations.get(n) in _PERHAPS]
    first, place = points[0], names.index(points[0])

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        x = args[place] if len(args) > place else kwargs.get(first)
        if not isinstance(x, np.ndarray):
            return method(self, *args, **kwargs)
        module = self if isinstance(self, nn.Module) else self.g
        given = dict(zip(names, args, strict=False)) | kwargs
        for name in (*points, *also):
            value = given.get(name)
            if isinstance(value, np.ndarray):
                given[name] = (to_tensor if name == first else as_tensor)(value, module)
        with torch.no_grad():
            return _arrays(method(self, **given), x.dtype)

    return called


_PERHAPS = (float | Tensor, Sequence[float] | Tensor, Tensor | None)


def _arrays(result: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(result, Tensor):
        return to_array(result, dtype)
    if isinstance(result, tuple):
        parts = [_arrays(part, dtype) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result


def _standard(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The nearest dtype that torch has."""
    return np.dtype(f"f{min(dtype.itemsize, 8)}")
