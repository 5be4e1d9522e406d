"""Products in the operators' own precision, and linear algebra in one that has it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor, nn

Action = Callable[[Tensor], Tensor]
P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=nn.Module)
F = TypeVar("F", bound=Callable[..., Any])

HALF = (torch.float16, torch.bfloat16)
"""Dtypes without decompositions and Fourier transforms: these are computed in float32."""


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which the linear algebra of a dtype is computed."""
    return torch.float32 if dtype in HALF else dtype


def without_autocast(
    device: torch.device, action: Callable[P, R], *args: P.args, **kw: P.kwargs
) -> R:
    """Call a function outside of `torch.autocast`, which would round products to half precision."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return action(*args, **kw)
    with torch.autocast(device.type, enabled=False):
        return action(*args, **kw)


def exact(function: F) -> F:
    """Make a function of an operator deaf to `torch.autocast`."""

    @wraps(function)
    def called(A: Any, *args: Any, **kwargs: Any) -> Any:
        return without_autocast(A.device, function, A, *args, **kwargs)

    return cast(F, called)


def in_dtype(module: M, dtype: torch.dtype) -> M:
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
