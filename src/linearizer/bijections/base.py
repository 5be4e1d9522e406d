"""What an invertible network is: `forward`, `inverse` and two shapes, behind one gate."""

import abc
import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor

from linearizer._arrays import Points, to_array, to_tensor
from linearizer._checks import as_shape
from linearizer._gate import EventMap, call_checked, checked_result, refuse_overrides
from linearizer._modes import differentiable, in_single
from linearizer.bijections import inner
from linearizer.errors import ShapeError
from linearizer.saving import Saveable


class Bijection(EventMap, Saveable, abc.ABC):
    """An invertible network g: R^n → R^n, with `g.inverse(g(x)) = x`.

    Subclasses define `_forward` and `_inverse`, and `_forward_and_log_det` where there is a cheap
    one; every axis left of the event is batch. Users call `forward`, `inverse` and
    `forward_and_log_det`, which no class overrides: they are the gate that checks input and result
    once. A `torch.autocast` from outside ends there, because what it rounds cannot be inverted.

    Args:
        in_shape: Event shape of the points x, such as 8 or (1, 28, 28).
        out_shape: Event shape of the latent z, with as many entries; the same if not given.

    Raises:
        ShapeError: If the two shapes have different numbers of entries.
        InterfaceError: When a class is defined that overrides a method of the gate.
    """

    ours: ClassVar[bool] = True
    """Whether a class is the library's own, whose results need no check inside a larger map."""

    def __init__(
        self, in_shape: int | Sequence[int], out_shape: int | Sequence[int] | None = None
    ) -> None:
        super().__init__(in_shape, out_shape)
        n_in, n_out = (torch.Size(s).numel() for s in (self.in_shape, self.out_shape))
        if n_in != n_out:
            raise ShapeError(
                f"expected as many numbers out as in, got {self.in_shape} ({n_in}) and "
                f"{self.out_shape} ({n_out}); a bijection keeps the dimension"
            )

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class that would go around the gate."""
        super().__init_subclass__(**options)
        cls.ours = cls.__module__.partition(".")[0] == __name__.partition(".")[0]
        refuse_overrides(cls, Bijection, "forward", "inverse", "forward_and_log_det")

    @final  # type: ignore[misc]  # a module's is an attribute
    def forward(self, x: Points) -> Points:
        """Map points `(*batch, *in_shape)` to latents `(*batch, *out_shape)`.

        They are tensors, or NumPy arrays, for which arrays are returned.

        Raises:
            ShapeError: If the event shape differs.
            DtypeError: If the dtypes differ.
            DeviceError: If the devices differ.
        """
        return call_checked(self, self._forward, x, self.in_shape, self.out_shape)

    @final
    def inverse(self, z: Points) -> Points:
        """Map latents `(*batch, *out_shape)` back to points; it raises as `forward` does."""
        return call_checked(self, self._inverse, z, self.out_shape, self.in_shape)

    @final
    def forward_and_log_det(self, x: Points) -> tuple[Points, Points]:
        """Return `g(x)` of shape `(*batch, *out_shape)` and `log|det J_g(x)|` of `(*batch)`.

        By g's own method, or else through the full Jacobian, which costs n backward passes for
        each event: meant for small n and for tests. It raises as `forward` does.
        """
        if isinstance(x, np.ndarray):
            with torch.no_grad():
                both = self.forward_and_log_det(to_tensor(x, self))
            return to_array(both[0], x.dtype), to_array(both[1], x.dtype)
        log_dets: list[Tensor] = []

        def image(x: Tensor) -> Tensor:
            z, log_det = self._forward_and_log_det(x)
            log_dets.append(log_det)
            return z

        z = call_checked(self, image, x, self.in_shape, self.out_shape)
        log_det = log_dets[0]
        return z, checked_result(self, log_det, x, self.in_shape, (), "the log-determinant")

    @abc.abstractmethod
    def _forward(self, x: Tensor) -> Tensor:
        """The image g(x) of points that fit."""

    @abc.abstractmethod
    def _inverse(self, z: Tensor) -> Tensor:
        """The points g⁻¹(z) of latents that fit."""

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image and the log-determinants of points that fit."""
        batch = x.shape[: x.ndim - len(self.in_shape)]
        n = torch.Size(self.in_shape).numel()
        events = x.reshape(batch.numel(), *self.in_shape)
        with torch.inference_mode(False):  # which knows no derivatives
            jacobian = torch.func.jacrev(differentiable(self)._forward)
            jacobians = torch.vmap(jacobian)(differentiable(events))
        jacobians = jacobians.reshape(batch.numel(), n, n)
        log_dets = in_single(lambda J: torch.linalg.slogdet(J).logabsdet, jacobians)
        return self._forward(x), log_dets.reshape(batch)

    def initialize(self, x: Tensor) -> Tensor:
        """Set what depends on data from one batch `x`, and return `self(x)`."""
        return self(x)

    @property
    def inv(self) -> "Bijection":
        """The inverse as a bijection that shares the parameters; `g.inv.inv is g`."""
        return Inverse(self)

    def same_as(self, other: "Bijection") -> bool:
        """Whether both are one map by construction, so that their spaces are one space."""
        return self is other

    def resized(self, size: Sequence[int]) -> "Bijection":
        """The same map for images (C, *size): shares all parameters, and is not a copy.

        Raises:
            ShapeError: If the bijection is made for one size, as fully connected layers are.

        Example:
            >>> import torch, linearizer as lz
            >>> g = lz.Chain(lz.Squeeze((3, 8, 8)), lz.ActNorm((12, 4, 4)))
            >>> g.resized((16, 32))(torch.randn(3, 16, 32)).shape
            torch.Size([12, 8, 16])
        """
        raise ShapeError(
            f"expected layers that fit images of any size, got {type(self).__name__}; build g of "
            "Squeeze, ActNorm, Conv1x1 and couplings with ConvNet"
        )

    def _with_shapes(self, in_shape: Sequence[int]) -> Self:
        """A twin with another event shape that shares everything else."""
        twin = copy.copy(self)
        twin.in_shape = twin.out_shape = twin.shape = as_shape(in_shape)  # type: ignore[assignment]
        return twin

    @torch.no_grad()
    def round_trip(self, x: Points) -> float:
        """The largest error `max |g⁻¹(g(x)) - x|`: invertibility is a numerical promise.

        Example:
            >>> import torch, linearizer as lz
            >>> lz.vector_bijection(8).round_trip(torch.randn(16, 8)) < 1e-5
            True
        """
        return float(abs(self.inverse(self(x)) - x).max())


class Inverse(Bijection):
    """The bijection g⁻¹; get it as `g.inv`."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__(bijection.out_shape, bijection.in_shape)
        self.bijection = bijection

    def _forward(self, x: Tensor) -> Tensor:
        return inner.inverse(self.bijection, x)

    def _inverse(self, z: Tensor) -> Tensor:
        return inner.forward(self.bijection, z)

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = inner.inverse(self.bijection, x)
        return z, -inner.forward_and_log_det(self.bijection, z)[1]

    @property
    def inv(self) -> Bijection:
        """The bijection that this one inverts."""
        return self.bijection

    def resized(self, size: Sequence[int]) -> Bijection:
        """The inverse of the resized bijection; `size` is that of its input, not of its output."""
        return Inverse(self.bijection.resized(size))

    def same_as(self, other: Bijection) -> bool:
        """Whether both invert the same bijection."""
        return isinstance(other, Inverse) and self.bijection.same_as(other.bijection)
