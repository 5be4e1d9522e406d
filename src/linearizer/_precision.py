"""Computing in the precision of the tensors themselves, whatever surrounds the call."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from linearizer._checks import reference

_P = ParamSpec("_P")
_T = TypeVar("_T")


def own_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Turn off a `torch.autocast` around the call: what it rounds cannot be inverted exactly."""
    kind = device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def in_own_precision(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make a method of a module compute as it would without `torch.autocast`."""

    @wraps(method)
    def computed(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        module = args[0]
        assert isinstance(module, nn.Module), "it decorates methods of modules"
        like = reference(module)
        with own_precision(torch.device("cpu") if like is None else like.device):
            return method(*args, **kwargs)

    return computed


def in_single(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, through float32 where a shorter type has no such function."""
    dtype = tensors[0].dtype
    if dtype.itemsize >= torch.float32.itemsize:
        return function(*tensors)
    return function(*(tensor.float() for tensor in tensors)).to(dtype)
