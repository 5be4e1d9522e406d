"""`TransportMap`: from one table to another, and back."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from linearizer.errors import NonFiniteError, ShapeError
from linearizer.sklearn.tables import (
    Array,
    numbers,
    read_rows,
    read_table,
    refuse_categories,
    seed_of,
)
from linearizer.training import DensityConfig, train_transport


class TransportMap(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Carries rows of one table to where those of another lie, and exactly back.

    Between the Gaussians of the latents of one bijection g of both tables the optimal transport A
    is known in closed form. So the map is the Linearizer `g_t⁻¹(A g_s(x))`, with `g_s = g - μ_s`
    and `g_t = g - μ_t`, and its inverse is another. Of standard scores, curves of the columns
    and a trained g the one is taken that carries held-out rows nearest to the target.

    Args:
        depth: Couplings of a trained g; 0 to train none.
        floor: What is added to the variances of the latents, as a share of their mean: what does
            not vary in one of the tables is then stretched no further than that.
        max_iter: Optimizer steps at most; training stops early by itself.
        max_minutes: Time of training at most; no limit if None.
        validation_fraction: Share of the rows that decides when to stop.
        random_state: Of weights, batches and held-out rows.
        verbose: Show a bar of progress.

    Attributes:
        bijection_: g, a `linearizer.Bijection` of float64.
        kind_: Which g was taken: "scores", "curves" or "trained".
        map_: The map, a `linearizer.Linearizer`; `map_.pinv()` leads back.
        n_features_in_: Columns.
        n_iter_: Optimizer steps taken, at least 1.

    Example:
        >>> import numpy as np
        >>> from linearizer.sklearn import TransportMap
        >>> source = np.random.default_rng(0).normal(size=(200, 3))
        >>> target = 2 * np.random.default_rng(1).normal(size=(150, 3)) + 5
        >>> transport = TransportMap(max_iter=50, random_state=0).fit(source, target)
        >>> moved = transport.transform(source)
        >>> bool(abs(moved.mean() - 5) < 0.3)
        True
        >>> bool(abs(transport.inverse_transform(moved) - source).max() < 1e-8)
        True
    """

    def __init__(
        self,
        *,
        depth: int = 4,
        floor: float = 1e-2,
        max_iter: int = 1000,
        max_minutes: float | None = 1.0,
        validation_fraction: float = 0.2,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.depth = depth
        self.floor = floor
        self.max_iter = max_iter
        self.max_minutes = max_minutes
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train g on both tables and find the transport between their latents.

        Args:
            X: The source, (N, n).
            y: The target, (M, n). If not given they are drawn from a Gaussian with the means and
                variances of X; labels (N,), as a pipeline passes on, are not used.

        Raises:
            DtypeError: If a column is no number.
            NonFiniteError: If a value is missing or infinite.
            ShapeError: If the tables differ in their columns.
        """
        source = read_table(self, X, fit=True)
        seed = seed_of(self.random_state)
        target = self._target(y)
        if target is None:
            noise = torch.Generator().manual_seed(seed)
            drawn = torch.randn(source.shape, generator=noise, dtype=source.dtype)
            target = source.mean(0) + source.std(0, correction=0) * drawn
        trained = train_transport(
            source,
            target,
            DensityConfig(depth=self.depth, steps=self.max_iter),
            floor=self.floor,
            held_out=self.validation_fraction,
            max_minutes=self.max_minutes,
            seed=seed,
            verbose=self.verbose,
        )
        self.bijection_, self.map_, self.kind_ = trained.g, trained.map, trained.kind
        self.n_iter_ = max(1, trained.steps)
        return self

    def transform(self, X: Any) -> Array:
        """Rows (N, n) of the source, carried to the target."""
        with torch.no_grad():
            x = read_table(self, X)
            return numbers(self.map_(x))

    def inverse_transform(self, X: Any) -> Array:
        """Rows (N, n) of the target, carried back to the source.

        Raises:
            ShapeError: If they have other columns.
        """
        with torch.no_grad():
            return numbers(self.map_.pinv()(read_rows(self, X, self.n_features_in_)))

    def _target(self, y: Any) -> torch.Tensor | None:
        """The rows of the target, if y are rows."""
        if y is None or np.asarray(y).ndim != 2:
            return None
        refuse_categories(y)
        values = np.asarray(y, dtype=np.float64)
        if values.shape[1] != self.n_features_in_:
            raise ShapeError(
                f"expected a target of {self.n_features_in_} columns, got {values.shape[1]}; both "
                "tables need the same columns"
            )
        if not np.isfinite(values).all():
            raise NonFiniteError(
                "expected finite numbers in the target, got missing or infinite ones; fill them, "
                "or drop the rows"
            )
        return torch.tensor(values)
