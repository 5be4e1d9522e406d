"""Moments of latents class by class, and classes where there are none."""

import torch
from torch import Tensor

from linearizer._checks import check_between, check_finite
from linearizer._extras import needs_extra
from linearizer.errors import RangeError, ShapeError
from linearizer.estimation.moments import Moments, PrincipalMoments


class MixtureMoments:
    """Accumulates labeled vectors: count, mean and covariance of each class and of all.

    A class of few vectors borrows from the others. With N_c vectors of covariance C_c and the
    covariance within classes `C = Σ_c N_c C_c / N`, that of the class is
    `(N_c C_c + α C) / (N_c + α)`. With a rank, each class keeps its leading directions and one
    variance for all others, and borrows the mean variance within classes.

    Args:
        n: Length of the vectors.
        rank: Directions that each class keeps; its whole covariance if not given.
        shrinkage: α, the vectors that C counts for; n / 10 if not given.

    Example:
        >>> import torch, linearizer as lz
        >>> z, labels = torch.randn(60, 3), torch.arange(60) % 2
        >>> moments = lz.estimation.MixtureMoments(3).update(z, labels)
        >>> moments.labels, moments.weights()
        ([0, 1], tensor([0.5000, 0.5000], dtype=torch.float64))
    """

    def __init__(self, n: int, rank: int | None = None, shrinkage: float | None = None) -> None:
        self._n, self._rank = n, rank
        self._shrinkage = n / 10 if shrinkage is None else shrinkage
        check_between(self._shrinkage, 0.0, float("inf"), "the shrinkage")
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
        assert isinstance(part, Moments), "a rank was given"
        if label is None:
            return part.covariance()
        within = torch.zeros_like(part.covariance())
        for other in self._classes.values():  # one after another: each is n × n
            within += other.covariance() * (other.count / self._all.count)  # type: ignore
        a = self._shrinkage
        return (part.count * part.covariance() + a * within) / (part.count + a)

    def components(self, label: int | None) -> tuple[Tensor, Tensor]:
        """Directions (n, r) and variances (r + 1,) of a class, or of all; the last of the rest."""
        part = self._part(label)
        assert isinstance(part, PrincipalMoments), "no rank was given"
        directions, variances = part.components()
        if label is None:
            return directions, variances
        traces = [self._trace(m) * m.count for m in self._classes.values()]  # type: ignore
        within = sum(traces) / (self._all.count * self._n)
        a = self._shrinkage
        return directions, (part.count * variances + a * within) / (part.count + a)

    def _trace(self, part: PrincipalMoments) -> float:
        _, variances = part.components()
        others = self._n - (len(variances) - 1)
        return float(variances[:-1].sum() + others * variances[-1])

    def _part(self, label: int | None) -> Moments | PrincipalMoments:
        return self._all if label is None else self._classes[label]

    def _new(self) -> Moments | PrincipalMoments:
        return Moments(self._n) if self._rank is None else PrincipalMoments(self._n, self._rank)


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
