"""The gate of bijections and operators: what comes in and what is returned is checked once.

Public methods go through it to the methods with an underscore that a subclass defines.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from linearizer._arrays import Points, to_array, to_tensor
from linearizer._checks import Shape, as_shape, check_image, check_input
from linearizer._modes import own_precision
from linearizer.errors import InterfaceError


class EventMap(nn.Module):
    """A module that maps events of `in_shape` to events of `out_shape`."""

    in_shape: Shape
    out_shape: Shape

    def __init__(
        self, in_shape: int | Sequence[int], out_shape: int | Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.in_shape = as_shape(in_shape)
        self.out_shape = self.in_shape if out_shape is None else as_shape(out_shape)


def call_checked(
    owner: nn.Module, function: Callable[[Tensor], Tensor], x: Points, given: Shape, made: Shape
) -> Points:
    """`function(x)` for events `given`, which become events `made`; of arrays, an array.

    A `torch.autocast` from outside ends here, because what it rounds cannot be inverted.
    """
    if isinstance(x, np.ndarray):
        with torch.no_grad():
            image = call_checked(owner, function, to_tensor(x, owner), given, made)
        return to_array(image, x.dtype)
    check_input(x, given, owner)
    with own_precision(x.device):
        image = function(x)
    return checked_result(owner, image, x, given, made)


def checked_result(
    owner: nn.Module, image: Tensor, x: Tensor, given: Shape, made: Shape, what: str = ""
) -> Tensor:
    """The result of x, which is all that is checked inside a larger map."""
    name = type(owner).__name__
    check_image(image, x, given, made, f"{what} of {name}" if what else f"what {name} returns")
    return image


def refuse_overrides(cls: type, base: type, *names: str) -> None:
    """Raise if a class replaces methods of its base, and so goes around the gate."""
    for name in names:
        if getattr(cls, name) is not getattr(base, name):
            raise InterfaceError(
                f"expected {cls.__name__} to define _{name}, got one that overrides {name}, "
                f"where shapes and dtypes are checked; rename the method to _{name}"
            )
