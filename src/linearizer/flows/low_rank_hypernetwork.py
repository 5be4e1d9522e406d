"""The paper's operator of time: low rank, its factors made by a small network."""

import math

import torch
from torch import Tensor, nn

from linearizer._checks import check_between, check_event
from linearizer._modes import own_precision
from linearizer.errors import RangeError, ShapeError
from linearizer.flows.time_dependent import TimeDependentOperator
from linearizer.operators.base import LinearOperator
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank


class LowRankHypernetwork(TimeDependentOperator):
    """`A(t) = U(t) V(t)ᵀ` on vectors (n,), U and V of shape (n, r) from a network of t.

    The network is trained together with the bijections
    (`linearizer.training.FlowMatchingTraining`); `CovarianceFlow` is the closed form that needs no
    training. It sees t and sines and cosines of t, and A(t) = 0 at the start. Its velocity has a
    pole at t = 1, so it has no exact flow, and N steps end at 1 - 1/N. Source: arXiv:2510.08570,
    section 4.1.

    Args:
        n: Length of the vectors.
        rank: r, from 1 to n.
        width: Hidden units of the network, which has about 2 n r · width weights.
        frequencies: Number of sines, and of cosines: of πt, 2πt, 4πt, ...

    Raises:
        RangeError: If the rank is below 1 or above n, or a size of the network below 1.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.flows.LowRankHypernetwork(50, rank=3)
        >>> A.at(0.5).U.shape
        torch.Size([50, 3])
        >>> sampler = lz.flows.collapse(A, 20, end=A.end_time(20))
        >>> sampler(torch.randn(7, 50)).shape
        torch.Size([7, 50])
    """

    def __init__(self, n: int, rank: int = 16, width: int = 64, frequencies: int = 4) -> None:
        super().__init__(n)
        check_between(rank, 1, n, f"the rank of an operator on vectors of length {n}")
        check_between(width, 1, math.inf, "the width of the network")
        check_between(frequencies, 1, math.inf, "the number of frequencies")
        self.n, self.rank, self.width, self.frequencies = n, rank, width, frequencies
        last = nn.Linear(width, 2 * n * rank)
        self.network = nn.Sequential(
            nn.Linear(1 + 2 * frequencies, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            last,
        )
        with torch.no_grad():  # U = 0, and V random: A(t) = 0 has a gradient
            last.weight[: n * rank] = 0.0
            last.bias[: n * rank] = 0.0
            last.bias[n * rank :].normal_()

    def factors(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """U(t) and V(t), each (*batch, n, r), for times t of shape (*batch,)."""
        octaves = math.pi * 2.0 ** torch.arange(self.frequencies, dtype=t.dtype, device=t.device)
        angles = t[..., None] * octaves
        features = torch.cat([t[..., None], angles.sin(), angles.cos()], -1)
        numbers: Tensor = self.network(features) / math.sqrt(self.n)
        U, V = numbers.unflatten(-1, (2, self.n, self.rank)).unbind(-3)
        return U, V

    def predict(self, z: Tensor, t: Tensor) -> Tensor:
        """`A(t) z`, each vector with a time of its own: what training needs.

        Args:
            z: (*batch, n).
            t: (*batch,).

        Raises:
            ShapeError: If there is not one time for each vector.

        Example:
            >>> import torch, linearizer as lz
            >>> A, z = lz.flows.LowRankHypernetwork(6, rank=2), torch.randn(5, 6)
            >>> together = A.predict(z, torch.full((5,), 0.3))
            >>> torch.allclose(together, A.at(0.3)(z), atol=1e-6)
            True
        """
        check_event(z, self.shape, self)
        if t.shape != z.shape[:-1]:
            raise ShapeError(
                f"expected one time for each vector, {tuple(z.shape[:-1])}, got {tuple(t.shape)}; "
                "expand the times to the batch"
            )
        U, V = self.factors(t)
        return (U @ (V.mT @ z[..., None])).squeeze(-1)

    def at(self, t: float) -> LinearOperator:
        """`U(t) V(t)ᵀ`, a `LowRank`."""
        return LowRank(*self._factors_at(t))

    def velocity(self, t: float) -> LinearOperator:
        """`(U(t) V(t)ᵀ - I) / (1 - t)`, an `IdentityPlusLowRank`, for t < 1.

        Raises:
            RangeError: If t is 1 or more: there is a pole.
        """
        if t >= 1:
            raise RangeError(
                f"expected a time below 1, where the velocity has a pole, got {t}; "
                "end N steps at end_time(N) = 1 - 1/N"
            )
        U, V = self._factors_at(t)
        return IdentityPlusLowRank(-1 / (1 - t), U / (1 - t), V)

    def flow(self, start: float = 0.0, end: float = 1.0) -> LinearOperator:
        """No exact flow exists: the factors depend on t in no closed form.

        Raises:
            RangeError: Always.
        """
        raise RangeError(
            "expected a number of steps, got none, and LowRankHypernetwork has no exact flow; "
            "pass steps, here or to OneStepFlow, or use CovarianceFlow"
        )

    def end_time(self, steps: int) -> float:
        """`1 - 1/steps`: the paper's samplers stop one step before the pole.

        Raises:
            RangeError: If there are fewer than two steps: nothing would be left of the flow.
        """
        if steps < 2:
            raise RangeError(
                f"expected at least 2 steps with the paper's time grid, which ends at 1 - 1/steps, "
                f"got {steps}; take more and collapse them into one operator"
            )
        return 1 - 1 / steps

    def _factors_at(self, t: float) -> tuple[Tensor, Tensor]:
        time = torch.tensor(t, dtype=self.dtype, device=self.device)
        with own_precision(self.device):
            return self.factors(time)
