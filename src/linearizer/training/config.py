"""Configurations of one-step flows that trained well, by name."""

from dataclasses import dataclass, replace
from typing import Literal

from linearizer.bijections import Bijection
from linearizer.presets import image_bijection


@dataclass(frozen=True)
class TrainingConfig:
    """A bijection and how it is trained.

    Attributes:
        layout: Of `image_bijection`.
        depth: Couplings.
        width: Hidden width of each coupling's network.
        levels: How often wavelets halve the sides.
        patch: Side of a patch, for the patch layout.
        log_scale_bound: Largest absolute log-scale of one coupling.
        shift_bound: Largest absolute shift of one coupling; any if not given.
        saturation: Of the inputs of the couplings' perceptrons; none if not given.
        noise: Width of the dequantisation noise in grey levels.
        steps: Optimiser steps.
        batch_size: Images a step.
        learning_rate: Its peak.
        weight_decay: Decoupled; helps where there are few images.
        reconstruction: Weight of a loss that keeps noisy latents decoding to the same image.
        ood_weight: Weight of a loss that keeps the latents of pure noise short.
        precision: Of the networks inside the couplings while they train.
    """

    layout: Literal["auto", "dense", "wavelet", "patch"] = "auto"
    depth: int = 12
    width: int = 432
    levels: int = 2
    patch: int = 4
    log_scale_bound: float = 1.0
    shift_bound: float | None = None
    saturation: float | None = None
    noise: float = 64.0
    steps: int = 7500
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    reconstruction: float = 0.0
    ood_weight: float = 0.0
    precision: Literal["32", "bf16"] = "32"

    @property
    def average(self) -> float:
        """Decay of the moving average of the weights: over a thousand steps, or a tenth."""
        return average_decay(self.steps)

    def with_stable_inverse(self) -> "TrainingConfig":
        """The same with a g that amplifies little on any input, however far from the data."""
        return replace(self, log_scale_bound=0.5, shift_bound=6.0, saturation=4.0, ood_weight=0.05)

    def bijection(self, shape: tuple[int, ...]) -> Bijection:
        """A new g for images of a shape."""
        return image_bijection(
            shape,
            layout=self.layout,
            depth=self.depth,
            width=self.width,
            levels=self.levels,
            patch=self.patch,
            log_scale_bound=self.log_scale_bound,
            shift_bound=self.shift_bound,
            saturation=self.saturation,
        )


def average_decay(steps: int) -> float:
    """Decay of the moving average of the weights: over a thousand steps, or a tenth of a run."""
    return min(0.999, 1 - 10 / steps) if steps > 10 else 0.0


PRESETS = {
    "digits": TrainingConfig(depth=8, width=128, noise=2.0, steps=7000, weight_decay=0.1),
    "mnist": TrainingConfig(),
    "faces64": TrainingConfig(
        layout="wavelet", noise=24.0, steps=12000, batch_size=128, weight_decay=0.1
    ),
    "quick": TrainingConfig(depth=4, width=64, steps=300, batch_size=128),
}
