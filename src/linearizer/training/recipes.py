"""Recipes of one-step flows that trained well, by name."""

from dataclasses import dataclass
from typing import Literal

from linearizer.bijections import Bijection
from linearizer.ready_made import image_bijection


@dataclass(frozen=True)
class Recipe:
    """A bijection and how it is trained.

    Attributes:
        layout: Of `image_bijection`.
        depth: Couplings.
        width: Hidden width of each coupling's network.
        patch: Side of a patch, for the patch layout.
        noise: Width of the dequantisation noise in grey levels.
        steps: Optimiser steps.
        batch_size: Images a step.
        learning_rate: Its peak.
        weight_decay: Decoupled; helps where there are few images.
    """

    layout: Literal["auto", "dense", "patch"] = "auto"
    depth: int = 12
    width: int = 448
    patch: int = 4
    noise: float = 64.0
    steps: int = 7500
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0

    @property
    def average(self) -> float:
        """Decay of the moving average of the weights: over a thousand steps, or a tenth."""
        return min(0.999, 1 - 10 / self.steps) if self.steps > 10 else 0.0

    def bijection(self, shape: tuple[int, ...]) -> Bijection:
        """A new g for images of a shape."""
        return image_bijection(
            shape, layout=self.layout, depth=self.depth, width=self.width, patch=self.patch
        )


PRESETS = {
    "digits": Recipe(depth=8, width=128, noise=2.0, steps=7000, weight_decay=0.1),
    "mnist": Recipe(),
    "faces64": Recipe(layout="patch", patch=8, depth=8, width=96, steps=20000, batch_size=64),
    "quick": Recipe(depth=4, width=64, steps=300, batch_size=128),
}
