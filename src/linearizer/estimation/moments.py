"""Mean and covariance of latents, streamed: what the closed forms are made of."""

import abc
import math
from typing import Self

import torch
from torch import Tensor

from linearizer._checks import check_between, check_event, check_finite
from linearizer.errors import RangeError

_CHUNK = 512  # vectors folded in at once: the cost of an eigenproblem grows with their cube


class _Stream(abc.ABC):
    """Batches of vectors merged around their own means (Chan, Golub, LeVeque, 1983).

    So a large mean costs the covariance no digits. What subclasses keep is the scatter, the
    sum of outer products of the centered vectors.
    """

    def __init__(self, n: int) -> None:
        self.count = 0
        self._n = n
        self._mean = torch.zeros(n, dtype=torch.float64)

    @abc.abstractmethod
    def _absorb(self, rows: Tensor) -> None:
        """Add `rowsᵀ rows` to the scatter."""

    def update(self, z: Tensor) -> Self:
        """Add a batch (*batch, n).

        Raises:
            ShapeError: If the vectors are not of length n.
            NonFiniteError: If there is NaN or infinity.
        """
        check_event(z, (self._n,), "the moments")
        check_finite(z, "the latents")
        rows = z.detach().reshape(-1, self._n).double().to(self._mean.device)
        if not len(rows):
            return self
        mean = rows.mean(0)
        gap, total = mean - self._mean, self.count + len(rows)
        between = gap * math.sqrt(self.count * len(rows) / total)
        self._absorb(torch.cat([rows - mean, between[None]]))
        self._mean += gap * (len(rows) / total)
        self.count = total
        return self

    def mean(self) -> Tensor:
        """The mean (n,)."""
        self._check()
        return self._mean

    def _check(self) -> None:
        if not self.count:
            raise RangeError("expected at least one vector, got none; call update first")


class Moments(_Stream):
    """Accumulates batches of vectors; mean and covariance at any time, in float64.

    Args:
        n: Length of the vectors.

    Example:
        >>> import torch, linearizer as lz
        >>> z = torch.randn(100, 3) + 1e6
        >>> moments = lz.estimation.Moments(3).update(z[:30]).update(z[30:])
        >>> torch.allclose(moments.covariance(), torch.cov(z.double().mT, correction=0))
        True
    """

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self._scatter = torch.zeros(n, n, dtype=torch.float64)

    def _absorb(self, rows: Tensor) -> None:
        self._scatter += rows.mT @ rows

    def covariance(self) -> Tensor:
        """The covariance (n, n), divided by the count."""
        self._check()
        return self._scatter / self.count


class PrincipalMoments(_Stream):
    """Mean and leading principal components of batches of vectors, without an n × n matrix.

    Keeps twice as many directions as asked for, and folds every batch into them; exact as long
    as the vectors lie in so many directions. Source: Ross, Lim, Lin, Yang, Incremental Learning
    for Robust Visual Tracking, 2008.

    Args:
        n: Length of the vectors.
        rank: Number of components, from 1 to n - 1.

    Raises:
        RangeError: If there are not so many components.

    Example:
        >>> import torch, linearizer as lz
        >>> z = torch.randn(1000, 50) * torch.linspace(5., 1., 50) + 7.
        >>> directions, variances = lz.estimation.PrincipalMoments(50, 3).update(z).components()
        >>> directions.shape, variances.shape
        (torch.Size([50, 3]), torch.Size([4]))
        >>> bool((directions[:3].abs().max(0).values > 0.5).all())
        True
    """

    def __init__(self, n: int, rank: int) -> None:
        super().__init__(n)
        check_between(rank, 1, n - 1, f"the number of principal components of {n} dimensions")
        self.rank = rank
        self._sketch = torch.zeros(0, n, dtype=torch.float64)
        self._trace = torch.zeros((), dtype=torch.float64)

    def _absorb(self, rows: Tensor) -> None:
        self._trace += rows.square().sum()
        for part in rows.split(max(_CHUNK, 2 * self.rank)):
            stacked = torch.cat([self._sketch, part])
            _, vectors = torch.linalg.eigh(stacked @ stacked.mT)
            self._sketch = vectors[:, -2 * self.rank :].mT @ stacked

    def components(self) -> tuple[Tensor, Tensor]:
        """Directions (n, rank), orthonormal, and variances (rank + 1,), the largest first.

        The last variance is the mean of those in all other directions.
        """
        self._check()
        _, values, directions = torch.linalg.svd(self._sketch, full_matrices=False)
        count = min(self.rank, len(values))
        leading = values[:count].square()
        rest = (self._trace - leading.sum()).clamp_min(0) / (self._n - count)
        variances = torch.cat([leading, rest[None]]) / self.count
        return directions[:count].mT.contiguous(), variances
