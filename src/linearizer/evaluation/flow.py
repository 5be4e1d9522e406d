"""Measuring a one-step flow of images, with classes or without, against held-out ones."""

import copy
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.data import Images
from linearizer.display.progress import track
from linearizer.errors import RangeError
from linearizer.evaluation.classes import laws_between, measure_classes
from linearizer.evaluation.likeness import BATCH, EQUAL_DB, LPIPS_NETWORK, Likeness, finite, seeded
from linearizer.evaluation.predictions import has_labels, predict
from linearizer.evaluation.samples import (
    MOST,
    Draw,
    Flow,
    distances,
    parts_of,
    see_samples,
    there_and_back,
)
from linearizer.evaluation.steps import one_against_many
from linearizer.metrics import LPIPS, Classifier, bits_per_dimension

SOME = 1000
"""Images of what takes long: many steps, inversion, LPIPS, bits."""
ENLARGED = "sides under 64 pixels enlarged to 64"
_NOTES = (
    "PSNR is of the mean squared error over all images and pixels, of outputs that are not "
    f"clamped, with a range of 2; equal images are given {EQUAL_DB:.0f} dB.",
    "LPIPS, classifier and Fréchet distance see samples clamped to [-1, 1].",
)


@torch.no_grad()
def evaluate_flow(
    flow: Flow,
    train: Images,
    held_out: Images,
    classifier: Classifier,
    *,
    lpips: LPIPS | None = None,
    steps: int = 100,
    count: int | None = None,
    seed: int = 0,
    noise_width: float = 1.0,
    noise_std: float | None = None,
    labeled: bool = True,
) -> dict[str, Any]:
    """Measure a flow in float32, in batches, with a progress bar.

    - Samples: Fréchet and kernel distances of `count` samples to all held-out images, raw and
      denoised, and the classifier's confidence. As many training images say what a perfect
      generator would get.
    - Inversion: `f(f⁺(x))` against x, for held-out images x and the flow's own one step f, the
      exact flow unless it was made with steps; with classes that of the likeliest component.
    - One step against many: for each Runge-Kutta method, `flow.collapse(steps, method)`
      against `flow.integrate` from the same noise; with classes the worst of all components.
    - Fréchet distances of 1,000 samples, of two halves of the held-out images, and of 1,000
      training images.
    - Bits a dimension of held-out and training images, of the held-out ones upside down and as
      negatives, and of uniform noise.
    - Of a flow with classes what `laws_between` and `measure_classes` give.

    The flow, the classifier and the network of LPIPS are copied, and left as they are.

    Args:
        flow: On the device that everything is to be measured on.
        train: The images that it was trained on.
        held_out: Images never trained on.
        classifier: A classifier of the data, whose features the Fréchet distance is taken in.
        lpips: The perceptual distance; left out if not given.
        steps: Steps of the many-step samplers.
        count: Samples; as many as held-out images if not given, at most 10,000. What takes long
            is measured on 1,000 images at most.
        seed: Seed of all that is drawn.
        noise_width: Width in gray levels of the uniform noise under which bits are measured.
        noise_std: Standard deviation of the noise that the flow was trained with: what is taken
            off denoised samples. The bits of a flow with classes are under Gaussian noise of it.
        labeled: Whether the classes of a flow are the labels of the data; clusters are not.

    Returns:
        Numbers, lists and text that strict JSON can hold: what is not finite is None, and
        `notes` says so.

    Raises:
        RangeError: If `count` or `steps` is out of range, or there are under four held-out
            images.

    Source: the quantities of arXiv:2510.08570, section 4.1, and its appendix.
    """
    some = SOME if count is None else min(count, SOME)
    count = min(len(held_out), MOST) if count is None else count
    check_between(count, 2, math.inf, "the number of samples")
    check_between(steps, 1, math.inf, "the number of steps")
    if len(held_out) < 4 or len(train) < 2:
        raise RangeError(
            "expected at least 2 images to train on and 4 held out, got "
            f"{len(train)} and {len(held_out)}; hold out more"
        )
    flow = copy.deepcopy(flow).float().eval()
    device = next(t.device for t in (*flow.parameters(), *flow.buffers()))
    see = partial(predict, copy.deepcopy(classifier).to(device).float().eval())
    likeness = None if lpips is None else copy.deepcopy(lpips).to(device).float().eval()

    some_held_out = _some(held_out, some, seed)
    some_train = _some(train, some, seed)
    draw, few = Draw(flow, count, seed + 3), Draw(flow, some, seed + 1)
    parts = parts_of(flow)

    real = see(_batches(held_out.images, "Looking at held-out images"))
    seen = see_samples(flow, draw, _some(train, count, seed).images, see, noise_std)
    known = see(_batches(some_train.images, "Looking at training images"))
    inversion = _inversion(flow, some_held_out.images.to(device), likeness)
    fake = see(few.batches("Sampling in one step"))
    noise = parts[0].noise(max(some, len(parts)), seed + 1)
    against = one_against_many(parts, noise, see, real, steps, likeness)

    order = torch.randperm(len(held_out), generator=seeded(seed))
    first, second = (
        replace(real, features=half) for half in real.features[order.to(device)].chunk(2)
    )
    std = noise_std if isinstance(flow, ConditionalFlow) else None
    clean = _under_noise(some_held_out, noise_width, std, seed)
    bits = {
        "held_out": clean,
        "train": _under_noise(some_train, noise_width, std, seed),
        "upside_down": clean.flip(-2),
        "negative": -clean,
        "uniform_noise": 2 * torch.rand((some, *held_out.shape), generator=seeded(seed + 2)) - 1,
    }
    classes = {}
    if isinstance(flow, ConditionalFlow):
        classes["between"] = laws_between(flow, seed)
        if labeled and len(flow.classes) > 1 and set(flow.labels) <= set(train.labels.tolist()):
            classes["of_data"] = measure_classes(
                flow,
                held_out,
                some_held_out,
                see,
                asked=draw.components,
                judged=seen["samples"],
                real=real,
                noise_std=noise_std,
                seed=seed,
            )
    return finite(
        {
            "samples": distances(seen, real, seed),
            "inversion": inversion,
            **against,
            "frechet_distance": {
                "own_step": fake.distance(real),
                **against["frechet_distance"],
                "real_split": first.distance(second),
                "train_images": known.distance(real),
            },
            "classifier": {
                "accuracy_held_out": float(
                    (real.classes == held_out.labels.to(device)).double().mean()
                ),
                "confidence_samples": fake.confidence,
                "confidence_real": real.confidence,
                "classes_of_samples": fake.histogram,
                "classes_of_real": real.histogram,
            },
            "bits_per_dimension": {
                name: bits_per_dimension(
                    flow, x.to(device, torch.float32), train.quantization_levels
                )
                for name, x in bits.items()
            },
            **({"classes": classes} if classes else {}),
            "images": {
                "samples": some,
                "inverted": len(some_held_out),
                "held_out": len(held_out),
                "train_for_bits_and_frechet": len(some_train),
                "train": len(train),
                "shape": list(held_out.shape),
                "quantization_levels": train.quantization_levels,
            },
            "seeds": {
                "images": seed,
                "noise": seed + 1,
                "uniform_noise": seed + 2,
                "samples": seed + 3,
            },
            "settings": {
                "steps": steps,
                "own_step": _own_step(parts[0]),
                "noise_std": noise_std,
                "noise_of_bits": _words(noise_width, std),
                "batch": BATCH,
                "dtype": "float32",
                "device": str(device),
                "matmul_precision": torch.get_float32_matmul_precision(),
                "torch_threads": torch.get_num_threads(),
            },
            "networks": {
                **({} if lpips is None else {"lpips": f"{LPIPS_NETWORK}; {ENLARGED}"}),
                "frechet_distance": (
                    f"{classifier.num_features} features of a classifier of "
                    f"{'the classes' if has_labels(train) else 'how images are turned'}, "
                    "trained on this data set, not Inception"
                ),
                "classifier": "the same classifier",
                "bits_per_dimension": "the flow's own exact density",
            },
            "notes": list(_NOTES),
        }
    )


def _inversion(flow: Flow, images: Tensor, lpips: LPIPS | None) -> dict[str, float | None]:
    again, result = there_and_back(flow), Likeness(lpips)
    for x in _batches(images.float(), "Inverting held-out images"):
        result.add(again(x), x)
    return result.result()


def _under_noise(data: Images, width: float, std: float | None, seed: int) -> Tensor:
    """The images under uniform noise of some gray levels, or Gaussian noise where it is given."""
    if std is None:
        return data.dequantized(width, seed)
    return data.images + std * torch.randn(data.images.shape, generator=seeded(seed))


def _words(width: float, std: float | None) -> str:
    if std is None:
        return f"noise of {width:g} grey levels"
    return f"Gaussian noise of standard deviation {std:.3g}"


def _batches(x: Tensor, title: str) -> Iterable[Tensor]:
    return track(x.split(BATCH), title)


def _some(data: Images, count: int, seed: int) -> Images:
    return data.take(torch.randperm(len(data), generator=seeded(seed))[:count])


def _own_step(flow: OneStepFlow) -> str:
    return "exact flow" if flow.steps is None else f"{flow.steps} {flow.method} steps collapsed"
