"""The generator of trajectories on a given g, in closed form, and where they come to rest."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from linearizer.bijections import Anchored, Bijection, Centering, Chain
from linearizer.errors import RangeError
from linearizer.estimation import fit_generator
from linearizer.estimation.latents import latents_of

Equilibrium = Tensor | Literal["fit"] | None


def fitted(
    g: Bijection,
    states: Sequence[Tensor],
    times: Sequence[Tensor],
    equilibrium: Equilibrium,
    refinement: int,
) -> tuple[Bijection, Tensor]:
    """g with the equilibrium as its zero vector, and L.

    Args:
        g: Of states (n,).
        states: (T_i, n) of each trajectory.
        times: (T_i,) of each.
        equilibrium: A state, or how to find one: see `LinearDynamics.fit`.
        refinement: Of `fit_generator`.
    """
    if isinstance(equilibrium, str) and equilibrium != "fit":
        raise RangeError(f"expected a point, 'fit' or None as equilibrium, got '{equilibrium}'")
    if isinstance(equilibrium, Tensor):
        g = Anchored(g, equilibrium)
    latents = [latents_of(g, x) for x in states]
    if isinstance(equilibrium, str):
        rest = _rest(latents, times, refinement)
        g, latents = Chain(g, Centering(rest)), [z - rest for z in latents]
    return g, fit_generator(latents, times, refinement=refinement)


def _rest(latents: Sequence[Tensor], times: Sequence[Tensor], refinement: int) -> Tensor:
    """Where latents of affine dynamics `dz/dt = L z + b` do not move, near their mean.

    One more latent, that is constant, makes the dynamics linear: `d(z, c)/dt = (L z + b, 0)`.
    """
    mean = torch.cat([*latents]).mean(0)
    size = float((torch.cat([*latents]) - mean).square().mean().sqrt())
    augmented = [torch.cat([z - mean, torch.full_like(z[:, :1], size)], 1) for z in latents]
    L = fit_generator(augmented, times, refinement=refinement)[:-1].double()
    return mean - (size * torch.linalg.pinv(L[:, :-1]) @ L[:, -1]).to(mean)
