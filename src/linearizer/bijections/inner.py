"""What a bijection calls of its parts: our own methods directly, and others through their gate.

The input was checked at the gate of the whole, and our own classes return what they promise. A
user's class, and what stands in for a bijection (a compiled one), is called as a user would call
it, with all checks; so is the forward map of a part that hooks listen to.
"""

from typing import Any

from torch import Tensor
from torch.nn.modules import module


def forward(g: Any, x: Tensor) -> Tensor:
    """g(x) of a part."""
    image: Tensor = g._forward(x) if _is_ours(g) and not _has_hooks(g) else g(x)
    return image


def inverse(g: Any, z: Tensor) -> Tensor:
    """g⁻¹(z) of a part."""
    point: Tensor = g._inverse(z) if _is_ours(g) else g.inverse(z)
    return point


def forward_and_log_det(g: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """g(x) and `log|det J_g(x)|` of a part."""
    both: tuple[Tensor, Tensor] = (
        g._forward_and_log_det(x) if _is_ours(g) else g.forward_and_log_det(x)
    )
    return both


def _is_ours(g: Any) -> bool:
    return getattr(type(g), "ours", False)


def _has_hooks(g: Any) -> bool:
    """Whether `g(x)` does more than `g.forward(x)`."""
    return bool(
        g._compiled_call_impl is not None
        or g._forward_hooks
        or g._forward_pre_hooks
        or g._backward_hooks
        or g._backward_pre_hooks
        or module._has_any_global_hook()
    )
