"""What a flow with classes is measured by beside what every flow is: its classes, and maps."""

import copy
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow
from linearizer.applications.conditional_flow import Kind
from linearizer.applications.conditional_flow.components import between
from linearizer.data import Images
from linearizer.display.progress import track
from linearizer.evaluation.likeness import BATCH, seeded
from linearizer.evaluation.predictions import Predictions
from linearizer.evaluation.samples import See, large_batches, parts_of
from linearizer.laws import relative_error
from linearizer.metrics import slant, stroke_width

KINDS: tuple[Kind, ...] = ("noise", "transport")
POINTS = 8
"""On which each law is measured."""


def laws_between(flow: ConditionalFlow, seed: int) -> dict[str, float]:
    """Largest relative errors of the laws of maps between components, in float64.

    Each component a, the next one b and the next but one c: `f_bc f_ab = f_ac` through the same
    noise, and `f_ba f_ab = id` of both kinds of maps, on samples of a.
    """
    parts = parts_of(copy.deepcopy(flow).double())
    errors: dict[str, list[float]] = {name: [] for name in ("composition", *KINDS)}
    for i, a in enumerate(track(parts, "Maps between classes")):
        b, c = (parts[(i + step) % len(parts)] for step in (1, 2))
        x = a.sample(POINTS, seed=seed)
        for kind in KINDS:
            y = between(a, b, kind)(x)
            errors[kind].append(relative_error(between(b, a, kind)(y), x))
            if kind == "noise":
                composed, direct = between(b, c, kind)(y), between(a, c, kind)(x)
                errors["composition"].append(relative_error(composed, direct))
    return {name: float(torch.tensor(found).max()) for name, found in errors.items()}


def measure_classes(
    flow: ConditionalFlow,
    held_out: Images,
    some: Images,
    see: See,
    *,
    asked: Tensor,
    judged: Predictions,
    real: Predictions,
    noise_std: float | None,
    seed: int,
) -> dict[str, Any]:
    """How far classes are what they are called, by a classifier that knows the true ones.

    - The share of samples that are judged to be of the class that was asked for.
    - The share of each class among samples over its share among held-out images.
    - The share of held-out images that the flow's own posterior puts into their class, as they
      are and under the noise that the flow was trained with.
    - Translation of images to every other class, see `_translation`.

    Args:
        flow: A flow whose classes are the labels of the images.
        held_out: Images never trained on.
        some: Those of them that are translated.
        see: The classifier.
        asked: The component (N,) of each sample.
        judged: What the classifier says of the samples.
        real: What it says of the held-out images.
        noise_std: The noise that the flow was trained with, if it is known.
        seed: Seed of noise.
    """
    labels = torch.tensor(flow.labels)
    shares = [torch.tensor(p.histogram) / len(p.classes) for p in (judged, real)]
    ratios = (shares[0] / shares[1])[shares[1] > 0].tolist()
    x = held_out.images
    posterior = {"held_out": _told(flow, x, held_out.labels)}
    if noise_std:
        drawn = torch.randn(x.shape, generator=seeded(seed))
        posterior["held_out_under_noise"] = _told(flow, x + noise_std * drawn, held_out.labels)
    return {
        "asked_is_judged": float((labels[asked] == judged.classes.cpu()).double().mean()),
        "shares_over_real": ratios,
        "largest_factor": max(max(ratio, 1 / ratio if ratio else float("inf")) for ratio in ratios),
        "posterior_accuracy": posterior,
        "translation": _translations(flow, some.images, see),
    }


def _told(flow: ConditionalFlow, x: Tensor, labels: Tensor) -> float:
    """The share of images whose class is the likeliest by the flow's own density."""
    names, device = torch.tensor(flow.classes), flow.weights.device
    batches = large_batches(x, "Posterior of held-out images")
    places = torch.cat([flow.classify(batch.to(device)).cpu() for batch in batches])
    return float((names[places] == labels).double().mean())


def _translations(flow: ConditionalFlow, images: Tensor, see: See) -> dict[str, Any]:
    """Images as all classes but their likeliest, by each kind of maps.

    - The share that is judged to be of the class asked for.
    - Of gray images, the correlation of slant and of stroke width before and after.
    """
    x = images.to(flow.weights)
    batches = large_batches(x, "Classes of images to translate")
    sources = torch.cat([flow.likeliest(batch) for batch in batches])
    return {kind: _translation(flow, x, sources, kind, see) for kind in KINDS}


def _translation(
    flow: ConditionalFlow, x: Tensor, sources: Tensor, kind: Kind, see: See
) -> dict[str, Any]:
    right, before, after = [], [], []
    for i in track(sources.unique().tolist(), f"Translating by {kind}"):
        some = x[sources == i]
        for label in flow.classes:
            if label == flow.labels[i]:
                continue
            f = between(flow.component(i), flow.component(flow.indices(label)[0]), kind)
            made = [f(batch) for batch in some.split(BATCH)]
            right.append(see(made).classes.eq(int(label)))
            before.append(_strokes(some))
            after.append(_strokes(torch.cat(made)))
    found = {"judged_as_asked": float(torch.cat(right).double().mean())}
    if x.shape[1] == 1:
        pairs = zip(torch.cat(before).T, torch.cat(after).T, strict=True)
        for name, pair in zip(("slant", "stroke_width"), pairs, strict=True):
            found[name] = float(torch.corrcoef(torch.stack(pair))[0, 1])
    return {**found, "images": len(torch.cat(right))}


def _strokes(images: Tensor) -> Tensor:
    """Slant and stroke width of images, (N, 2)."""
    return torch.stack([slant(images), stroke_width(images)], 1)
