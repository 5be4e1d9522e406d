"""Moments of latents class by class, and classes where there are none."""

import torch
from torch import Tensor

from linearizer._checks import check_between, check_finite
from linearizer._extras import needs_extra
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation.gaussian_mixture import GaussianMixture
from linearizer.estimation.moments import Moments, PrincipalMoments

EXACT = 1024
"""Length of vectors up to which the whole covariance costs less than a sketch of it."""


class MixtureMoments:
    """Accumulates labeled vectors: count, mean and covariance of each class and of all.

    A class of few vectors borrows from the others. With N_c vectors of covariance C_c and the
    covariance within classes `C = Σ_c N_c C_c / N`, that of the class is
    `(N_c C_c + α C) / (N_c + α)`. With a rank, each class keeps the leading directions of that
    and one variance for all others. Of vectors longer than 1024, no n × n matrix is then made,
    and what a class borrows is the mean variance within classes.

    Args:
        n: Length of the vectors.
        rank: Directions that each class keeps, below n; its whole covariance if not given.
        shrinkage: α, the vectors that C counts for; n if not given.

    Example:
        >>> import torch, linearizer as lz
        >>> z, labels = torch.randn(60, 3), torch.arange(60) % 2
        >>> moments = lz.estimation.MixtureMoments(3).update(z, labels)
        >>> moments.labels, moments.weights()
        ([0, 1], tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    def __init__(self, n: int, rank: int | None = None, shrinkage: float | None = None) -> None:
        self._n, self._rank = n, rank
        self._shrinkage = float(n) if shrinkage is None else shrinkage
        check_between(self._shrinkage, 0.0, float("inf"), "the shrinkage")
        if rank is not None:
            check_between(rank, 1, n - 1, f"the number of principal components of {n} dimensions")
        self._all = self._new()
        self._classes: dict[int, Moments | PrincipalMoments] = {}

    def update(self, z: Tensor, labels: Tensor) -> "MixtureMoments":
        """Add vectors (N, n) of classes (N,).

        Raises:
            ShapeError: If there is not one label for each vector.
            NonFiniteError: If there is NaN or infinity.
        """
        if labels.shape != z.shape[:1]:
            raise ShapeError(f"expected {len(z)} labels, got {tuple(labels.shape)}")
        self._all.update(z)
        for label in labels.unique().tolist():
            self._classes.setdefault(label, self._new()).update(z[labels == label])
        return self

    @property
    def exact(self) -> bool:
        """Whether the whole covariances are known, or sketches of them."""
        return self._rank is None or self._n <= EXACT

    @property
    def labels(self) -> list[int]:
        """The classes, in order."""
        return sorted(self._classes)

    def weights(self) -> Tensor:
        """The share of each class, (K,)."""
        counts = [float(self._classes[label].count) for label in self.labels]
        return torch.tensor(counts, dtype=torch.float64) / sum(counts)

    def mean(self, label: int | None) -> Tensor:
        """The mean (n,) of a class, or of all."""
        return self._part(label).mean()

    def covariance(self, label: int | None) -> Tensor:
        """The covariance (n, n) of a class, which borrows from the others, or of all."""
        part = self._part(label)
        assert isinstance(part, Moments), "a sketch was kept"
        if label is None:
            return part.covariance()
        within = torch.zeros_like(part.covariance())
        for other in self._classes.values():  # one after another: each is n × n
            within += other.covariance() * (other.count / self._all.count)  # type: ignore
        a = self._shrinkage
        return (part.count * part.covariance() + a * within) / (part.count + a)

    def components(self, label: int | None) -> tuple[Tensor, Tensor]:
        """Directions (n, r) and variances (r + 1,) of a class, or of all; the last of the rest."""
        assert self._rank is not None, "no rank was given"
        part = self._part(label)
        if isinstance(part, Moments):
            values, vectors = torch.linalg.eigh(self.covariance(label))
            others, leading = values[: -self._rank], values[-self._rank :].flip(0)
            variances = torch.cat([leading, others.mean()[None]]).clamp_min(0)
            return vectors[:, -self._rank :].flip(1).contiguous(), variances
        directions, variances = part.components()
        if label is None:
            return directions, variances
        traces = [self._trace(m) * m.count for m in self._classes.values()]  # type: ignore
        within = sum(traces) / (self._all.count * self._n)
        a = self._shrinkage
        return directions, (part.count * variances + a * within) / (part.count + a)

    def mixture(self, rank: int = 32) -> GaussianMixture:
        """The density of all classes, each with so many directions of its own.

        Raises:
            RangeError: If only a sketch was kept.
        """
        if not self.exact:
            raise RangeError(
                f"expected vectors of at most {EXACT} with a rank, got {self._n}; leave it out"
            )
        parts = [self._classes[label] for label in self.labels]
        counts = torch.tensor([float(part.count) for part in parts], dtype=torch.float64)
        means = torch.stack([part.mean() for part in parts])
        scatters = torch.stack(
            [part.covariance() * part.count for part in parts]  # type: ignore[union-attr]
        )
        return GaussianMixture.from_moments(
            counts, means, scatters, min(rank, self._n), self._shrinkage
        )

    def _trace(self, part: PrincipalMoments) -> float:
        _, variances = part.components()
        others = self._n - (len(variances) - 1)
        return float(variances[:-1].sum() + others * variances[-1])

    def _part(self, label: int | None) -> Moments | PrincipalMoments:
        return self._all if label is None else self._classes[label]

    def _new(self) -> Moments | PrincipalMoments:
        if self._rank is None or self.exact:
            return Moments(self._n)
        return PrincipalMoments(self._n, self._rank)


def clusters(z: Tensor, count: int, seed: int = 0) -> Tensor:
    """The cluster (N,) of each vector (N, n), by k-means in the directions that vary most.

    Args:
        z: Vectors.
        count: Number of clusters.
        seed: Of the first centers.

    Raises:
        RangeError: If there are more clusters than vectors.
        NonFiniteError: If there is NaN or infinity.
        MissingExtraError: If scikit-learn is not installed.

    Example:
        >>> import torch, linearizer as lz
        >>> z = torch.cat([torch.randn(20, 3), torch.randn(20, 3) + 20])
        >>> found = lz.estimation.clusters(z, 2)
        >>> bool((found[:20] == found[0]).all()), bool((found[20:] == found[0]).any())
        (True, False)
    """
    with needs_extra("scikit-learn"):
        from sklearn.cluster import KMeans  # noqa: PLC0415
        from sklearn.decomposition import PCA  # noqa: PLC0415
    check_finite(z, "the latents")
    if not 1 <= count <= len(z):
        raise RangeError(
            f"expected between 1 and {len(z)} components, one a point at most, got {count}"
        )
    points = z.detach().cpu().float().numpy()
    size, seed = min(50, *points.shape), seed % 2**32  # NumPy takes no larger one
    reduced = PCA(size, svd_solver="covariance_eigh", random_state=seed).fit_transform(points)
    found = KMeans(count, n_init=3, random_state=seed).fit_predict(reduced)
    return torch.from_numpy(found).long().to(z.device)
