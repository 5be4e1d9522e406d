"""A measured number and the threshold that it has to keep: of laws, certificates and tables."""

import math
import operator
from dataclasses import dataclass
from typing import Literal

HOLDS, MISSED = "holds", "does not hold"
NOT_FINITE = "not finite"

Direction = Literal["at_most", "at_least", "above", "within"]
_COMPARISONS = {
    "at_most": ("≤", operator.le),
    "at_least": ("≥", operator.ge),
    "above": (">", operator.gt),
}


@dataclass(frozen=True)
class Measurement:
    """A number that was measured, and the threshold that it is compared with.

    Attributes:
        name: What was measured, in words or as a formula.
        value: The number.
        threshold: What it is compared with; None where nothing is asked of it.
        direction: The side of the threshold on which it holds; `within` compares the distance
            of a ratio from one.
        unit: Printed after both numbers, with the space that belongs before it.
        form: How the number is printed.
        note: Printed after the threshold: where it comes from.

    Example:
        >>> from linearizer.measurement import Measurement
        >>> psnr = Measurement("inversion", 72.25, 60, "at_least", " dB", ".1f")
        >>> psnr.holds, psnr.figures
        (True, ('72.2 dB', '≥ 60 dB'))
        >>> Measurement("never", float("nan"), 1.0).holds
        False
    """

    name: str
    value: float
    threshold: float | None = None
    direction: Direction = "at_most"
    unit: str = ""
    form: str = ".3g"
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether it keeps the threshold, which NaN never does; None where there is none."""
        if self.threshold is None:
            return None
        if self.direction == "within":
            return abs(self.value - 1) <= self.threshold
        return bool(_COMPARISONS[self.direction][1](self.value, self.threshold))

    @property
    def figures(self) -> tuple[str, str]:
        """The number and the threshold, to read."""
        value = f"{self.value:{self.form}}{self.unit}" if math.isfinite(self.value) else NOT_FINITE
        if self.threshold is None:
            return value, ""
        if self.direction == "within":
            return value, f"equal within {self.threshold:.0%}"
        threshold = f"{_COMPARISONS[self.direction][0]} {self.threshold:.4g}{self.unit}"
        return value, f"{threshold}, {self.note}" if self.note else threshold

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Name, number, threshold and whether it holds, as cells of a table."""
        verdict = {None: "", True: HOLDS, False: MISSED}[self.holds]
        return self.name, *self.figures, verdict


def decibels(name: str, value: float, threshold: float | None = None) -> Measurement:
    """A ratio in dB, which has to reach a threshold."""
    return Measurement(name, value, threshold, "at_least", " dB", ".1f")
