"""Damaged digits, projected onto what digits look like, and what is taken away."""

import torch
from torch import Tensor

from linearizer.app.pictures import board
from linearizer.applications import IdempotentGenerator
from linearizer.data import corrupt

NO_DAMAGE = "none"
RANKS = (1, 2, 4, 8, 16, 32, 64, 128)


def damaged(digit: Tensor, name: str, seed: int) -> Tensor:
    """A digit (1, 28, 28), damaged by one of `linearizer.data.CORRUPTIONS`, or as it is."""
    return digit if name == NO_DAMAGE else corrupt(digit[None], name, seed)[0]


@torch.no_grad()
def projection(f: IdempotentGenerator, digit: Tensor, x: Tensor, rank: int) -> tuple[str, str]:
    """A digit, the same damaged (x), its projection of a rank, and what is taken away.

    Returns:
        The pictures, and a sentence with the residual and `|f(f(x)) - f(x)|`.
    """
    inside, outside = f.decompose(x, rank)
    again = f.project(inside, rank)
    residual = float(f.residual(x, rank))
    share = residual / float(f.g(x).norm())
    pictures = board(
        [torch.stack([digit, x, inside, again, outside])],
        [f"rank {rank}"],
        ["digit", "x", "f(x)", "f(f(x))", "taken away"],
    )
    note = (
        f"Distance of x to the manifold, |g(x) − A g(x)|: {residual:.2f}, "
        f"{share:.0%} of |g(x)|. Projected twice: f(f(x)) differs from f(x) by at most "
        f"{float((again - inside).abs().max()):.1g}."
    )
    return pictures, note


@torch.no_grad()
def ladder(f: IdempotentGenerator, x: Tensor) -> str:
    """Projections of x of all ranks, from one and the same model."""
    ranks = [rank for rank in RANKS if rank <= f.rank]
    points = torch.stack([f.project(x, rank) for rank in ranks])
    residuals = [float(f.residual(x, rank)) for rank in ranks]
    labels = [f"rank {k}: {r:.1f}" for k, r in zip(ranks, residuals, strict=True)]
    return board([points], ["f(x)"], labels)
