"""How exact a map is: linearity, round trips, and likeness of pictures."""

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from linearizer.laws import superposition
from linearizer.linearizer import Linearizer


def psnr_db(images: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of images in [-1, 1]; infinite for equal ones."""
    return float(peak_signal_noise_ratio(images, reference, data_range=2.0))


@torch.no_grad()
def linearity_error(f: Linearizer, u: Tensor, v: Tensor, a: float = 0.7, b: float = -0.4) -> float:
    """Relative superposition error of f at points u and v of its domain.

    `|f(a ⊙ u ⊕ b ⊙ v) - (a ⊙ f(u) ⊕ b ⊙ f(v))| / |f(a ⊙ u ⊕ b ⊙ v)|` in the plain Euclidean
    norm of the outputs, over the whole batch.
    """
    left, right = superposition(f, u, v, a, b)
    return float((left - right).norm() / left.norm())
