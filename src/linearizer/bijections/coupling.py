"""Couplings: one part of the event stays, and decides how the other part is moved."""

import abc
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from linearizer._checks import Shape, check_axis, check_between
from linearizer.bijections.base import Bijection
from linearizer.bijections.log_det import VolumePreserving
from linearizer.errors import ShapeError

Conditioner = Callable[[Shape, Shape], nn.Module]
"""Makes the network inside a coupling from the event shapes that it takes and returns."""


class Coupling(Bijection, abc.ABC):
    """What all couplings share: how the event is split, and the network in between.

    The network sees exactly one batch axis. Whatever it is, the coupling is the identity at
    the start: the last of its layers that has a weight is set to zero. It may also run in a
    shorter type than the event (`autocast`), while the coupling itself stays in the event's.

    Args:
        shape: Event shape, at least two long on `axis`.
        conditioner: Makes the network, e.g. `linearizer.conditioners.MLP()`.
        axis: Event axis that is split in two.
        first: Length of the first part; half of the axis if not given.
        flip: Move the first part rather than the second.

    Raises:
        ShapeError: If the axis is too short to be split.
        RangeError: If there is no such axis, or a part would be empty.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        conditioner: Conditioner,
        *,
        axis: int = 0,
        first: int | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__(shape)
        self.shape = self.in_shape
        check_axis(axis, self.in_shape)
        length = self.in_shape[axis]
        if length < 2:
            raise ShapeError(
                f"expected at least 2 entries to split on axis {axis}, got {self.in_shape}; "
                "split another axis"
            )
        self.conditioner, self.axis, self.first, self.flip = conditioner, axis, first, flip
        before = length // 2 if first is None else first
        check_between(before, 1, length - 1, "the length of the first part")
        self._sizes = [before, length - before]
        kept, moved = reversed(self._sizes) if flip else self._sizes
        self._kept_shape = self._with_length(kept)
        self._moved_shape = self._with_length(moved)
        self.autocast: torch.dtype | None = None
        self.network = conditioner(self._kept_shape, self._conditions_shape)
        _start_at_zero(self.network)

    def resized(self, size: Sequence[int]) -> Bijection:
        """The same coupling, if it splits channels and its network fits images of any size.

        Raises:
            ShapeError: If not.
        """
        if self.axis or len(self.in_shape) != 3 or not getattr(self.conditioner, "any_size", False):
            return super().resized(size)
        twin = self._with_shapes((self.in_shape[0], *size))
        twin._kept_shape = (self._kept_shape[0], *twin.in_shape[1:])
        twin._moved_shape = (self._moved_shape[0], *twin.in_shape[1:])
        return twin

    @property
    @abc.abstractmethod
    def _conditions_shape(self) -> Shape:
        """Event shape of what the network has to return."""

    def _with_length(self, length: int) -> Shape:
        return (*self.in_shape[: self.axis], length, *self.in_shape[self.axis + 1 :])

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.split(self._sizes, dim=self.axis - len(self.in_shape))
        return (second, first) if self.flip else (first, second)

    def _merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        parts = (moved, kept) if self.flip else (kept, moved)
        return torch.cat(parts, dim=self.axis - len(self.in_shape))

    def _conditions(self, kept: Tensor) -> Tensor:
        batch = kept.shape[: kept.ndim - len(self._kept_shape)]
        rows = kept.reshape(math.prod(batch), *self._kept_shape)
        if self.autocast is None:
            out: Tensor = self.network(rows)
        else:
            with torch.autocast(kept.device.type, self.autocast):
                out = self.network(rows).to(kept.dtype)
        return out.reshape(*batch, *self._conditions_shape)


class AdditiveCoupling(Coupling, VolumePreserving):
    """`(a, b) ↦ (a, b + t(a))` (NICE, arXiv:1410.8516); its Jacobian has determinant 1.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.AdditiveCoupling(6, lz.conditioners.MLP(width=16))
        >>> x = torch.randn(2, 6)
        >>> torch.equal(g(x), x)          # the identity at the start
        True
    """

    @property
    def _conditions_shape(self) -> Shape:
        return self._moved_shape

    def _forward(self, x: Tensor) -> Tensor:
        kept, moved = self._split(x)
        return self._merge(kept, moved + self._conditions(kept))

    def _inverse(self, z: Tensor) -> Tensor:
        kept, moved = self._split(z)
        return self._merge(kept, moved - self._conditions(kept))


class AffineCoupling(Coupling):
    """`(a, b) ↦ (a, b · exp(s(a)) + t(a))` (Real NVP, arXiv:1605.08803).

    The log-scale is softly bounded, `s = log_scale_bound · tanh(raw / log_scale_bound)`: at a hard
    bound of 5 a few layers are enough to lose everything in float32.

    Args:
        shape: Event shape.
        conditioner: Makes the network that returns raw scale and shift, stacked in front.
        axis: Event axis that is split in two.
        first: Length of the first part; half of the axis if not given.
        flip: Move the first part rather than the second.
        log_scale_bound: Largest absolute log-scale of the layer, up to 5.
        shift_bound: Largest absolute shift, bounded in the same soft way; any if not given.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.AffineCoupling((4, 8, 8), lz.conditioners.ConvNet(width=8))
        >>> z, log_det = g.forward_and_log_det(torch.randn(2, 4, 8, 8))
        >>> z.shape, log_det.shape
        (torch.Size([2, 4, 8, 8]), torch.Size([2]))
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        conditioner: Conditioner,
        *,
        axis: int = 0,
        first: int | None = None,
        flip: bool = False,
        log_scale_bound: float = 1.0,
        shift_bound: float | None = None,
    ) -> None:
        check_between(log_scale_bound, 1e-3, 5.0, "the bound of the log-scale")
        if shift_bound is not None:
            check_between(shift_bound, 1e-3, math.inf, "the bound of the shift")
        super().__init__(shape, conditioner, axis=axis, first=first, flip=flip)
        self.log_scale_bound, self.shift_bound = log_scale_bound, shift_bound

    @property
    def _conditions_shape(self) -> Shape:
        return (2, *self._moved_shape)

    def _log_scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self._conditions(kept).unbind(-1 - len(self.in_shape))
        if self.shift_bound is not None:
            shift = softly_bounded(shift, self.shift_bound)
        return softly_bounded(raw, self.log_scale_bound), shift

    def _forward(self, x: Tensor) -> Tensor:
        return self._forward_and_log_det(x)[0]

    def _inverse(self, z: Tensor) -> Tensor:
        kept, moved = self._split(z)
        log_scale, shift = self._log_scale_and_shift(kept)
        return self._merge(kept, (moved - shift) * torch.exp(-log_scale))

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = self._split(x)
        log_scale, shift = self._log_scale_and_shift(kept)
        z = self._merge(kept, moved * torch.exp(log_scale) + shift)
        return z, log_scale.flatten(-len(self.in_shape)).sum(-1)


def softly_bounded(x: Tensor, bound: float) -> Tensor:
    """`bound · tanh(x / bound)`: x where it is small, and nowhere beyond the bound."""
    return bound * torch.tanh(x / bound)


@torch.no_grad()
def _start_at_zero(network: nn.Module) -> None:
    """Zero the last layer that has a weight, so that the network returns zeros."""
    layers = [m for m in network.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    if layers:
        for parameter in layers[-1].parameters(recurse=False):
            parameter.zero_()
