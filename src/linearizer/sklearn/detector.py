"""`LinearizerDetector`: outliers, the normal row nearest to each, and what makes it one."""

import math
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from torch import Tensor

from linearizer._checks import check_between
from linearizer.bijections import Bijection, Chain
from linearizer.errors import RangeError
from linearizer.estimation.latents import latents_of
from linearizer.sklearn.neighbors import mean_of_nearest, nearest, spread
from linearizer.sklearn.tables import BATCH, Array, numbers, read_table, seed_of
from linearizer.training import DensityConfig, train_density

SCORES = ("both", "likelihood", "distance")
REFERENCES = 10_000
"""Rows that distances are measured to, at most."""
STRENGTH = 0.25
"""Of the curves of the columns: distances between rows are kept for the most part."""
WEIGHTS = (1.0, 0.5)
"""Of the logarithms of distances in the space of the curves, and in that of g."""
OF_LIKELIHOOD = 0.25
"""Weight of the likelihood, on a scale that is logarithmic far from its median."""
ALL = (*WEIGHTS, OF_LIKELIHOOD)


class LinearizerDetector(OutlierMixin, BaseEstimator):
    """Outliers of a table, by their likelihood and their distance to the normal rows.

    A bijection g is trained as in `FlowDensity`. A row is odd if its exact density
    `N(g(x)) |det J_g(x)|` is low, or if the nearest rows of the fit are far from it in the induced
    spaces: of the curves of the columns, which g begins with, and of g. Logarithms of distances are
    added, so that none needs a unit; a row is no neighbor of its own.

    Args:
        by: What tells outliers: "likelihood", "distance", or "both".
        contamination: Share of outliers in the rows of the fit, above 0 and up to .5; `predict`
            finds so many of them.
        trim: Share of the rows that are left out again, the oddest by both scores, and g trained
            anew: for rows with outliers among them, such as .1, which takes twice the time.
        n_neighbors: Nearest rows whose distances are averaged.
        depth: Couplings of g; 0 for curves of the columns and a Gaussian.
        max_iter: Optimizer steps at most; training stops early by itself.
        max_minutes: Time of training at most; no limit if None.
        validation_fraction: Share of the rows that decides when to stop.
        random_state: Of weights, batches, held-out rows and, of many, those that distances are
            measured to.
        verbose: Show a bar of progress.

    Attributes:
        bijection_: g, a `linearizer.Bijection` of float64.
        offset_: Scores below it are outliers.
        gain_: Nats by which held-out rows are more likely by training; 0 if it was left out.
        n_features_in_: Columns.
        n_iter_: Optimizer steps taken, at least 1.

    Example:
        >>> import numpy as np
        >>> from linearizer.sklearn import LinearizerDetector
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> detector = LinearizerDetector(contamination=0.05, max_iter=50, random_state=0).fit(X)
        >>> odd = np.array([[0.0, 9.0, 0.0]])
        >>> detector.predict(odd), int(detector.explain(odd).argmax())
        (array([-1]), 1)
    """

    def __init__(
        self,
        *,
        by: str = "both",
        contamination: float = 0.05,
        trim: float = 0.0,
        n_neighbors: int = 5,
        depth: int = 4,
        max_iter: int = 1000,
        max_minutes: float | None = 1.0,
        validation_fraction: float = 0.2,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.by = by
        self.contamination = contamination
        self.trim = trim
        self.n_neighbors = n_neighbors
        self.depth = depth
        self.max_iter = max_iter
        self.max_minutes = max_minutes
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train g on a table (N, n), best of normal rows alone; labels are not used.

        Raises:
            DtypeError: If a column is no number.
            NonFiniteError: If a value is missing or infinite.
            RangeError: If a parameter is out of range.
        """
        if self.by not in SCORES:
            raise RangeError(f"expected by to be one of {', '.join(SCORES)}, got {self.by!r}")
        check_between(self.contamination, 1e-9, 0.5, "the contamination")
        check_between(self.n_neighbors, 1, 1000, "n_neighbors")
        check_between(self.trim, 0.0, 0.5, "the share to trim")
        x = read_table(self, X, fit=True)
        seed = seed_of(self.random_state)
        self._learn(x, seed)
        if self.trim:
            scores = np.concatenate([-(self._terms(part) @ ALL) for part in x.split(BATCH)])
            kept = scores > np.quantile(scores, self.trim)
            if kept.sum() >= max(2, len(x) / 2):  # not of rows that are all alike
                self._learn(x[torch.from_numpy(kept)], seed)
        known = x[_chosen(len(x), seed)]
        self.offset_ = float(np.quantile(self._scores(known), self.contamination))
        return self

    def _learn(self, x: Tensor, seed: int) -> None:
        """Train g on rows, and measure what scores are made of in them."""
        trained = train_density(
            x,
            DensityConfig(strength=STRENGTH, depth=self.depth, steps=self.max_iter),
            held_out=self.validation_fraction,
            max_minutes=self.max_minutes,
            seed=seed,
            verbose=self.verbose,
        )
        self.bijection_, self.gain_, self.n_iter_ = trained.g, trained.gain, max(1, trained.steps)
        self.references_ = x[_chosen(len(x), seed)]
        self.curved_, self.latents_, energies = self._latents(self.references_)
        k = min(self.n_neighbors, len(self.references_) - 1)
        spaces = numbers(self.curved_), numbers(self.latents_)
        distances = [nearest(z, z, k)[0].mean(1) for z in spaces]
        self.units_ = np.array([max(float(np.median(d)), 1e-12) for d in distances])
        self.center_, self.spread_ = float(np.median(energies)), spread(energies)
        self.scales_ = self._moves(self.references_).std(0) + 1e-6 * (1 + numbers(x.std(0)))

    def score_samples(self, X: Any) -> Array:
        """How normal rows (N, n) are, (N,): the lower, the odder.

        By likelihood it is the log-density, in nats. By distance it is `-(log d_c + ½ log d_g)`,
        with the mean distances to the nearest rows in both spaces, in units of those between rows
        of the fit. Of both it is that minus `¼ sign(e) log(1 + |e|)`, where e is by how much the
        log-density is below the median of the fit, in distances between its quartiles.
        """
        return self._scores(read_table(self, X))

    def decision_function(self, X: Any) -> Array:
        """`score_samples(X) - offset_`: below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Any:
        """-1 for outliers, 1 for normal rows, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def nearest_normal(self, X: Any) -> Array:
        """The normal row (N, n) next to each: the mean of the nearest rows, in the induced space.

        `⊕_i (1/k) ⊙ x_i = g⁻¹(mean g(x_i))`, of the rows that are nearest by all columns.
        """
        x = read_table(self, X)
        return numbers(x) - self._moves(x)

    def explain(self, X: Any) -> Array:
        """By how much each column is odd, (N, n): its way to the nearest normal row.

        `(x - nearest_normal(x)) / scale`, with the spread of these ways in the rows of the fit as
        the scale of a column. The largest absolute values name the columns that make a row odd.
        """
        return self._moves(read_table(self, X)) / self.scales_

    def _scores(self, x: Tensor) -> Array:
        return np.concatenate([self._scores_of(part) for part in x.split(BATCH)])

    def _scores_of(self, x: Tensor) -> Array:
        if self.by == "likelihood":
            return -self._latents(x)[2]
        terms = self._terms(x)
        if self.by == "distance":
            return -(terms[:, :2] @ WEIGHTS)
        return -(terms @ ALL)

    def _terms(self, x: Tensor) -> Array:
        """What is added to a score, without weights, (N, 3): both distances and the likelihood."""
        curved, latents, energies = self._latents(x)
        k = min(self.n_neighbors, len(self.references_) - 1)
        spaces = zip((self.curved_, self.latents_), (curved, latents), self.units_, strict=True)
        terms = [
            np.log(nearest(numbers(references), numbers(z), k)[0].mean(1) / unit + 1e-2)
            for references, z, unit in spaces
        ]
        above = (energies - self.center_) / self.spread_
        return np.stack([*terms, np.sign(above) * np.log1p(np.abs(above))], 1)

    def _latents(self, x: Tensor) -> tuple[Tensor, Tensor, Array]:
        """Rows in the space of the curves, in that of g, and minus their log-densities."""
        curves, rest = _parts(self.bijection_)
        with torch.no_grad():
            curved, first = curves.forward_and_log_det(x)
            z, second = rest.forward_and_log_det(curved)
            constant = 0.5 * math.log(2 * math.pi) * x.shape[1]
            return curved, z, numbers(0.5 * z.square().sum(1) - first - second + constant)

    @torch.no_grad()
    def _moves(self, x: Tensor) -> Array:
        """From the nearest normal row to each row, (N, n)."""
        curves, _ = _parts(self.bijection_)
        k = min(self.n_neighbors, len(self.references_) - 1)
        _, found = nearest(numbers(self.curved_), numbers(latents_of(curves, x)), k)
        means = mean_of_nearest(self.latents_, found)
        return numbers(x - latents_of(self.bijection_.inv, means))


def _chosen(count: int, seed: int) -> Tensor:
    """The places of rows that distances are measured to, in order: all, or some at random."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[:REFERENCES].sort().values


def _parts(g: Chain) -> tuple[Bijection, Bijection]:
    """The curves of the columns, and what comes after them."""
    curves, rest = g.bijections
    assert isinstance(curves, Bijection)
    assert isinstance(rest, Bijection)
    return curves, rest
