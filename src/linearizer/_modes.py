"""Computing alike in whatever mode of torch: autocast, inference mode, short types."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

_T = TypeVar("_T", bound=Tensor | nn.Module)
_Module = TypeVar("_Module", bound=nn.Module)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def own_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Turn off a `torch.autocast` around the call: what it rounds cannot be inverted exactly."""
    kind = device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)


def exact(function: _Function) -> _Function:
    """Make a function of an operator deaf to `torch.autocast`."""

    @wraps(function)
    def called(A: Any, *args: Any, **kwargs: Any) -> Any:
        with own_precision(A.device):
            return function(A, *args, **kwargs)

    return cast(_Function, called)


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype that linear algebra is computed in: half precision has no decompositions."""
    return torch.float32 if dtype.itemsize < torch.float32.itemsize else dtype


def double_dtype(device: torch.device) -> torch.dtype:
    """float64, or float32 on devices that have nothing wider."""
    return torch.float32 if device.type == "mps" else torch.float64


def in_single(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, through float32 where a shorter type has no such function."""
    dtype = tensors[0].dtype
    wide = wide_dtype(dtype)
    if wide == dtype:
        return function(*tensors)
    return function(*(tensor.to(wide) for tensor in tensors)).to(dtype)


def differentiable(thing: _T) -> _T:
    """A tensor or module itself, or a copy of one that was made in inference mode.

    What inference mode makes takes no part in derivatives, also where it is turned off again by
    `torch.inference_mode(False)`, which is where to call this.
    """
    tensors = (thing,) if isinstance(thing, Tensor) else (*thing.parameters(), *thing.buffers())
    return copy.deepcopy(thing) if any(tensor.is_inference() for tensor in tensors) else thing


def in_dtype(module: _Module, dtype: torch.dtype) -> _Module:
    """A twin of a module in another dtype, whose gradients reach the tensors of the module."""
    twin = object.__new__(type(module))  # not copy.copy: parametrized modules refuse it
    twin.__dict__ = dict(module.__dict__)
    tensors = module._parameters | module._buffers
    twin._parameters = {}
    twin._buffers = {
        name: t.to(dtype) if isinstance(t, Tensor) and t.is_floating_point() else t
        for name, t in tensors.items()
    }
    twin._modules = {name: _child(child, dtype) for name, child in module._modules.items()}
    return twin


def _child(child: nn.Module | None, dtype: torch.dtype) -> nn.Module | None:
    if child is None:
        return None
    own: Callable[[torch.dtype], nn.Module] | None = getattr(child, "_in_dtype", None)
    return in_dtype(child, dtype) if own is None else own(dtype)
