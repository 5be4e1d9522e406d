"""What is done to a picture, as a step that can be written down and taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from linearizer._checks import check_between
from linearizer.applications.style_transfer.analysis import on_line
from linearizer.errors import RangeError
from linearizer.operators import Convolution, LinearOperator

if TYPE_CHECKING:
    from linearizer.applications.style_transfer.model import StyleTransfer

LARGEST = 1e6
"""Of a weight or a strength."""


@dataclass(frozen=True)
class Step:
    """One operator of a model, by the names of its styles: `(1 - s) P + s Σ_i w_i A_i`.

    P is the operator named `plain` if there is one, or else the identity. On a geodesic the sum
    gives way to `A_a (A_a⁻¹ A_b)^t`, written as the weights `{a: 1 - t, b: t}`.

    Args:
        weights: Of the styles.
        strength: s.
        geodesic: Whether the weights are a place on the geodesic between two styles.

    Raises:
        RangeError: If a number is out of range, or the weights are no place on a geodesic.

    Example:
        >>> from linearizer.applications.style_transfer import Step
        >>> print(Step({"candy": 0.4, "mosaic": 0.6}, strength=0.5))
        candy=0.4,mosaic=0.6 at strength 0.5
    """

    weights: Mapping[str, float]
    strength: float = field(default=1.0, kw_only=True)
    geodesic: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_between(self.strength, -LARGEST, LARGEST, "the strength")
        for name, weight in self.weights.items():
            check_between(weight, -LARGEST, LARGEST, f"the weight of {name}")
        if self.geodesic and (len(self.weights) != 2 or abs(sum(self.weights.values()) - 1) > 1e-9):
            raise RangeError(
                f"expected two weights that sum to one, a place on a geodesic, got {self}"
            )

    def __str__(self) -> str:
        """As the command line takes it, and the strength in words."""
        mix = ",".join(n if w == 1.0 else f"{n}={w:g}" for n, w in self.weights.items())
        way = " on the geodesic" if self.geodesic else ""
        return mix + way + (f" at strength {self.strength:g}" if self.strength != 1.0 else "")


Chosen = str | Mapping[str, float] | LinearOperator | Sequence[Step]
"""A style: its name, weights of a mix by name, an operator, or steps one after another."""


def operators_of(model: "StyleTransfer", style: Chosen, strength: float) -> list[LinearOperator]:
    """The operators that a choice names, the first one first.

    Raises:
        RangeError: If there is no such style, or a strength is given beside steps.
    """
    if isinstance(style, LinearOperator):
        return [_strengthened(model, style, strength)]
    if isinstance(style, str | Mapping):
        weights = {style: 1.0} if isinstance(style, str) else style
        return [_operator_of(model, Step(weights, strength=strength))]
    if strength != 1.0 or not style:
        raise RangeError(
            f"expected one step or more, each with its own strength, got {len(style)} and the "
            f"strength {strength:g}; give it to the steps"
        )
    return [_operator_of(model, step) for step in style]


def _operator_of(model: "StyleTransfer", step: Step) -> LinearOperator:
    if step.geodesic:
        (a, _), (b, place) = step.weights.items()
        return _strengthened(model, model.interpolate(a, b, place, geodesic=True), step.strength)
    if list(step.weights.values()) == [1.0]:
        return _strengthened(model, model.operator(*step.weights), step.strength)
    return _strengthened(model, model.mix(step.weights), step.strength)


def _strengthened(model: "StyleTransfer", A: LinearOperator, strength: float) -> LinearOperator:
    check_between(strength, -LARGEST, LARGEST, "the strength")
    if strength == 1.0:
        return A
    plain = model.plain
    if isinstance(A, Convolution) and type(A) is type(plain):
        return on_line(plain, A, strength)
    return A * strength + plain.resized(A.in_shape[1:]) * (1 - strength)
