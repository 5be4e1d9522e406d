"""Operators that depend on time: A(t) of a linear flow in the latent space."""

import abc
from collections.abc import Callable, Sequence

from linearizer._checks import HasNumbers, Shape, as_shape
from linearizer.operators.base import LinearOperator
from linearizer.saving import Saveable


class TimeDependentOperator(HasNumbers, Saveable, abc.ABC):
    """An operator t ↦ A(t) that predicts the end of a flow: `z_1 ≈ A(t) z_t`.

    Its velocity field is `dz/dt = L(t) z` with `L(t) = (A(t) - I) / (1 - t)`.
    """

    shape: Shape

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape = as_shape(shape)

    @abc.abstractmethod
    def at(self, t: float) -> LinearOperator:
        """A(t) for 0 ≤ t ≤ 1."""

    @abc.abstractmethod
    def velocity(self, t: float) -> LinearOperator:
        """L(t)."""

    def field(self) -> Callable[[float], LinearOperator]:
        """L, for many times of one integration: what all of them share is computed once.

        It belongs to the numbers that A holds now, so keep it no longer than needed.
        """
        return self.velocity

    @abc.abstractmethod
    def flow(self, start: float = 0.0, end: float = 1.0) -> LinearOperator:
        """The exact flow from one time to another, the limit of infinitely many steps.

        Raises:
            RangeError: If the operator has no flow in closed form.
        """

    @abc.abstractmethod
    def end_time(self, steps: int) -> float:
        """Where a sampler of so many steps ends: 1, or before it where L(t) has a pole at 1."""
