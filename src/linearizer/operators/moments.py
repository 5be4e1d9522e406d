"""Mean and covariance of latents, streamed: what the closed forms are made of."""

import torch
from torch import Tensor

from linearizer._checks import check_event, check_finite
from linearizer.errors import RangeError


class Moments:
    """Accumulates batches of vectors; mean and covariance at any time, in float64.

    Batches are merged around their own means (Chan, Golub, LeVeque, 1983), so that a large
    mean costs the covariance no digits.

    Args:
        n: Length of the vectors.

    Example:
        >>> import torch, linearizer as lz
        >>> z = torch.randn(100, 3) + 1e6
        >>> moments = lz.operators.Moments(3).update(z[:30]).update(z[30:])
        >>> torch.allclose(moments.covariance(), torch.cov(z.double().mT, correction=0))
        True
    """

    def __init__(self, n: int) -> None:
        self.count = 0
        self._n = n
        self._mean = torch.zeros(n, dtype=torch.float64)
        self._scatter = torch.zeros(n, n, dtype=torch.float64)

    def update(self, z: Tensor) -> "Moments":
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
        centred, gap = rows - mean, mean - self._mean
        total = self.count + len(rows)
        self._scatter += centred.mT @ centred
        self._scatter += torch.outer(gap, gap) * (self.count * len(rows) / total)
        self._mean += gap * (len(rows) / total)
        self.count = total
        return self

    def mean(self) -> Tensor:
        """The mean (n,)."""
        self._check()
        return self._mean

    def covariance(self) -> Tensor:
        """The covariance (n, n), divided by the count."""
        self._check()
        return self._scatter / self.count

    def _check(self) -> None:
        if not self.count:
            raise RangeError("expected at least one vector, got none; call update first")
