"""Measuring a one-step flow on images that are given: one number per image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.display.tables import Table
from linearizer.metrics import nats_to_bits, psnr_db


def likelihood_table(
    flow: OneStepFlow | ConditionalFlow,
    images: Tensor,
    names: Sequence[str],
    quantization_levels: int,
) -> Table:
    """The exact log-density of images (N, C, H, W), in nats and in bits per dimension.

    Of a flow with classes also the likeliest class of each image.
    """
    rows = []
    for name, density in zip(names, flow.log_prob(images).tolist(), strict=True):
        bits = nats_to_bits(density, images[0].numel(), quantization_levels)
        rows.append((name, f"{density:.1f}", f"{bits:.3f}"))
    columns = ["image", "log-density (nats)", "bits per dimension"]
    if not isinstance(flow, ConditionalFlow):
        return Table(columns, rows)
    likeliest = flow.posterior(images).max(1)
    classes = [str(flow.classes[place]) for place in likeliest.indices.tolist()]
    shares = [f"{share:.3f}" for share in likeliest.values.tolist()]
    told = [(*row, *of) for row, *of in zip(rows, classes, shares, strict=True)]
    return Table([*columns, "class", "its probability"], told)


def reconstruction_errors(images: Tensor, again: Tensor) -> tuple[Tensor, float, list[float]]:
    """Differences scaled to [-1, 1], the largest of them, and the PSNR of each image in dB."""
    error = again - images
    largest = float(error.abs().max())
    scaled = error / max(largest, torch.finfo(error.dtype).tiny)
    return scaled, largest, [psnr_db(y, x) for x, y in zip(images, again, strict=True)]


def spectrum_in_words(values: Tensor) -> str:
    """Whether leading singular values (k,) tell directions apart, and what to do if not.

    Example:
        >>> spectrum_in_words(torch.tensor([3.2, 1.1]))
        'These directions are stretched 3.20 to 1.10 times.'
        >>> spectrum_in_words(torch.tensor([1.19, 1.18])).partition(":")[0]
        'These directions are stretched nearly alike, 1.19 to 1.18 times'
    """
    first, last = float(values[0]), float(values[-1])
    if len(values) == 1 or first > 1.1 * last:
        return f"These directions are stretched {first:.2f} to {last:.2f} times."
    return (
        f"These directions are stretched nearly alike, {first:.2f} to {last:.2f} times: a g that "
        "is trained by likelihood makes its sampler nearly an isometry. So they mean little; those "
        "of one class, by --label, or from class to class, by --label and --to, mean more."
    )
