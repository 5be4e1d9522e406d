"""Errors by law, and what all checks share."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from linearizer.errors import LawError

_TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}


class Laws:
    """Errors by law, and the tolerance that none may exceed."""

    def __init__(self, subject: object, dtype: torch.dtype, rtol: float | None) -> None:
        self.subject = type(subject).__name__
        self.rtol = _TOLERANCES.get(dtype, 0.1) if rtol is None else rtol
        self.errors: dict[str, float] = {}

    def equal(self, law: str, left: Tensor, right: Tensor, *scales: Tensor) -> None:
        """Record `max|left - right|` beside the largest of both sides and the scales."""
        if left.shape != right.shape:
            self._record(law, math.inf)
            return
        error = largest(left - right)
        size = max(largest(t) for t in (left, right, *scales))
        self._record(law, error / size if error > 0 else error)  # NaN passes through

    def holds(self, law: str, truth: bool) -> None:
        """Record a law without degrees."""
        self._record(law, 0.0 if truth else math.inf)

    def _record(self, law: str, error: float) -> None:
        self.errors[law] = max(self.errors.get(law, 0.0), error)
        if not error <= self.rtol:
            raise LawError(
                f"expected the law '{law}' of {self.subject} to hold up to {self.rtol:.1e}, got "
                f"a relative error of {error:.1e}; repair the class, use float64, or pass a "
                "larger rtol if it is ill-conditioned on purpose"
            )


class Random:
    """Seeded normal numbers in the dtype and on the device of a tensor."""

    def __init__(self, seed: int, like: Tensor | None) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.like = torch.empty(0) if like is None else like

    def __call__(self, *shape: int) -> Tensor:
        """Numbers of a shape, the next ones at each call."""
        numbers = torch.randn(shape, generator=self.generator, dtype=torch.float64, device="cpu")
        return numbers.to(self.like)


def check_batches(
    laws: Laws, function: Callable[[Tensor], Tensor], x: Tensor, image: Tensor, which: str
) -> None:
    """A single event, several batch axes and an empty batch, beside one batch axis."""
    laws.equal(f"single event{which}", function(x[0]), image[0], image)
    axes = function(torch.stack([x, x.flip(0)])[:, None])
    laws.equal(f"several batch axes{which}", axes, torch.stack([image, image.flip(0)])[:, None])
    laws.holds(f"empty batch{which}", function(x[:0]).shape == image[:0].shape)


def largest(tensor: Tensor) -> float:
    """The largest modulus; zero of nothing."""
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def length(z: Tensor) -> Tensor:
    """The Euclidean length of each event."""
    return z.flatten(1).norm(dim=1)
