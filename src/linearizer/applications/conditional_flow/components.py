"""What is known of the components of a mixture one by one: means, densities, maps between."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from linearizer import linalg
from linearizer._checks import check_between
from linearizer.applications.one_step_flow import OneStepFlow
from linearizer.bijections import Bijection, Centering, Chain
from linearizer.errors import RangeError
from linearizer.linearizer import Linearizer
from linearizer.operators import LinearOperator

Kind = Literal["noise", "transport"]


def shared(g: Bijection) -> Bijection:
    """The g of `Chain(g, Centering(mean))`.

    Raises:
        RangeError: If it is another bijection.
    """
    layers = list(g.bijections) if isinstance(g, Chain) else []
    if len(layers) != 2 or not isinstance(layers[1], Centering):
        raise RangeError(
            f"expected components on Chain(g, Centering(mean)), got one on a {type(g).__name__}"
        )
    return layers[0]  # type: ignore[return-value]


def mean(flow: OneStepFlow) -> Tensor:
    """μ of a component."""
    chain = flow.g_data
    assert isinstance(chain, Chain), "checked when built"
    center: Tensor = chain.bijections[1].mean  # type: ignore[assignment]
    return center


def whitened(flow: OneStepFlow, z: Tensor) -> Tensor:
    """`C^-½ (z - μ)`, the noise of latents (*batch, n)."""
    noise: Tensor = flow.operator.flow(1.0, 0.0)(z - mean(flow))
    return noise


def log_density(flow: OneStepFlow, z: Tensor) -> Tensor:
    """`log N(z; μ, C)` of latents (*batch, n)."""
    log_det = linalg.logabsdet(flow.operator.flow())
    return -0.5 * (whitened(flow, z).square() + math.log(2 * math.pi)).sum(-1) - log_det


def guided(
    flow: OneStepFlow, pooled: OneStepFlow, guidance: float
) -> tuple[LinearOperator, Tensor]:
    """`(1 + w) B_c - w B` and `(1 + w) μ_c - w μ`, with B and μ of all components as one."""
    check_between(guidance, 0.0, math.inf, "the guidance")
    B, center = flow.operator.flow(), mean(flow)
    if not guidance:
        return B, center
    away = pooled.operator.flow()
    center = (1 + guidance) * center - guidance * mean(pooled)
    return linalg.fuse((1 + guidance) * B - guidance * away), center


def between(a: OneStepFlow, b: OneStepFlow, kind: Kind) -> Linearizer:
    """The Linearizer `V_a → V_b`, see `ConditionalFlow.between`.

    With W the polar factor of `BᵀA`, for any A and B with `C_a = AAᵀ` and `C_b = BBᵀ`, the optimal
    transport map `C_a^-½ (C_a^½ C_b C_a^½)^½ C_a^-½` is `B W A⁻¹`. So the map back is its inverse
    also where the roots are symmetric up to rounding only.
    """
    return Linearizer(a.g_data, _map(a, b, kind), b.g_data)


def directions_between(
    a: OneStepFlow, b: OneStepFlow, start: Tensor, lengths: Sequence[float], count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Walks in one class along what the map to another class stretches most, and their images.

    Args:
        a: The flow of the class to walk in.
        b: That of the other.
        start: The point (*shape) at length 0.
        lengths: How far to go, in standard deviations of the class a along each direction.
        count: Number of directions, leading right singular points of `between(a, b, "noise")`.

    Returns:
        Points (count, len(lengths), *shape), the same as the other class, and the singular values.
    """
    f = between(a, b, "noise")
    V, s = f.domain, f.svd(count)
    deviations = a.operator.flow().adjoint(V.encode(s.right)).norm(dim=-1)
    walks = torch.stack(
        [
            torch.stack([V.add(start, V.scale(float(t * deviation), point)) for t in lengths])
            for point, deviation in zip(s.right, deviations, strict=True)
        ]
    )
    return walks, f(walks), s.singular_values


def carried(a: OneStepFlow, targets: Sequence[OneStepFlow], kind: Kind, z: Tensor) -> Tensor:
    """Latents (N, n) of a in another component: of the targets, the one that moves each least."""
    made = torch.stack([_map(a, b, kind)(z - mean(a)) + mean(b) for b in targets])
    nearest = (made - z).square().sum(-1).argmin(0)
    return made[nearest, torch.arange(len(z), device=z.device)]


def _map(a: OneStepFlow, b: OneStepFlow, kind: Kind) -> LinearOperator:
    forth, back = b.operator.flow(), a.operator.flow(1.0, 0.0)
    if kind == "noise":
        return linalg.fuse(forth @ back)
    if kind == "transport":
        return linalg.fuse(forth @ linalg.polar(forth.T @ a.operator.flow()) @ back)
    raise RangeError(f"expected a map by 'noise' or 'transport', got '{kind}'")
