"""What an invertible network is: `forward`, `inverse` and two shapes."""

import abc
import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from linearizer._checks import Shape, as_shape, check_input
from linearizer.bijections.log_det import HasLogDet, forward_and_log_det
from linearizer.errors import ShapeError
from linearizer.saving import Saveable


class Bijection(nn.Module, Saveable, abc.ABC):
    """An invertible network g: R^n → R^n, with `g.inverse(g(x)) = x`.

    Subclasses define `forward` and `inverse`; every axis left of the event is batch.

    Args:
        in_shape: Event shape of the points x, such as 8 or (1, 28, 28).
        out_shape: Event shape of the latent z, with as many entries; the same if not given.

    Raises:
        ShapeError: If the two shapes have different numbers of entries.
    """

    in_shape: Shape
    out_shape: Shape

    def __init__(
        self, in_shape: int | Sequence[int], out_shape: int | Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.in_shape = as_shape(in_shape)
        self.out_shape = self.in_shape if out_shape is None else as_shape(out_shape)
        n_in, n_out = (torch.Size(s).numel() for s in (self.in_shape, self.out_shape))
        if n_in != n_out:
            raise ShapeError(
                f"expected as many numbers out as in, got {self.in_shape} ({n_in}) and "
                f"{self.out_shape} ({n_out}); a bijection keeps the dimension"
            )

    @abc.abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map points `(*batch, *in_shape)` to latents `(*batch, *out_shape)`."""

    @abc.abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """Map latents `(*batch, *out_shape)` back to points `(*batch, *in_shape)`."""

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
    def round_trip(self, x: Tensor) -> float:
        """The largest error `max |g⁻¹(g(x)) - x|`: invertibility is a numerical promise.

        Example:
            >>> import torch, linearizer as lz
            >>> lz.vector_bijection(8).round_trip(torch.randn(16, 8)) < 1e-5
            True
        """
        return float((self.inverse(self(x)) - x).abs().max())


class Inverse(Bijection, HasLogDet):
    """The bijection g⁻¹; get it as `g.inv`."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__(bijection.out_shape, bijection.in_shape)
        self.bijection = bijection

    def forward(self, x: Tensor) -> Tensor:
        """g⁻¹(x)."""
        return self.bijection.inverse(x)

    def inverse(self, z: Tensor) -> Tensor:
        """g(z)."""
        point: Tensor = self.bijection(z)
        return point

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """g⁻¹(x) and `-log|det J_g|` there."""
        z = self.bijection.inverse(x)
        return z, -forward_and_log_det(self.bijection, z)[1]

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


class Chain(Bijection, HasLogDet):
    """The composition `x ↦ g_k(... g_1(x))`, first one first.

    Raises:
        ShapeError: If it is empty, or neighbouring shapes do not fit.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.Chain(lz.Flatten((1, 4, 4)), lz.AffineCoupling(16, lz.conditioners.MLP()))
        >>> g(torch.randn(2, 1, 4, 4)).shape
        torch.Size([2, 16])
    """

    def __init__(self, *bijections: Bijection) -> None:
        if not bijections:
            raise ShapeError("expected at least one bijection, got none; use Identity(shape)")
        for g, h in pairwise(bijections):
            if g.out_shape != h.in_shape:
                raise ShapeError(
                    f"expected {type(h).__name__} to take {g.out_shape}, the output of "
                    f"{type(g).__name__}, got one for {h.in_shape}; insert Flatten, Squeeze or "
                    "another rearrangement between them"
                )
        super().__init__(bijections[0].in_shape, bijections[-1].out_shape)
        self.bijections = nn.ModuleList(bijections)

    def forward(self, x: Tensor) -> Tensor:
        """Apply all, first to last."""
        check_input(x, self.in_shape, self)
        for g in self.bijections:
            x = g(x)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """Undo all, last to first."""
        check_input(z, self.out_shape, self)
        for g in reversed(self.bijections):
            z = g.inverse(z)  # type: ignore[operator]
        return z

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Apply all and add up their log-determinants."""
        total = x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])
        for g in self.bijections:
            x, log_det = forward_and_log_det(g, x)
            total = total + log_det
        return x, total

    def resized(self, size: Sequence[int]) -> Bijection:
        """All layers, each for the size that the ones before it leave."""
        layers: list[Bijection] = []
        for g in self.bijections:
            layers.append(g.resized(size))  # type: ignore[operator]
            size = layers[-1].out_shape[1:]
        return Chain(*layers)

    def initialize(self, x: Tensor) -> Tensor:
        """Initialise each on what the ones before it return."""
        for g in self.bijections:
            x = g.initialize(x)  # type: ignore[operator]
        return x
