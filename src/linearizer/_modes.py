"""Computing alike in whatever mode of torch: autocast, inference mode, short types."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

_T = TypeVar("_T", bound=Tensor | nn.Module)


def own_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Turn off a `torch.autocast` around the call: what it rounds cannot be inverted exactly."""
    kind = device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def in_single(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, through float32 where a shorter type has no such function."""
    dtype = tensors[0].dtype
    if dtype.itemsize >= torch.float32.itemsize:
        return function(*tensors)
    return function(*(tensor.float() for tensor in tensors)).to(dtype)


def differentiable(thing: _T) -> _T:
    """A tensor or module itself, or a copy of one that was made in inference mode.

    What inference mode makes takes no part in derivatives, also where it is turned off again by
    `torch.inference_mode(False)`, which is where to call this.
    """
    made = (thing,) if isinstance(thing, Tensor) else chain(thing.parameters(), thing.buffers())
    return copy.deepcopy(thing) if any(tensor.is_inference() for tensor in made) else thing
