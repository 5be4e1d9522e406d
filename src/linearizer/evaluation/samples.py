"""Samples of a flow, with classes or without, and how far they are from held-out images."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.display.progress import track
from linearizer.evaluation.likeness import BATCH
from linearizer.evaluation.predictions import Predictions

Flow = OneStepFlow | ConditionalFlow
See = Callable[[Iterable[Tensor]], Predictions]

MOST = 10_000
"""Samples whose distance to held-out images is measured, if there are so many of these."""
AT_ONCE = 400_000
"""Numbers in a batch where every batch costs the same beside: densities of many components."""


def parts_of(flow: Flow) -> list[OneStepFlow]:
    """The components of a flow with classes, or the one flow that there is."""
    if isinstance(flow, ConditionalFlow):
        return [flow.component(i) for i in range(len(flow.labels))]
    return [flow]


def large_batches(images: Tensor, title: str) -> Iterable[Tensor]:
    """Batches for densities, with a progress bar."""
    return track(images.split(max(1, AT_ONCE // images[0].numel())), title)


class Draw:
    """Samples in batches, the same each time that they are asked for; none is kept.

    Attributes:
        noise: (count, n).
        components: The component (count,) that each noise goes through, drawn by weights.
    """

    def __init__(self, flow: Flow, count: int, seed: int) -> None:
        self.noise = parts_of(flow)[0].noise(count, seed)
        self._decode: Callable[[Tensor, Tensor], Tensor]
        if isinstance(flow, ConditionalFlow):
            self.components = flow.draw(count, seed=seed)
            self._decode = flow.decode
        else:
            f = flow.collapse()
            self.components = torch.zeros(count, dtype=torch.long)
            self._decode = lambda noise, components: f(noise)

    def batches(self, title: str, size: int = BATCH) -> Iterator[Tensor]:
        """The samples, with a progress bar."""
        pairs = zip(self.noise.split(size), self.components.split(size), strict=True)
        for noise, components in track(list(pairs), title):
            yield self._decode(noise, components)


def there_and_back(flow: Flow) -> Callable[[Tensor], Tensor]:
    """`f(f⁺(x))`, of a flow with classes through the likeliest component of each image."""
    if isinstance(flow, ConditionalFlow):
        return lambda x: flow.decode(flow.encode(x), flow.likeliest(x))
    f = flow.collapse()
    inverse = f.pinv()
    return lambda x: f(inverse(x))


def see_samples(
    flow: Flow, draw: Draw, train: Tensor, see: See, noise_std: float | None
) -> dict[str, Predictions]:
    """What a classifier says of samples, of the same without noise, and of training images.

    Args:
        flow: The flow.
        draw: Its samples.
        train: Images that it was trained on, as many as samples where there are so many.
        see: The classifier.
        noise_std: Noise that the flow was trained with, which `denoise` takes away; without it
            nothing is denoised.
    """
    seen = {"samples": see(draw.batches("Sampling"))}
    if noise_std:
        noisy = draw.batches("Denoising samples", max(1, AT_ONCE // draw.noise.shape[1]))
        seen["denoised"] = see(flow.denoise(x, noise_std) for x in noisy)
    seen["train_images"] = see(track(train.split(BATCH), "Looking at training images"))
    return seen


def distances(seen: dict[str, Predictions], real: Predictions, seed: int) -> dict[str, Any]:
    """Count, Fréchet distance, KID and confidence of each set of images."""
    return {
        name: {
            "count": len(some.classes),
            "frechet_distance": some.distance(real),
            "kernel_distance": some.kernel_distance(real, seed),
            "confidence": some.confidence,
        }
        for name, some in seen.items()
    }
