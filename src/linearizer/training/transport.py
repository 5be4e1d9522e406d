"""A g for the transport between two tables, and the transport: `train_transport`."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._checks import check_between, check_finite
from linearizer.bijections import Bijection, Centering, Chain, Whitening
from linearizer.errors import ShapeError
from linearizer.estimation import Moments, fit_marginals, gaussian_transport
from linearizer.estimation.latents import latents_of
from linearizer.linearizer import Linearizer
from linearizer.metrics import energy_distance
from linearizer.operators import Dense
from linearizer.training.density import DensityConfig, train_density
from linearizer.training.rows import split_rows

MOST = 2000
"""Rows of each table that candidates are compared on."""


class TrainedTransport(NamedTuple):
    """The transport between two tables.

    Attributes:
        map: `g_t⁻¹ A g_s`, with the g of both and their means of the latents.
        g: The bijection of both.
        kind: Which candidate it is: "scores", "curves" or "trained".
        distances: The energy distance of each candidate, on held-out rows in standard scores.
        steps: Optimizer steps that were taken.
    """

    map: Linearizer
    g: Bijection
    kind: str
    distances: dict[str, float]
    steps: int


def train_transport(
    source: Tensor,
    target: Tensor,
    config: DensityConfig | None = None,
    *,
    floor: float = 1e-2,
    held_out: float = 0.2,
    max_minutes: float | None = None,
    seed: int = 0,
    verbose: bool = False,
) -> TrainedTransport:
    """The Gaussian optimal transport between the latents of two tables, of one g for both.

    Of three g the one is taken that carries held-out rows of the source nearest to those of the
    target, by their energy distance: standard scores, the curves of the columns, and these with
    couplings trained by likelihood on both tables. The last is `w⁻¹ ∘ couplings ∘ w ∘ curves`, with
    w the whitening that they are trained in: so lengths of latents stay those of columns.

    Args:
        source: Rows (N, n).
        target: Rows (M, n).
        config: What is trained, and how; `depth=0` leaves the last candidate out.
        floor: As of `estimation.gaussian_transport`: no direction is stretched from less than that.
        held_out: Share of the rows that decides.
        max_minutes: Stop training after this time even if steps are left.
        seed: Of weights, batches and what is held out.
        verbose: Show a bar of progress.

    Raises:
        ShapeError: If there are not two tables of as many columns, of at least two rows.
        NonFiniteError: If there is NaN or infinity.
        RangeError: If an option is out of range.

    Example:
        >>> import torch
        >>> from linearizer.training import DensityConfig, train_transport
        >>> source, target = torch.randn(200, 3).double(), 2 * torch.randn(300, 3).double() + 5
        >>> transport = train_transport(source, target, DensityConfig(depth=0))
        >>> moved = transport.map(source)
        >>> bool((moved.mean(0) - target.mean(0)).abs().max() < 0.5)
        True
        >>> bool((transport.map.pinv()(moved) - source).abs().max() < 1e-8)
        True
    """
    config = DensityConfig() if config is None else config
    check_between(held_out, 0.01, 0.9, "the share that is held out")
    shapes = tuple(source.shape), tuple(target.shape)
    if source.ndim != 2 or target.ndim != 2 or shapes[0][1:] != shapes[1][1:]:
        raise ShapeError(f"expected rows (N, n) and (M, n), got {shapes[0]} and {shapes[1]}")
    if min(len(source), len(target)) < 2:
        raise ShapeError(f"expected at least two rows of each, got {shapes[0]} and {shapes[1]}")
    both = torch.cat([source, target])
    check_finite(both, "the rows")
    scores = fit_marginals(both, strength=0.0, knots=2)
    curves = fit_marginals(both, strength=config.strength, knots=config.knots)
    candidates: dict[str, Bijection] = {"scores": scores, "curves": curves}
    steps = 0
    if config.depth:
        options = {"held_out": held_out, "max_minutes": max_minutes, "seed": seed}
        trained = train_density(both, config, verbose=verbose, **options)  # type: ignore[arg-type]
        steps = trained.steps
        whitening = trained.base.bijections[1]
        if trained.gain and isinstance(whitening, Whitening):
            candidates["trained"] = Chain(trained.g, whitening.inv)
    parts = [_split(rows, held_out, seed) for rows in (source, target)]
    distances = {}
    for kind, g in candidates.items():
        carried = transport_between(g, parts[0][0], parts[1][0], floor)(parts[0][1])
        distance = energy_distance(latents_of(scores, carried), latents_of(scores, parts[1][1]))
        distances[kind] = distance if math.isfinite(distance) else math.inf
    kind = min(distances, key=lambda name: distances[name])
    g = candidates[kind]
    return TrainedTransport(transport_between(g, source, target, floor), g, kind, distances, steps)


@torch.no_grad()
def transport_between(g: Bijection, source: Tensor, target: Tensor, floor: float) -> Linearizer:
    """The optimal transport between the Gaussians of the latents of two tables."""
    n = source.shape[1]
    start, end = (Moments(n).update(latents_of(g, rows)) for rows in (source, target))
    A = gaussian_transport(start.covariance(), end.covariance(), floor=floor).to(source)
    means = (Centering(moments.mean().to(source)) for moments in (start, end))
    before, after = (Chain(g, centering) for centering in means)
    return Linearizer(before, Dense(A), after)


def _split(rows: Tensor, held_out: float, seed: int) -> tuple[Tensor, Tensor]:
    """What a candidate is fitted on, and what it is compared on: all rows, where there are few."""
    if len(rows) < 40:
        return rows, rows
    train, held = split_rows(rows, held_out, seed)
    return train, held[:MOST]
