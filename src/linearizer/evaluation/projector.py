"""Measuring a projector of images against held-out ones, and against components of pixels."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from linearizer._checks import check_between
from linearizer.applications import IdempotentGenerator
from linearizer.bijections import Flatten
from linearizer.data import CORRUPTIONS, Images, corrupt, load_letters, pieces_of_photographs
from linearizer.display.progress import track
from linearizer.display.tables import Page, Table
from linearizer.evaluation.likeness import BATCH, capped_psnr_db, finite, printed, seeded, ssim
from linearizer.evaluation.predictions import predict
from linearizer.laws import idempotence_error
from linearizer.metrics import Classifier, confidence, frechet_distance

RANK = 64
STATISTICS = 10_000
LARGE = 1000.0
LEAST = 8  # below, all samples look alike
GRAYS = 16
ENOUGH = 200
"""Images that a Fréchet distance needs."""


@torch.no_grad()
def evaluate_projector(
    model: IdempotentGenerator,
    train: Images,
    held_out: Images,
    classifier: Classifier,
    *,
    count: int = 1000,
    rank: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a projector, beside principal components of pixels: the same with g = identity.

    - Idempotence: `max |f(f(x)) - f(x)| / max |x|` over `count` inputs of each kind, in float32
      and in float64.
    - Reconstruction of held-out images by rank.
    - Restoration of damaged held-out images at one rank, which the damaged images themselves
      and the components of pixels are measured beside.
    - Samples of the range, and projections of noise: Fréchet distance and confidence of the
      classifier.
    - Outliers: how well the residual of each rank tells held-out images from others (AUROC).

    Args:
        model: In float32; a copy is taken to float64.
        train: What it was trained on.
        held_out: What it was not.
        classifier: A classifier of the data.
        count: Images or inputs of each kind.
        rank: Of restoration; 64 or that of the model if not given.
        seed: Of all that is drawn.
    """
    check_between(count, 4, math.inf, "the number of images")
    rank = min(RANK, model.rank) if rank is None else rank
    check_between(rank, 1, model.rank, "the rank")
    pixels = IdempotentGenerator.fit(
        Flatten(model.g.in_shape),
        train.images[:STATISTICS].split(1000),
        rank=min(model.rank, model.g.out_shape[0] - 1),
    )
    x, double = held_out.images[:count], copy.deepcopy(model).double()
    kinds = other_images(x, seed)
    results: dict[str, Any] = {
        "idempotence": {
            name: {
                "float32": idempotence_error(model.project, inputs, BATCH),
                "float64": idempotence_error(double.project, inputs.double(), BATCH),
            }
            for name, inputs in track(
                {
                    "data": x,
                    "noise": model.noise(len(x), seed),
                    "uniform": kinds["uniform noise"],
                    "letters": kinds.get("letters", x.flip(-2)),
                    "large": LARGE * kinds["uniform noise"],
                }.items(),
                "Projecting twice",
            )
        },
        "reconstruction": {
            str(k): {
                "ours": capped_psnr_db(_projected(model, x, k), x),
                "pixels": capped_psnr_db(_projected(pixels, x, k), x),
            }
            for k in _ranks(model.rank)
        },
        "restoration": {},
        "outliers": {},
        "rank": rank,
        "images": len(x),
    }
    for name in track(CORRUPTIONS, "Restoring"):
        damaged = corrupt(x, name, seed)
        results["restoration"][name] = {
            what: {"psnr_db": capped_psnr_db(made, x), "ssim": ssim(made, x)}
            for what, made in (
                ("damaged", damaged.clamp(-1, 1)),
                ("ours", _projected(model, damaged, rank)),
                ("pixels", _projected(pixels, damaged, rank)),
            )
        }
    results["generation"] = {
        what: {
            "confidence": confidence(classifier, images),
            "frechet_distance": frechet_distance(classifier, images, held_out.images),
        }
        for what, images in {
            **{
                f"samples at rank {k}": model.generate(count, rank=k, seed=seed).clamp(-1, 1)
                for k in _ranks(model.rank)
                if k >= LEAST
            },
            "held-out images": x,
        }.items()
    }
    for name, images in track(anything(x, seed).items(), "Projecting anything"):
        projected = _projected(model, images, rank)
        seen = predict(classifier, projected.split(BATCH))
        results["generation"][f"projected {name}"] = {
            "confidence": seen.confidence,
            "frechet_distance": (
                frechet_distance(classifier, projected, held_out.images)
                if len(images) >= ENOUGH
                else None
            ),
            "least_class": min(seen.histogram) / len(images),
        }
    for name, others in track(kinds.items(), "Telling outliers"):
        results["outliers"][name] = {
            what: {
                str(k): auroc(m.residual(x, k), m.residual(others, k))
                for k in _ranks(model.rank)
                if k >= LEAST
            }
            for what, m in (("ours", model), ("pixels", pixels))
        }
    return finite(results)


def other_images(images: Tensor, seed: int) -> Mapping[str, Tensor]:
    """Images that are none of the data: noise, the data changed, and letters if they are grey."""
    N, channels, height, width = images.shape
    kinds = {
        "uniform noise": 2 * torch.rand(images.shape, generator=seeded(seed)) - 1,
        "negatives": -images,
    }
    if height == width:
        kinds["turned by a quarter"] = images.rot90(1, (-2, -1))
    if channels == 1 and height == width:
        kinds["letters"] = load_letters(N, height, seed).images
    return kinds


def anything(images: Tensor, seed: int) -> dict[str, Tensor]:
    """What a global projector is to make data of: noise of many kinds, and other images."""
    N, channels, height, width = images.shape
    normal = torch.randn(images.shape, generator=seeded(seed))
    grays = torch.linspace(-1, 1, GRAYS)[:, None, None, None]
    kinds = {
        "noise": normal,
        "uniform noise": 2 * torch.rand(images.shape, generator=seeded(seed)) - 1,
        "salt and pepper": torch.randn(images.shape, generator=seeded(seed + 1)).sign(),
        f"{LARGE:g} times noise": LARGE * normal,
        f"constant images of {GRAYS} grays": grays.expand(GRAYS, channels, height, width),
        "negatives": -images,
        "images upside down": images.flip(-2),
    }
    if channels == 1 and height == width:
        kinds["letters"] = load_letters(N, height, seed).images
        kinds["pieces of photographs"] = pieces_of_photographs(max(1, N // 10), height, seed)
    return kinds


def auroc(inliers: Tensor, outliers: Tensor) -> float:
    """The probability that an outlier's score is above that of an inlier."""
    labels = torch.cat([torch.zeros(len(inliers)), torch.ones(len(outliers))]).long()
    scores = torch.cat([inliers, outliers])
    return float(binary_auroc(scores / scores.max(), labels))  # it squashes scores above 1


def _projected(model: IdempotentGenerator, images: Tensor, rank: int | None) -> Tensor:
    return torch.cat([model.project(x, rank) for x in images.split(BATCH)]).clamp(-1, 1)


def _ranks(largest: int) -> list[int]:
    """Powers of two, and the largest."""
    return sorted({2**i for i in range(largest.bit_length()) if 2**i <= largest} | {largest})


def projector_page(results: Mapping[str, Any]) -> Page:
    """The results as tables."""
    outliers = results["outliers"]
    ranks = list(next(iter(outliers.values()))["ours"])
    return [
        Table(
            ["input", "max abs of f(f(x)) - f(x) over max abs of x, float32", "float64"],
            [
                (name, printed(row["float32"], ".1e"), printed(row["float64"], ".1e"))
                for name, row in results["idempotence"].items()
            ],
        ),
        Table(
            ["rank", "held-out images, PSNR", "components of pixels", "gain"],
            [
                (
                    rank,
                    f"{row['ours']:.2f} dB",
                    f"{row['pixels']:.2f} dB",
                    f"{row['ours'] - row['pixels']:+.2f} dB",
                )
                for rank, row in results["reconstruction"].items()
            ],
        ),
        Table(
            [f"damage (rank {results['rank']})", "damaged", "restored", "components of pixels"],
            [
                (name, *(_pair(row[what]) for what in ("damaged", "ours", "pixels")))
                for name, row in results["restoration"].items()
            ],
        ),
        "PSNR and SSIM.",
        Table(
            [
                f"images (projected: rank {results['rank']})",
                "confidence of a classifier",
                "Fréchet distance in its features",
                "share of the rarest class",
            ],
            [
                (
                    name,
                    printed(row["confidence"], ".3f"),
                    _if_any(row.get("frechet_distance"), ".1f"),
                    _if_any(row.get("least_class"), ".1%"),
                )
                for name, row in results["generation"].items()
            ],
        ),
        Table(
            [
                "outliers, AUROC of the residual (of pixels')",
                *(f"rank {rank}" for rank in ranks),
            ],
            [
                (name, *(_both(row, rank) for rank in ranks))
                for name, row in [*outliers.items(), ("mean", _mean(outliers))]
            ],
        ),
        f"{results['images']:,} held-out images, or inputs of each kind; PSNR of images clamped to "
        "[-1, 1].",
    ]


def _if_any(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _pair(row: Mapping[str, float]) -> str:
    return f"{row['psnr_db']:.2f} dB, {row['ssim']:.3f}"


Scores = Mapping[str, Mapping[str, float]]


def _both(row: Scores, rank: str) -> str:
    return f"{row['ours'][rank]:.3f} ({row['pixels'][rank]:.3f})"


def _mean(outliers: Mapping[str, Scores]) -> Scores:
    """The mean over all kinds of outliers, for each rank."""
    rows = list(outliers.values())
    return {
        what: {k: sum(row[what][k] for row in rows) / len(rows) for k in rows[0][what]}
        for what in ("ours", "pixels")
    }
