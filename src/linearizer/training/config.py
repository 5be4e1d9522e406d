"""What is trained and how (`TrainingConfig`), and for how long (`TrainingBudget`)."""

from dataclasses import dataclass, replace
from typing import Literal

from linearizer.bijections import Bijection
from linearizer.presets import image_bijection
from linearizer.runs import Precision
from linearizer.training.averaging import average_decay


@dataclass(frozen=True)
class TrainingBudget:
    """How long and on what batches `train` trains any module.

    Attributes:
        steps: Optimizer steps in all.
        batch_size: Images per step.
        noise: Width of the dequantization noise in gray levels.
        seed: Seed of the batches.
        checkpoint_every: Steps between two checkpoints.
        max_minutes: Stop after this time even if steps are left.
        average: Decay of the exponential moving average of the weights; none if not given.
        precision: `bf16` runs the networks inside the couplings in bfloat16; the couplings
            themselves always stay in float32.
    """

    steps: int
    batch_size: int = 256
    noise: float = 1.0
    seed: int = 0
    checkpoint_every: int = 250
    max_minutes: float | None = None
    average: float | None = None
    precision: Precision = "32"


@dataclass(frozen=True)
class TrainingConfig:
    """A bijection of images and the training that suits it; `budget` is what `train` takes.

    Attributes:
        layout: Layout of `image_bijection`.
        depth: Number of couplings.
        width: Hidden width of each coupling's network.
        levels: How often wavelets halve the sides.
        patch: Side of a patch, for the patch layout.
        log_scale_bound: Largest absolute log-scale of one coupling.
        shift_bound: Largest absolute shift of one coupling; any if not given.
        saturation: Bound on the inputs of the couplings' perceptrons; none if not given.
        noise: Width of the dequantization noise in gray levels.
        steps: Optimizer steps.
        batch_size: Images per step.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay; helps where there are few images.
        reconstruction: Weight of a loss that keeps noisy latents decoding to the same image.
        ood_weight: Weight of a loss that keeps the latents of pure noise short.
        precision: Type of the networks inside the couplings while they train.
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
    precision: Precision = "32"

    def budget(self, *, seed: int = 0, max_minutes: float | None = None) -> TrainingBudget:
        """How long this trains, with averaged weights."""
        return TrainingBudget(
            self.steps,
            batch_size=self.batch_size,
            noise=self.noise,
            seed=seed,
            max_minutes=max_minutes,
            average=average_decay(self.steps),
            precision=self.precision,
        )

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


PRESETS = {
    "digits": TrainingConfig(depth=8, width=128, noise=2.0, steps=7000, weight_decay=0.1),
    "mnist": TrainingConfig(),
    "faces64": TrainingConfig(
        layout="wavelet", noise=24.0, steps=12000, batch_size=128, weight_decay=0.1
    ),
    "quick": TrainingConfig(depth=4, width=64, steps=300, batch_size=128),
}
