"""One step of a flow against many, of each component and each Runge-Kutta method."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.display.progress import track
from linearizer.evaluation.likeness import BATCH, Likeness
from linearizer.evaluation.predictions import Predictions
from linearizer.evaluation.samples import See
from linearizer.flows import METHODS
from linearizer.metrics import LPIPS

Pair = dict[str, float | None]


def one_against_many(
    parts: Sequence[OneStepFlow],
    noise: Tensor,
    see: See,
    real: Predictions,
    steps: int,
    lpips: LPIPS | None,
) -> dict[str, Any]:
    """`collapse(steps, method)` and the flow's own step against `integrate`, from the same noise.

    Args:
        parts: The components; each gets its share of the noise.
        noise: (N, n), no less than one for each part.
        see: The classifier in whose features distances are taken.
        real: What it says of real images.
        steps: Of the many-step samplers.
        lpips: The perceptual distance, if it is there.

    Returns:
        Likeness of the component that is least alike, the PSNR of each, and Fréchet distances.
    """
    pairs, own_pairs, each, one, many = {}, {}, {}, {}, {}
    shares = noise.tensor_split(len(parts))
    for method in METHODS:
        found, own_found, jumps, walks = [], [], [], []
        work = list(zip(parts, shares, strict=True))
        for part, share in track(work, f"One step against {steps} of {method}"):
            collapsed, own = part.collapse(steps, method), part.collapse()
            pair, own_pair = Likeness(lpips), Likeness(None)
            for z in share.split(BATCH):
                walked, jumped = part.integrate(z, steps, method), collapsed(z)
                pair.add(jumped, walked)
                own_pair.add(own(z), walked)
                jumps.append(jumped)
                walks.append(walked)
            found.append(pair.result())
            own_found.append(own_pair.result())
        pairs[method] = _least_alike(found)
        own_pairs[method] = _least_alike(own_found)["psnr_db"]
        each[method] = [pair["psnr_db"] for pair in found]
        one[method], many[method] = (see(images).distance(real) for images in (jumps, walks))
    return {
        "one_step_vs_n_step": pairs,
        "one_step_vs_n_step_psnr_db_of_components": each,
        "own_step_vs_n_step_psnr_db": own_pairs,
        "frechet_distance": {
            "one_step": one,
            "n_step": many,
            "ratio": {m: one[m] / many[m] if many[m] else math.nan for m in METHODS},
        },
    }


def _least_alike(pairs: Sequence[Pair]) -> Pair:
    """The smallest PSNR and the largest LPIPS, NaN where one is."""
    psnr, lpips = ([pair[name] for pair in pairs] for name in ("psnr_db", "lpips"))
    return {
        "psnr_db": float(torch.tensor(psnr, dtype=torch.float64).min()),
        "lpips": None if lpips[0] is None else float(torch.tensor(lpips).double().max()),
    }
