"""A verdict: what was measured, whether that is much, and whether more time would help."""

import abc
import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from linearizer.data import Images

MOST = 1000
"""Images that are measured, of those trained on and of others."""
STILL_FALLING = 0.1
"""Share of the fall of a loss that is much for the second half of the steps."""


@dataclass(frozen=True, kw_only=True)
class Verdict(abc.ABC):
    """How a trained model stands.

    Attributes:
        fell: What the loss fell by in the second half of the steps, None of a few steps.
        steps: Of the optimizer.
        planned: As many as were asked for.
    """

    fell: float | None
    steps: int
    planned: int

    @property
    @abc.abstractmethod
    def found(self) -> list[str]:
        """Sentences of what was measured, and of what that means."""

    @property
    def is_falling(self) -> bool:
        """Whether the loss fell by much in the second half of the steps."""
        return self.fell is not None and self.fell > STILL_FALLING

    @property
    def fall(self) -> str:
        """By how much the loss fell in the second half of the steps, in words."""
        return f"The second half of the steps brought {self.fell:.0%} of the fall of the loss"

    @property
    def advice(self) -> str | None:
        """What helps where more time does not; None where it may."""
        return None

    @property
    def text(self) -> str:
        """The verdict in sentences, with what to do."""
        said, early = self.found, self.steps < self.planned
        if early:
            said.append(
                f"The time was up after {self.steps:,} of {self.planned:,} steps, before the "
                "learning rate was lowered."
            )
        if self.advice is not None:
            said.append(self.advice)
            return " ".join(said)
        if self.fell is not None:
            given = "about that" if self.is_falling else "little"
            said.append(f"{self.fall}; twice the time would likely give {given}.")
        if self.is_falling or 2 * self.steps < self.planned:
            said.append("This is undertrained: give it more --steps or --max-minutes.")
        return " ".join(said)

    @property
    def note(self) -> dict[str, Any]:
        """The same as numbers, for `run.json`; None where there is none."""
        numbers = asdict(self).items()
        return {k: v if v is None or math.isfinite(v) else None for k, v in numbers}


def some(data: Images, times: int = 1) -> Images:
    """As many images as are measured, or some times as many, drawn at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return data.take(order[: times * MOST])


def fall_of_loss(run: Path) -> tuple[float, float] | None:
    """What the mean loss of a tenth of the steps fell by: from the middle on, and in all.

    In the units of the loss; None of a few steps.
    """
    rows: dict[int, float] = {}
    for path in sorted(run.glob("logs/*/metrics.csv")):
        with path.open(encoding="utf-8") as file:
            rows |= {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
    losses = [rows[step] for step in sorted(rows)]
    window = len(losses) // 10
    if window < 2:
        return None
    middle = len(losses) // 2
    first = losses[:window]
    half, end = losses[middle - window // 2 : middle + window - window // 2], losses[-window:]
    start, between, last = (sum(part) / window for part in (first, half, end))
    return between - last, start - last


def share_that_fell(run: Path) -> float | None:
    """The share of the fall of the loss that the second half of the steps brought."""
    fell = fall_of_loss(run)
    if fell is None or not fell[1] > 0:
        return None
    return min(max(fell[0] / fell[1], 0.0), 1.0)
