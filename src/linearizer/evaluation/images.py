"""Measuring a one-step flow on images that are given: one number per image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.applications import OneStepFlow
from linearizer.display.tables import Table
from linearizer.metrics import nats_to_bits, psnr_db


def likelihood_table(
    flow: OneStepFlow, images: Tensor, names: Sequence[str], quantization_levels: int
) -> Table:
    """The exact log-density of images (N, C, H, W), in nats and in bits per dimension."""
    rows = []
    for name, density in zip(names, flow.log_prob(images).tolist(), strict=True):
        bits = nats_to_bits(density, images[0].numel(), quantization_levels)
        rows.append((name, f"{density:.1f}", f"{bits:.3f}"))
    return Table(["image", "log-density (nats)", "bits per dimension"], rows)


def reconstruction_errors(images: Tensor, again: Tensor) -> tuple[Tensor, float, list[float]]:
    """Differences scaled to [-1, 1], the largest of them, and the PSNR of each image in dB."""
    error = again - images
    largest = float(error.abs().max())
    scaled = error / max(largest, torch.finfo(error.dtype).tiny)
    return scaled, largest, [psnr_db(y, x) for x, y in zip(images, again, strict=True)]
