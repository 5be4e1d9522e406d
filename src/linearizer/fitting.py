"""What closed forms need of a bijection onto vectors: its length, moments, normal draws."""

from collections.abc import Iterable

import torch
from torch import Tensor

from linearizer.bijections import Bijection
from linearizer.errors import ShapeError
from linearizer.operators import Moments, PrincipalMoments


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


def normal(shape: tuple[int, ...], seed: int | None, like: Tensor) -> Tensor:
    """N(0, I) draws, the same for the same seed on every device; new ones without a seed."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(like)
