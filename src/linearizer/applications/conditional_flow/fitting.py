"""Fitting the components of a conditional flow: the moments of latents, and flows of them."""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from linearizer._arrays import Array, as_tensor
from linearizer._checks import check_between
from linearizer.applications.one_step_flow import OneStepFlow
from linearizer.bijections import Bijection, Centering, Chain, Identity
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation import MixtureMoments, clusters
from linearizer.estimation.latents import BATCH, latent_length, latents_of
from linearizer.flows import CovarianceFlow, PrincipalCovarianceFlow, TimeDependentOperator

Labeled = Iterable[tuple[Tensor, Tensor, Tensor]]
"""Batches of points, the components that they belong to, and their latents."""


def measure(
    g: Bijection,
    labeled: Labeled,
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
    for x, components, z in labeled:
        clean.update(z, components)
        like = z.new_zeros(())
        if noise:
            drawn = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
            noisy.update(latents_of(g, x + noise * drawn), components)
    return clean, noisy if noise else None, like


def parts(
    g: Bijection, moments: MixtureMoments, rank: int | None, like: Tensor
) -> tuple[list[OneStepFlow], Tensor, OneStepFlow]:
    """The components, their weights and the pooled flow of moments, in the dtype of a number."""
    noise = Identity(g.out_shape)

    def flow(component: int | None) -> OneStepFlow:
        operator = _operator(moments, component, rank, like)
        return OneStepFlow(Chain(g, Centering(moments.mean(component).to(like))), operator, noise)

    return [flow(i) for i in moments.labels], moments.weights().to(like), flow(None)


def _operator(
    moments: MixtureMoments, component: int | None, rank: int | None, like: Tensor
) -> TimeDependentOperator:
    """The flow from N(0, I) to the covariance of a component, or of all."""
    if rank is None:
        C1 = moments.covariance(component).to(like)
        return CovarianceFlow.from_covariances(torch.eye(len(C1), out=torch.empty_like(C1)), C1)
    directions, variances = (x.to(like) for x in moments.components(component))
    smallest = torch.finfo(variances.dtype).eps * len(directions) * variances[0]
    return PrincipalCovarianceFlow(directions, variances.clamp_min(smallest))


def label(
    g: Bijection,
    data: Tensor | Array | Iterable[tuple[Tensor | Array, Tensor | Array]],
    labels: Tensor | Array | None,
    components: int | None,
    seed: int,
) -> tuple[Labeled, dict[int, int]]:
    """Data by component: by their labels, by clusters, or by clusters within each label.

    Returns:
        The data, and the labels of components whose numbers are not their labels themselves.

    Raises:
        RangeError: If there is nothing to tell components by, or more of them than points.
        ShapeError: If there is not one label for each point.
    """
    if not isinstance(data, Tensor | np.ndarray):
        if labels is not None or components is not None:
            raise RangeError("expected labels in the batches alone, got more; give points (N, ...)")
        tensors = ((as_tensor(x, g), as_tensor(y, g)) for x, y in data)
        return ((x, y, g(x)) for x, y in tensors), {}
    data, labels = as_tensor(data, g), None if labels is None else as_tensor(labels, g)
    if labels is None and components is None:
        raise RangeError("expected labels or a number of components, got neither; give one of them")
    if labels is not None and labels.shape != data.shape[:1]:
        raise ShapeError(
            f"expected one label for each of {len(data)} points, got {tuple(labels.shape)}"
        )
    if components is None:
        assert labels is not None, "one of the two is given"
        batches = zip(data.split(BATCH), labels.split(BATCH), strict=True)
        return ((x, y, g(x)) for x, y in batches), {}
    z = latents_of(g, data)
    if labels is None:
        return [(data, clusters(z, components, seed), z)], {}
    found, owners = torch.empty_like(labels), dict[int, int]()
    for value in labels.unique().tolist():
        rows = labels == value
        found[rows] = len(owners) + clusters(z[rows], components, seed)
        owners.update({len(owners) + i: value for i in range(components)})
    return [(data, found, z)], owners
