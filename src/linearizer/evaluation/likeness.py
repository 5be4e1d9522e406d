"""How like pictures are, and results that strict JSON can hold."""

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from linearizer.measurement import NOT_FINITE
from linearizer.metrics import LPIPS, psnr_db

BATCH = 100
EQUAL_DB = 300.0
"""The PSNR that equal images are given in place of an infinite one, which JSON cannot hold."""
LPIPS_NETWORK = "LPIPS v0.1 with SqueezeNet 1.1"
LPIPS_MISSING = "LPIPS is measured with --lpips-backbone FILE --lpips-heads FILE."


class Likeness:
    """PSNR and LPIPS of pairs of images that come in batches."""

    def __init__(self, lpips: LPIPS | None) -> None:
        self.lpips = lpips
        self.squares, self.numbers, self.distance, self.images = 0.0, 0, 0.0, 0

    def add(self, images: Tensor, reference: Tensor) -> None:
        """Count a batch of pairs in."""
        self.squares += float((images.double() - reference.double()).square().sum())
        self.numbers += images.numel()
        self.images += len(images)
        if self.lpips is not None:
            pair = images.clamp(-1, 1), reference.clamp(-1, 1)
            self.distance += float(self.lpips(*pair).double().sum())

    def result(self) -> dict[str, float | None]:
        """PSNR of the mean squared error over all pairs, and their mean LPIPS."""
        return {
            "psnr_db": _psnr_db(self.squares / self.numbers),
            "lpips": None if self.lpips is None else self.distance / self.images,
        }


def _psnr_db(squared_error: float) -> float:
    """`10 log10(2² / error)`, at most EQUAL_DB; NaN if the error is not finite."""
    if squared_error == 0:
        return EQUAL_DB
    if not math.isfinite(squared_error):
        return math.nan
    return min(10 * math.log10(4 / squared_error), EQUAL_DB)


def capped_psnr_db(images: Tensor, reference: Tensor) -> float:
    """PSNR in dB, at most that which equal images are given."""
    return min(psnr_db(images, reference), EQUAL_DB)


def ssim(images: Tensor, reference: Tensor) -> float:
    """Structural similarity of images in [-1, 1]."""
    value = structural_similarity_index_measure(images, reference, data_range=2.0)
    return float(value)  # type: ignore[arg-type]


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers of its own."""
    return torch.Generator().manual_seed(seed)


def finite(results: dict[str, Any]) -> dict[str, Any]:
    """The results with None in place of every number that is not finite, and a note of it."""
    lost: list[str] = []

    def clean(value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {k: clean(v, f"{name}.{k}" if name else k) for k, v in value.items()}
        if isinstance(value, float) and not math.isfinite(value):
            lost.append(f"{name} was {value}, which is not finite: None stands for it.")
            return None
        return value

    cleaned: dict[str, Any] = clean(results, "")
    cleaned["notes"] = [*cleaned.get("notes", []), *lost]
    return cleaned


def number(value: float | None) -> float:
    """A number read back from strict JSON, where None stands for one that is not finite."""
    return math.nan if value is None else value


def printed(value: float | None, form: str) -> str:
    """A number of strict JSON as text, or that it was not finite."""
    return NOT_FINITE if value is None else format(value, form)
