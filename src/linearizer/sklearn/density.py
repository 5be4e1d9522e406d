"""`FlowDensity`: the exact density of a table, and new rows."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.errors import RangeError, ShapeError
from linearizer.sklearn.tables import BATCH, Array, numbers, read_table, seed_of
from linearizer.training import DensityConfig, train_density


class FlowDensity(DensityMixin, BaseEstimator):
    """The density of a table, `p(x) = N(g(x); μ, C) |det J_g(x)|`, exact, with samples.

    g is a bijection trained by likelihood, which starts as curves of the columns and a whitening,
    and stays that where held-out rows are not more likely by a trained one. With labels there is
    a Gaussian for each class on one g.

    Args:
        depth: Couplings of g; 0 for the Gaussian of the columns' curves.
        max_iter: Optimizer steps at most; training stops early by itself.
        max_minutes: Time of training at most; no limit if None.
        validation_fraction: Share of the rows that decides when to stop.
        random_state: Of weights, batches and held-out rows.
        verbose: Show a bar of progress.

    Attributes:
        bijection_: g, a `linearizer.Bijection` of float64.
        model_: The `OneStepFlow`, or with labels the `ConditionalFlow`.
        gain_: Nats by which held-out rows are more likely by training; 0 if it was left out.
        classes_: The labels, if there were some.
        n_features_in_: Columns.
        n_iter_: Optimizer steps taken, at least 1.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from linearizer.sklearn import FlowDensity
        >>> X, y = load_iris(return_X_y=True)
        >>> density = FlowDensity(max_iter=50, random_state=0).fit(X, y)
        >>> density.score_samples(X[:2]).shape, density.sample(3, label=1).shape
        ((2,), (3, 4))
    """

    def __init__(
        self,
        *,
        depth: int = 4,
        max_iter: int = 1000,
        max_minutes: float | None = 1.0,
        validation_fraction: float = 0.2,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.depth = depth
        self.max_iter = max_iter
        self.max_minutes = max_minutes
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train g on a table (N, n) and, if given, take a Gaussian for each class of labels (N,).

        Raises:
            DtypeError: If a column is no number.
            NonFiniteError: If a value is missing or infinite.
            ShapeError: If there is not one label for each row.
        """
        x = read_table(self, X, fit=True)
        trained = train_density(
            x,
            DensityConfig(depth=self.depth, steps=self.max_iter),
            held_out=self.validation_fraction,
            max_minutes=self.max_minutes,
            seed=seed_of(self.random_state),
            verbose=self.verbose,
        )
        self.bijection_, self.gain_, self.n_iter_ = trained.g, trained.gain, max(1, trained.steps)
        if y is None:
            self.model_: OneStepFlow | ConditionalFlow = OneStepFlow.fit(trained.g, x.split(BATCH))
            self.__dict__.pop("classes_", None)
            return self
        labels = column_or_1d(y)
        if len(labels) != len(x):
            raise ShapeError(f"expected a label for each of {len(x)} rows, got {len(labels)}")
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self.model_ = ConditionalFlow.fit(trained.g, x, torch.tensor(codes))
        return self

    def score_samples(self, X: Any) -> Array:
        """The log-density (N,) of rows (N, n), in nats, in the units of the table."""
        x = read_table(self, X)
        with torch.no_grad():
            return numbers(torch.cat([self.model_.log_prob(part) for part in x.split(BATCH)]))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log-density of rows."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, *, label: Any = None, random_state: Any = None) -> Array:
        """New rows (n_samples, n), of one class if a label is given.

        Raises:
            RangeError: If there is no such class.
        """
        check_is_fitted(self)
        seed = seed_of(self.random_state if random_state is None else random_state)
        if label is None:
            return numbers(self.model_.sample(n_samples, seed=seed))
        classes = list(getattr(self, "classes_", []))
        if label not in classes or not isinstance(self.model_, ConditionalFlow):
            raise RangeError(f"expected a label of {classes}, got {label!r}; fit with labels y")
        drawn = self.model_.sample(n_samples, label=classes.index(label), seed=seed)
        return numbers(drawn)
