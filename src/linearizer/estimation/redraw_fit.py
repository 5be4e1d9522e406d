"""What a `Redraw` needs, from latents of data and of what is far from them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._random import samples
from linearizer.bijections.redraw import Redraw
from linearizer.errors import RangeError
from linearizer.estimation.mixture import MixtureMoments

NEAR, FAR = 0.7, 0.9
"""Where codes begin to be redrawn, and where they are, in lengths of what is far."""
ALMOST_ALL = 0.99
LEAST_NOISE = 2000
"""Draws of each kind of noise, or twice the dimension if that is more."""


def fit_redraw(
    basis: Tensor,
    latents: Tensor,
    labels: Tensor,
    far: Sequence[Tensor],
    *,
    shrinkage: float | None = None,
    seed: int = 0,
) -> Redraw:
    """The `Redraw` of a range: the codes of each class, and a reader of what is far.

    The reader takes from `o / |o|` what makes points of one kind different from one another: the
    directions of most variance, each scaled to 1, without those that tell the kinds apart; turned
    at random, so that an image that is like no noise has no code that stands out.

    Args:
        basis: Q, (n, k), orthonormal.
        latents: Centered latents of data (N, n).
        labels: Their classes (N,).
        far: Latents of points far from the data (N, n), a tensor for each kind of them.
        shrinkage: As of `MixtureMoments`, of the codes; k if not given.
        seed: Of the turn.

    Raises:
        RangeError: If the range leaves fewer than two directions for the reader, or the points that
            should be far are not farther from the range than the data.
    """
    n, k = basis.shape
    m = min(k, n - k - len(far) - 1)
    if m < 1:
        raise RangeError(
            f"expected a range that leaves {len(far) + 2} directions to draw codes with, got "
            f"{n - k}; take a lower rank"
        )
    Q = basis.double()
    codes = latents.double() @ Q
    moments = MixtureMoments(k, shrinkage=shrinkage).update(codes, labels)
    rests = [z.double() - (z.double() @ Q) @ Q.mT for z in far]
    lengths = [torch.linalg.vector_norm(o, dim=1, keepdim=True) for o in rests]
    nearest = min(float(length.quantile(1 - ALMOST_ALL)) for length in lengths)
    rest = torch.linalg.vector_norm(latents.double() - codes @ Q.mT, dim=1)
    if float(rest.quantile(ALMOST_ALL)) > NEAR * nearest:
        raise RangeError(
            "expected points that are farther from the range than the data, got some at "
            f"{nearest:.3g} and data at {float(rest.quantile(ALMOST_ALL)):.3g}; train g longer, "
            "take a higher rank, or leave out what is far"
        )
    unit = [o / length for o, length in zip(rests, lengths, strict=True)]
    reader = _reader(unit, m, seed)
    roots = torch.stack([_root(moments.covariance(label), m) for label in moments.labels])
    means = torch.stack([moments.mean(label) for label in moments.labels])
    tensors = (x.to(basis) for x in (reader, means, roots, moments.weights()))
    reader, means, roots, weights = tensors
    near, away = NEAR * nearest, FAR * nearest
    return Redraw(basis, reader, means, roots, weights, near=near, far=away)


def noise_of_all_kinds(shape: tuple[int, ...], like: Tensor, seed: int) -> list[Tensor]:
    """Normal noise (N, *shape) of three sizes, uniform noise in [-1, 1], and -1 or 1 at random."""
    count = max(LEAST_NOISE, 2 * math.prod(shape))
    normal, large, other = (samples(count, shape, seed + i, like) for i in range(3))
    uniform = 2 * torch.special.ndtr(other) - 1
    return [normal, 3 * normal.flip(0), 30 * large, uniform, uniform.sign()]


def _reader(unit: Sequence[Tensor], m: int, seed: int) -> Tensor:
    """Columns (n, m + 1) whose products with unit vectors of one kind are white."""
    kinds = torch.linalg.qr(torch.stack([h.mean(0) for h in unit]).mT)[0]
    spread = torch.cat([h - h.mean(0) for h in unit])
    spread = spread - (spread @ kinds) @ kinds.mT
    values, vectors = torch.linalg.eigh(spread.mT @ spread / len(spread))
    scaled = vectors[:, -(m + 1) :] / values[-(m + 1) :].clamp_min(1e-30).sqrt()
    random = torch.Generator().manual_seed(seed)
    turn = torch.randn(m + 1, m + 1, generator=random, dtype=torch.float64).to(scaled)
    return scaled @ torch.linalg.qr(turn)[0]


def _root(C: Tensor, m: int) -> Tensor:
    """B (k, m) with `B Bᵀ` the covariance in its leading m directions."""
    values, vectors = torch.linalg.eigh(C)
    return vectors[:, -m:] * values[-m:].clamp_min(0).sqrt()
