"""Measuring a one-step flow of images against held-out ones."""

import copy
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.applications import OneStepFlow
from linearizer.data import Images
from linearizer.errors import RangeError
from linearizer.evaluation.likeness import BATCH, EQUAL_DB, LPIPS_NETWORK, Likeness, finite, seeded
from linearizer.evaluation.predictions import has_labels, predict
from linearizer.flows import METHODS
from linearizer.linearizer import Linearizer
from linearizer.metrics import LPIPS, Classifier, bits_per_dimension
from linearizer.training.progress import track

ENLARGED = "sides under 64 pixels enlarged to 64"
_NOTES = (
    "PSNR is of the mean squared error over all images and pixels, of outputs that are not "
    f"clamped, with a range of 2; equal images are given {EQUAL_DB:.0f} dB.",
    "LPIPS, classifier and Fréchet distance see samples clamped to [-1, 1].",
)


@torch.no_grad()
def evaluate_flow(
    flow: OneStepFlow,
    train: Images,
    held_out: Images,
    classifier: Classifier,
    *,
    lpips: LPIPS | None = None,
    steps: int = 100,
    count: int = 1000,
    seed: int = 0,
    noise_width: float = 1.0,
) -> dict[str, Any]:
    """Measure a flow in float32, in batches, with a progress bar.

    - Inversion: `f(f⁺(x))` against x, for held-out images x and the flow's own one step f, the
      exact flow unless it was made with steps.
    - One step against many: for each Runge-Kutta method, `flow.collapse(steps, method)`
      against `flow.integrate` from the same noise.
    - Samples: Fréchet distances to all held-out images, the classifier's confidence, and the
      classes that it sees. The distance of two halves of the held-out images, and that of
      `count` training images, say what a perfect generator would get.
    - Bits a dimension of held-out and training images, of the held-out ones upside down and as
      negatives, and of uniform noise.

    The flow, the classifier and the network of LPIPS are copied, and left as they are.

    Args:
        flow: On the device that everything is to be measured on.
        train: The images that it was trained on.
        held_out: Images never trained on.
        classifier: A classifier of the data, whose features the Fréchet distance is taken in.
        lpips: The perceptual distance; left out if not given.
        steps: Steps of the many-step samplers.
        count: Samples, and images to invert and to take bits of; all if there are fewer.
        seed: Seed of all that is drawn.
        noise_width: Width in grey levels of the noise under which bits are measured.

    Returns:
        Numbers, lists and text that strict JSON can hold: what is not finite is None, and
        `notes` says so.

    Raises:
        RangeError: If `count` or `steps` is out of range, or there are under four held-out
            images.

    Source: the quantities of arXiv:2510.08570, section 4.1, and its appendix.
    """
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

    some_held_out = _some(held_out, count, seed)
    some_train = _some(train, count, seed)
    noise = flow.noise(count, seed + 1)

    real = see(_batches(held_out.images, "Looking at held-out images"))
    known = see(_batches(some_train.images, "Looking at training images"))
    own = flow.collapse()
    inversion = _inversion(own, some_held_out.images.to(device), likeness)
    samples = torch.cat([own(z) for z in _batches(noise, "Sampling in one step")])
    fake = see(samples.split(BATCH))

    pairs, own_pairs, one, many = {}, {}, {}, {}
    for method in METHODS:
        collapsed = flow.collapse(steps, method)
        pair, own_pair = Likeness(likeness), Likeness(None)
        jumps, walks = [], []
        batches = zip(noise.split(BATCH), samples.split(BATCH), strict=True)
        for z, sample in track(list(batches), f"One step against {steps} of {method}"):
            walked, jumped = flow.integrate(z, steps, method), collapsed(z)
            pair.add(jumped, walked)
            own_pair.add(sample, walked)
            jumps.append(jumped)
            walks.append(walked)
        pairs[method] = pair.result()
        own_pairs[method] = own_pair.result()["psnr_db"]
        one[method], many[method] = (see(images).distance(real) for images in (jumps, walks))

    order = torch.randperm(len(held_out), generator=seeded(seed))
    first, second = (
        replace(real, features=half) for half in real.features[order.to(device)].chunk(2)
    )
    clean = some_held_out.dequantized(noise_width, seed)
    bits = {
        "held_out": clean,
        "train": some_train.dequantized(noise_width, seed),
        "upside_down": clean.flip(-2),
        "negative": -clean,
        "uniform_noise": 2 * torch.rand(samples.shape, generator=seeded(seed + 2)) - 1,
    }
    return finite(
        {
            "inversion": inversion,
            "one_step_vs_n_step": pairs,
            "own_step_vs_n_step_psnr_db": own_pairs,
            "frechet_distance": {
                "own_step": fake.distance(real),
                "one_step": one,
                "n_step": many,
                "ratio": {m: _ratio(one[m], many[m]) for m in METHODS},
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
            "images": {
                "samples": count,
                "inverted": len(some_held_out),
                "held_out": len(held_out),
                "train_for_bits_and_frechet": len(some_train),
                "train": len(train),
                "shape": list(held_out.shape),
                "quantization_levels": train.quantization_levels,
            },
            "seeds": {"images": seed, "noise": seed + 1, "uniform_noise": seed + 2},
            "settings": {
                "steps": steps,
                "own_step": _own_step(flow),
                "noise_width_of_bits": noise_width,
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


def _inversion(f: Linearizer, images: Tensor, lpips: LPIPS | None) -> dict[str, float | None]:
    inverse, result = f.pinv(), Likeness(lpips)
    for x in _batches(images.float(), "Inverting held-out images"):
        result.add(f(inverse(x)), x)
    return result.result()


def _batches(x: Tensor, title: str) -> Iterable[Tensor]:
    return track(x.split(BATCH), title)


def _some(data: Images, count: int, seed: int) -> Images:
    return data.take(torch.randperm(len(data), generator=seeded(seed))[:count])


def _own_step(flow: OneStepFlow) -> str:
    return "exact flow" if flow.steps is None else f"{flow.steps} {flow.method} steps collapsed"


def _ratio(one: float, many: float) -> float:
    return one / many if many else math.nan
