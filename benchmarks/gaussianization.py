"""Closed-form layers on top of a trained g that make its latents more Gaussian."""

import torch
from torch import Tensor

import linearizer as lz
from linearizer.bijections import Chain
from linearizer.estimation import MixtureMoments

KNOTS, GRID, ROUNDING = 129, 2049, 0.02
FARTHEST = 8.0
"""Standard deviations beyond which no class is looked at."""


class MarginalTransport(lz.Bijection):
    """`z ↦ z + D (ψ(R z) - R z)` with `R D = I`: monotone maps ψ of some coordinates.

    Each ψ_i is linear between its knots and has slope 1 beyond them, so that the inverse,
    `z ↦ z + D (ψ⁻¹(R z) - R z)`, and `log|det| = Σ log ψ_i'(R z)` are exact.

    Args:
        directions: D, (n, r).
        readout: R, (r, n).
        source: Knots (r, k), increasing.
        target: Where they go, (r, k), increasing.
    """

    def __init__(self, directions: Tensor, readout: Tensor, source: Tensor, target: Tensor) -> None:
        super().__init__(directions.shape[0])
        self.register_buffer("directions", directions)
        self.register_buffer("readout", readout)
        self.register_buffer("source", source)
        self.register_buffer("target", target)

    def _forward(self, x: Tensor) -> Tensor:
        return self._moved(x, self.source, self.target)[0]

    def _inverse(self, z: Tensor) -> Tensor:
        return self._moved(z, self.target, self.source)[0]

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._moved(x, self.source, self.target)

    def _moved(self, z: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        y = z @ self.readout.mT
        rows = y.reshape(-1, y.shape[-1]).mT.contiguous()  # searchsorted wants a row a coordinate
        i = torch.searchsorted(source, rows.detach())
        last = source.shape[1] - 1
        low, high = (i - 1).clamp(0, last), i.clamp(0, last)
        a, b = source.gather(1, low), target.gather(1, low)
        wide, tall = source.gather(1, high) - a, target.gather(1, high) - b
        slope = torch.where(low == high, 1.0, tall / wide.clamp_min(torch.finfo(z.dtype).tiny))
        moved = b + slope * (rows - a)
        change = (moved - rows).mT.reshape(y.shape)
        return z + change @ self.directions.mT, slope.log().sum(0).reshape(y.shape[:-1])


def gaussianized(
    g: lz.Bijection, x: Tensor, labels: Tensor, *, layers: int, count: int | None = None
) -> lz.Bijection:
    """`g` and some layers, each fitted to the latents that those before it leave."""
    z = torch.cat([g(part) for part in x.split(1000)])
    made = []
    for _ in range(layers):
        made.append(fit_transport(z, labels, count))
        z = torch.cat([made[-1](part) for part in z.split(1000)])
    return Chain(g, *made)


@torch.no_grad()
def fit_transport(z: Tensor, labels: Tensor, count: int | None = None) -> MarginalTransport:
    """Transports of the marginals of latents (N, n) to those of one Gaussian for each class.

    The directions are eigenvectors of `E[|r|² r rᵀ]`, r the latents without the means of their
    classes, whitened by the covariance within classes: of a Gaussian it is a multiple of I, so its
    eigenvectors are the axes that latents of independent coordinates would have (FOBI, Cardoso,
    1989). Of them those `count` are taken whose kurtosis differs most from 3; all by default.
    """
    moments = MixtureMoments(z.shape[1]).update(z, labels)
    weights = moments.weights()
    means = torch.stack([moments.mean(label) for label in moments.labels])
    covariances = [moments.covariance(label) for label in moments.labels]
    within = sum(w * C for w, C in zip(weights, covariances, strict=True))
    floor = torch.finfo(torch.float32).eps * within.diagonal().mean()
    P = torch.linalg.cholesky(within + floor * torch.eye(len(within), dtype=within.dtype))
    place = torch.searchsorted(torch.tensor(moments.labels), labels)

    def white(points: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(P.mT, points.double(), upper=True, left=False)

    fourth = torch.zeros_like(within)
    for rows, own in zip(z.split(1000), place.split(1000), strict=True):
        r = white(rows - means[own])
        fourth.addmm_((r.square().sum(1, keepdim=True) * r).mT, r)
    Q = torch.linalg.eigh(fourth).eigenvectors
    residual = torch.cat(
        [white(z_ - means[c]) @ Q for z_, c in zip(z.split(1000), place.split(1000), strict=True)]
    )
    excess = (residual.pow(4).mean(0) / residual.square().mean(0).square() - 3).abs()
    Q = Q[:, excess.argsort(descending=True)[:count]]
    y = torch.cat([white(part) @ Q for part in z.split(1000)])
    levels = (torch.arange(KNOTS, dtype=y.dtype) + 0.5) / KNOTS
    source = torch.stack([column.quantile(levels) for column in y.mT.contiguous()])
    D = P @ Q
    R = torch.linalg.solve_triangular(P.mT, Q, upper=True).mT
    centers = means @ R.mT
    spreads = torch.stack([((R @ C) * R).sum(1) for C in covariances]).sqrt()
    target = mixture_quantiles(levels, weights, centers, spreads)
    normal = torch.special.ndtri(levels)
    source, target = ((1 - ROUNDING) * knots + ROUNDING * normal for knots in (source, target))
    return MarginalTransport(*(t.to(z).contiguous() for t in (D, R, source, target)))


def mixture_quantiles(levels: Tensor, weights: Tensor, centers: Tensor, spreads: Tensor) -> Tensor:
    """Quantiles (r, k) of `Σ_c π_c N(m_c, s_c²)` in each of r coordinates."""
    low = (centers - FARTHEST * spreads).amin(0)
    high = (centers + FARTHEST * spreads).amax(0)
    steps = torch.linspace(0, 1, GRID, dtype=levels.dtype)
    found = []
    for i in range(centers.shape[1]):
        grid = low[i] + (high[i] - low[i]) * steps
        share = torch.special.ndtr((grid[:, None] - centers[:, i]) / spreads[:, i]) @ weights
        j = torch.searchsorted(share, levels).clamp(1, GRID - 1)
        part = (levels - share[j - 1]) / (share[j] - share[j - 1]).clamp_min(1e-300)
        found.append(grid[j - 1] + part.clamp(0, 1) * (grid[j] - grid[j - 1]))
    return torch.stack(found)
