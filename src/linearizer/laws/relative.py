"""Relative errors beside one threshold, and what the laws of all kinds share."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from linearizer.measurement import Measurement

Laws = Iterator[Measurement]
"""Laws, each measured when the next is asked for: what comes after a broken law may fail."""

_THRESHOLDS = {torch.float64: 1e-10, torch.float32: 1e-4}


class Within:
    """Laws that have to hold up to one relative error, by default that of a dtype."""

    def __init__(self, rtol: float | None, dtype: torch.dtype) -> None:
        self.rtol = _THRESHOLDS.get(dtype, 0.1) if rtol is None else rtol

    def equal(self, law: str, left: Tensor, right: Tensor, *scales: Tensor) -> Measurement:
        """The relative error of two sides that should be equal."""
        return self._measured(law, relative_error(left, right, *scales))

    def true(self, law: str, truth: bool) -> Measurement:
        """A law without degrees."""
        return self._measured(law, 0.0 if truth else math.inf)

    def _measured(self, law: str, error: float) -> Measurement:
        return Measurement(law, error, self.rtol, form=".1e")

    def batches(
        self, function: Callable[[Tensor], Tensor], x: Tensor, image: Tensor, which: str
    ) -> Laws:
        """A single event, several batch axes and an empty batch, beside one batch axis."""
        yield self.equal(f"single event{which}", function(x[0]), image[0], image)
        axes = function(torch.stack([x, x.flip(0)])[:, None])
        both = torch.stack([image, image.flip(0)])[:, None]
        yield self.equal(f"several batch axes{which}", axes, both)
        yield self.true(f"empty batch{which}", function(x[:0]).shape == image[:0].shape)


class Random:
    """Seeded normal numbers in the dtype and on the device of a tensor."""

    def __init__(self, seed: int, like: Tensor | None) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.like = torch.empty(0) if like is None else like

    def __call__(self, *shape: int) -> Tensor:
        """Numbers of a shape, the next ones at each call."""
        numbers = torch.randn(shape, generator=self.generator, dtype=torch.float64, device="cpu")
        return numbers.to(self.like)


def relative_error(left: Tensor, right: Tensor, *scales: Tensor) -> float:
    """`max|left - right|` beside the largest of both sides and the scales."""
    if left.shape != right.shape:
        return math.inf
    error = largest(left - right)
    return error / max(largest(t) for t in (left, right, *scales)) if error > 0 else error  # or NaN


def largest(tensor: Tensor) -> float:
    """The largest modulus; zero of nothing."""
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def length(z: Tensor) -> Tensor:
    """The Euclidean length of each event."""
    return z.flatten(1).norm(dim=1)
