"""What closed forms need of a bijection onto vectors: the length and moments of its latents."""

from collections.abc import Iterable

import torch
from torch import Tensor

from linearizer.bijections import Bijection
from linearizer.errors import ShapeError
from linearizer.estimation.moments import Moments, PrincipalMoments

BATCH = 1000
"""Points that go through g at a time."""


def latent_length(g: Bijection) -> int:
    """n of a bijection onto vectors (n,).

    Raises:
        ShapeError: If its latents are no vectors.
    """
    if len(g.out_shape) != 1:
        raise ShapeError(
            f"expected a bijection onto vectors, got latents {g.out_shape}; "
            "end it with linearizer.Flatten"
        )
    return g.out_shape[0]


def accumulate(moments: Moments | PrincipalMoments, latents: Iterable[Tensor]) -> Tensor:
    """Fill the moments with batches, and return one number of their dtype and device."""
    like = torch.zeros(())
    for z in latents:
        moments.update(z)
        like = z.new_zeros(())
    return like


def latents_of(g: Bijection, points: Tensor) -> Tensor:
    """`g(x)` of points (N, *g.in_shape), some at a time."""
    return torch.cat([g(batch) for batch in points.split(BATCH)])
