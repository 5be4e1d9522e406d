"""Where the training of linear dynamics begins: at the closed form for the latents of g as it is.

From a random L the training seldom finds what turns; from the best linear system it does.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer.applications.linear_dynamics.lyapunov import lyapunov_metric
from linearizer.bijections import LULinear
from linearizer.estimation import fit_generator
from linearizer.flows import FreeGenerator, Generator

ROWS = 2000
"""Rows that the start is computed from, of trajectories from all over the data."""
ITERATIONS = 30
FASTEST = 10.0
"""Bound on the rates of the start, in units of the usual one: noise looks like quick decay."""
FLAT = 1e-4
"""Size of a direction of the latents, against the largest, below which it says nothing of L."""
STRETCH = 1.5
"""Bound on the absolute log of what the change of basis stretches."""


@torch.no_grad()
def first_generator(
    kind: type[Generator], latents: Sequence[Tensor], times: Sequence[Tensor], rate: float
) -> tuple[Tensor, Generator]:
    """A basis T (n, n), symmetric and positive definite, and the generator of `T z`.

    Generators that are stable or conservative in every basis are the special ones: the
    symmetric part of L must be negative, or zero. The basis makes it so where the eigenvalues
    allow: `T² = M` with `Lᵀ M + M L = -I` (Lyapunov). What they do not allow is cut off. In
    directions that no latent has, L is a random one of its kind.

    Args:
        kind: The class of L.
        latents: (T_i, n) of each trajectory.
        times: (T_i,) of each.
        rate: About how fast things move, per unit of time.
    """
    n = latents[0].shape[1]
    L = _bounded(fit_generator(*_some(latents, times), refinement=ITERATIONS).double(), rate)
    Z = torch.cat([*latents]).double()
    squares, axes = torch.linalg.eigh(Z.mT @ Z)
    flat = axes.mT[squares <= FLAT**2 * squares[-1]]
    drawn = kind.trainable(n, rate=rate).to_dense().double()
    L = L + flat.mT @ (flat @ drawn @ flat.mT) @ flat
    T = torch.eye(n).double() if issubclass(kind, FreeGenerator) else _basis(L, rate)
    return T.to(latents[0]), kind.near((T @ L @ torch.linalg.inv(T)).to(latents[0]), rate=rate)


@torch.no_grad()
def set_matrix(layer: LULinear, T: Tensor) -> None:
    """Make a layer without a permutation `x ↦ T x`, of a symmetric positive definite T."""
    C = torch.linalg.cholesky(T.double())
    pivots = C.diagonal()
    bound = layer.log_scale_bound
    inside = ((2 * pivots.log()) / bound).clamp(-0.999, 0.999)
    layer.lower.copy_((C / pivots).tril(-1))
    layer.upper.copy_((C * pivots).mT.triu(1) + torch.diag(bound * torch.atanh(inside)))


def _some(latents: Sequence[Tensor], times: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Trajectories from all over the data, of not many more rows in all than it takes."""
    every = -(-sum(map(len, latents)) // ROWS)
    chosen = range(0, len(latents), every)
    longest = ROWS * len(latents) // len(chosen)
    return [latents[i][:longest] for i in chosen], [times[i][:longest] for i in chosen]


def _bounded(L: Tensor, rate: float) -> Tensor:
    """L with its rates within bounds: what grows at once would leave all numbers in training."""
    values, vectors = torch.linalg.eig(L)
    real = values.real.clamp(-FASTEST * rate, rate)
    return _with_eigenvalues(L, torch.complex(real, values.imag), vectors)


def _with_eigenvalues(L: Tensor, values: Tensor, vectors: Tensor) -> Tensor:
    """L with other eigenvalues; L itself where the eigenvectors are no basis."""
    found = (vectors @ torch.diag(values) @ torch.linalg.pinv(vectors)).real
    return found if bool(found.isfinite().all()) else L


def _basis(L: Tensor, rate: float) -> Tensor:
    """`M^{1/2}` of the Lyapunov metric M of L, once its eigenvalues are stable ones."""
    values, vectors = torch.linalg.eig(L)
    stable = torch.complex(values.real.clamp_max(-0.01 * rate), values.imag)
    L = _with_eigenvalues(L, stable, vectors)
    L = L - max(0.0, 0.01 * rate + float(torch.linalg.eigvals(L).real.max())) * torch.eye(len(L))
    sizes, axes = torch.linalg.eigh(lyapunov_metric(L))
    logs = sizes.log() / 2
    return axes @ torch.diag((logs - logs.mean()).clamp(-STRETCH, STRETCH).exp()) @ axes.mT
