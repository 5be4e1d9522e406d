"""Fitting the components of a conditional flow: the moments of latents, and flows of them."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.applications.one_step_flow import OneStepFlow
from linearizer.bijections import Bijection, Centering, Chain, Identity
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation import MixtureMoments, clusters
from linearizer.estimation.latents import latent_length
from linearizer.flows import CovarianceFlow, PrincipalCovarianceFlow, TimeDependentOperator

BATCH = 1000
"""Points that go through g at a time."""


def measure(
    g: Bijection,
    data: Tensor | Iterable[tuple[Tensor, Tensor]],
    labels: Tensor | None,
    components: int | None,
    rank: int | None,
    shrinkage: float | None,
    noise: float,
    density_shrinkage: float | None,
    seed: int,
) -> tuple[MixtureMoments, MixtureMoments | None, Tensor]:
    """The moments of latents of data as they are and, if there is noise, of data with it.

    The arguments are those of `ConditionalFlow.fit`.

    Returns:
        Both, and one number of the dtype and on the device of the latents.
    """
    check_between(noise, 0.0, math.inf, "the standard deviation of the noise")
    n = latent_length(g)
    clean = MixtureMoments(n, rank, shrinkage)
    noisy = MixtureMoments(n, rank, 4.0 * n if density_shrinkage is None else density_shrinkage)
    like, generator = torch.zeros(()), torch.Generator().manual_seed(seed)
    for x, y, z in _labeled(g, data, labels, components, seed):
        clean.update(z, y)
        like = z.new_zeros(())
        if noise:
            drawn = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
            noisy.update(g(x + noise * drawn), y)
    return clean, noisy if noise else None, like


def parts(
    g: Bijection, moments: MixtureMoments, rank: int | None, like: Tensor
) -> tuple[list[OneStepFlow], list[int], Tensor, OneStepFlow]:
    """The components, labels, weights and pooled flow of moments, in the dtype of a number."""
    noise = Identity(g.out_shape)

    def flow(label: int | None) -> OneStepFlow:
        operator = _operator(moments, label, rank, like)
        return OneStepFlow(Chain(g, Centering(moments.mean(label).to(like))), operator, noise)

    names = moments.labels
    return [flow(name) for name in names], names, moments.weights().to(like), flow(None)


def _operator(
    moments: MixtureMoments, label: int | None, rank: int | None, like: Tensor
) -> TimeDependentOperator:
    """The flow from N(0, I) to the covariance of a class, or of all."""
    if rank is None:
        C1 = moments.covariance(label).to(like)
        return CovarianceFlow.from_covariances(torch.eye(len(C1), out=torch.empty_like(C1)), C1)
    directions, variances = (x.to(like) for x in moments.components(label))
    smallest = torch.finfo(variances.dtype).eps * len(directions) * variances[0]
    return PrincipalCovarianceFlow(directions, variances.clamp_min(smallest))


def _labeled(
    g: Bijection,
    data: Tensor | Iterable[tuple[Tensor, Tensor]],
    labels: Tensor | None,
    components: int | None,
    seed: int,
) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """Batches of points, their labels, or clusters where there are none, and their latents."""
    if not isinstance(data, Tensor):
        if labels is not None or components is not None:
            raise RangeError("expected labels in the batches alone, got more; give points (N, ...)")
        return ((x, y, g(x)) for x, y in data)
    if (labels is None) == (components is None):
        got = "neither" if labels is None else "both"
        raise RangeError(f"expected labels or a number of components, got {got}; give one of them")
    if labels is None:
        assert components is not None, "one of the two is given"
        z = torch.cat([g(x) for x in data.split(BATCH)])
        return [(data, clusters(z, components, seed), z)]
    if labels.shape != data.shape[:1]:
        raise ShapeError(
            f"expected one label for each of {len(data)} points, got {tuple(labels.shape)}"
        )
    batches = zip(data.split(BATCH), labels.split(BATCH), strict=True)
    return ((x, y, g(x)) for x, y in batches)
