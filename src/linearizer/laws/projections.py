"""The law of a projector."""

from collections.abc import Callable

from torch import Tensor

from linearizer.laws.relative import largest


def idempotence_error(f: Callable[[Tensor], Tensor], x: Tensor, batch_size: int = 100) -> float:
    """`max |f(f(x)) - f(x)| / max |x|`, in the dtype of the points x, in batches."""
    worst = 0.0
    for batch in x.split(batch_size):
        once = f(batch)
        worst = max(worst, largest(f(once) - once))
    return worst / largest(x)
