"""`NonlinearPCA`: components with an exact inverse."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from linearizer.bijections import Centering, Chain
from linearizer.errors import RangeError
from linearizer.estimation import Moments
from linearizer.estimation.latents import latents_of
from linearizer.linearizer import Linearizer
from linearizer.operators import OrthogonalProjection
from linearizer.sklearn.tables import BATCH, Array, numbers, read_rows, read_table, seed_of
from linearizer.training import ComponentsConfig, train_components


class NonlinearPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Principal components of the latents of a bijection g, which bends where the table bends.

    `transform` gives coordinates `Qᵀ g(x)`, `inverse_transform` the points `g⁻¹(Q c)`, so that both
    together are the projection `g⁻¹(Q Qᵀ g(x))`: linear and idempotent in the induced space. With
    all components nothing is lost but rounding. Training starts at PCA of standard scores and
    stays there where held-out rows are not reconstructed better.

    Args:
        n_components: How many; a share between 0 and 1 of the variance in the induced space; or
            "all".
        max_iter: Optimizer steps at most; training stops early by itself.
        max_minutes: Time of training at most; no limit if None.
        validation_fraction: Share of the rows that decides when to stop.
        random_state: Of weights, batches and held-out rows.
        verbose: Show a bar of progress.

    Attributes:
        bijection_: g, a `linearizer.Bijection` of float64, whose zero is the mean of the latents.
        projection_: The projection, a `linearizer.Linearizer`.
        components_: Q, (n_components_, n), orthonormal rows in the latent space.
        explained_variance_: Variances of the coordinates, in the induced space.
        explained_variance_ratio_: Their shares of the variance of all latents.
        gain_: Share of PCA's error on held-out rows that is saved; 0 if it is PCA.
        n_components_: How many.
        n_features_in_: Columns.
        n_iter_: Optimizer steps taken, at least 1.

    Example:
        >>> import numpy as np
        >>> from linearizer.sklearn import NonlinearPCA
        >>> t = np.random.default_rng(0).normal(size=(500, 1))
        >>> X = np.hstack([t, t**2])
        >>> pca = NonlinearPCA(1, max_iter=300, random_state=0).fit(X)
        >>> pca.transform(X).shape, pca.inverse_transform(pca.transform(X)).shape
        ((500, 1), (500, 2))
    """

    def __init__(
        self,
        n_components: int | float | str = 2,
        *,
        max_iter: int = 600,
        max_minutes: float | None = 1.0,
        validation_fraction: float = 0.2,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.max_minutes = max_minutes
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train g on a table (N, n), and find the components of its latents.

        Raises:
            DtypeError: If a column is no number.
            NonFiniteError: If a value is missing or infinite.
            RangeError: If there are not so many components.
        """
        x = read_table(self, X, fit=True)
        n = x.shape[1]
        trained = train_components(
            x,
            self._ranks(n),
            ComponentsConfig(steps=self.max_iter),
            held_out=self.validation_fraction,
            max_minutes=self.max_minutes,
            seed=seed_of(self.random_state),
            verbose=self.verbose,
        )
        moments = Moments(n)
        with torch.no_grad():
            for part in x.split(BATCH):
                moments.update(trained.g(part))
        covariance = moments.covariance()
        kept = self._count(covariance.diagonal(), n)
        values, turn = torch.linalg.eigh(covariance[:kept, :kept])
        basis = torch.zeros(kept, n, dtype=x.dtype)
        basis[:, :kept] = turn.flip(1).mT
        # Zero stands for what is left out: the mean of the others stays as it was trained.
        mean = torch.where(torch.arange(n) < kept, moments.mean(), 0.0)
        g = Chain(trained.g, Centering(mean))
        self.bijection_, self.gain_, self.n_iter_ = g, trained.gain, max(1, trained.steps)
        self.projection_ = Linearizer(g, OrthogonalProjection(basis.mT.contiguous()), g)
        self.components_ = numbers(basis)
        self.n_components_ = kept
        variances = values.flip(0).clamp_min(0)
        total = covariance.diagonal().sum().clamp_min(torch.finfo(x.dtype).tiny)
        self.explained_variance_ = numbers(variances)
        self.explained_variance_ratio_ = numbers(variances / total)
        return self

    @torch.no_grad()
    def transform(self, X: Any) -> Array:
        """The coordinates (N, n_components_) of rows (N, n)."""
        x = read_table(self, X)
        return numbers(latents_of(self.bijection_, x) @ torch.tensor(self.components_).mT)

    @torch.no_grad()
    def inverse_transform(self, X: Any) -> Array:
        """The rows (N, n) of coordinates (N, n_components_).

        Raises:
            ShapeError: If there are not so many coordinates.
        """
        codes = read_rows(self, X, self.n_components_)
        z = codes @ torch.tensor(self.components_)
        return numbers(latents_of(self.bijection_.inv, z))

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _ranks(self, n: int) -> list[int]:
        """The numbers of components to train for: the one asked for, or all powers of two."""
        wanted = self.n_components
        if isinstance(wanted, int | np.integer) and not isinstance(wanted, bool):
            if not 1 <= wanted <= n:
                raise RangeError(
                    f"expected n_components between 1 and the {n} columns, got {wanted}"
                )
            return [int(wanted)] if wanted < n else []
        if wanted == "all" or (isinstance(wanted, float) and 0 < wanted < 1):
            return [2**i for i in range(n.bit_length()) if 2**i < min(n, 64)]
        raise RangeError(
            f"expected n_components to be a whole number, a share below 1 or 'all', got {wanted!r}"
        )

    def _count(self, variances: torch.Tensor, n: int) -> int:
        """How many latents are kept, of the variances of all."""
        if self.n_components == "all":
            return n
        if isinstance(self.n_components, float):
            shares = variances.cumsum(0) / variances.sum().clamp_min(1e-300)
            return min(n, 1 + int((shares < self.n_components).sum()))
        return int(self.n_components)
