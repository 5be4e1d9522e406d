"""The covariance flow: the optimal A(t) between two latents, known in closed form."""

import abc
from collections.abc import Callable

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer._rotation import orthonormalized
from linearizer.errors import ShapeError
from linearizer.flows.time_dependent import TimeDependentOperator
from linearizer.operators.base import LinearOperator
from linearizer.operators.dense import Dense
from linearizer.operators.diagonal import Diagonal
from linearizer.operators.entries import register
from linearizer.operators.low_rank import IdentityPlusLowRank


class SpectralFlow(TimeDependentOperator, abc.ABC):
    """Flows whose operators all share one eigenbasis P, and differ in eigenvalues alone.

    With variances λ of the end, measured in a basis in which the start has variance 1, least
    squares gives `A(t) = P diag(tλ / d) P⁻¹` with `d = (1-t)² + t²λ`, and the exact flow from
    0 to t is `P diag(√d) P⁻¹`: no network for A, and no steps.

    Derivation, of one coordinate: `z_t = (1-t) z_0 + t z_1` has variance d, and covariance tλ
    with z_1, so the best prediction of z_1 is `(tλ/d) z_t`. The velocity `(A - 1)/(1-t)` is
    `(tλ - (1-t))/d = d'/(2d)`, the derivative of log √d: so `z_t = √d z_0`.
    """

    variances: Tensor

    @abc.abstractmethod
    def eigenbasis(self) -> Callable[[Tensor], LinearOperator]:
        """`values ↦ P diag(values) P⁻¹` for the P of now, whose inverse is computed once."""

    def with_eigenvalues(self, values: Tensor) -> LinearOperator:
        """`P diag(values) P⁻¹`, one value for each of `variances`."""
        return self.eigenbasis()(values)

    def field(self) -> Callable[[float], LinearOperator]:
        """L, with the basis inverted once for all times."""
        made = self.eigenbasis()
        return lambda t: made(self.rates(t))

    def at(self, t: float) -> LinearOperator:
        """`P diag(tλ / ((1-t)² + t²λ)) P⁻¹`."""
        return self.with_eigenvalues(t * self.variances / self._mixed_variances(t))

    def velocity(self, t: float) -> LinearOperator:
        """`P diag((tλ - (1-t)) / ((1-t)² + t²λ)) P⁻¹`, finite up to t = 1."""
        return self.with_eigenvalues(self.rates(t))

    def rates(self, t: float) -> Tensor:
        """The eigenvalues of `velocity`, one for each of `variances`."""
        return (t * self.variances - (1 - t)) / self._mixed_variances(t)

    def flow(self, start: float = 0.0, end: float = 1.0) -> LinearOperator:
        """The exact flow from one time to another: `P diag(√(d(end) / d(start))) P⁻¹`."""
        ratio = self._mixed_variances(end) / self._mixed_variances(start)
        return self.with_eigenvalues(ratio.sqrt())

    def end_time(self, steps: int) -> float:
        """1: the velocity is finite there."""
        return 1.0

    def _mixed_variances(self, t: float) -> Tensor:
        return (1 - t) ** 2 + t**2 * self.variances


class CovarianceFlow(SpectralFlow):
    """The optimal A(t) between two centered, independent latents of any covariances.

    With covariances C0 = P Pᵀ and C1 = P Λ Pᵀ, least squares gives
    `A(t) = t C1 ((1-t)² C0 + t² C1)⁻¹`, which is diagonal in the basis P for all t.

    Args:
        basis: P, (n, n), invertible; its inverse follows it, and is not saved.
        variances: λ > 0, (n,).

    Raises:
        ShapeError: If there are not as many variances as rows and columns.

    Example:
        >>> import torch, linearizer as lz
        >>> target = torch.tensor([[2., 1.], [1., 3.]])
        >>> flow = lz.flows.CovarianceFlow.from_covariances(torch.eye(2), target)
        >>> B = flow.flow(0., 1.).to_dense()
        >>> torch.allclose(B @ B.mT, target)
        True
    """

    basis: Tensor
    variances: Tensor

    def __init__(self, basis: Tensor, variances: Tensor) -> None:
        n = variances.numel()
        if basis.shape != (n, n):
            raise ShapeError(
                f"expected a basis ({n}, {n}) for {n} variances, got {tuple(basis.shape)}"
            )
        super().__init__(n)
        register(self, "basis", basis)
        register(self, "variances", variances)
        self._last: tuple[Tensor, Tensor] | None = None  # a basis, and its inverse

    @classmethod
    def from_covariances(cls, C0: Tensor, C1: Tensor) -> "CovarianceFlow":
        """The flow that carries covariance C0 to C1, both (n, n) and positive semi-definite.

        Computed in float64 and returned in the dtype of C1. Directions in which C0 has less
        than `eps · n` of its largest variance are lifted to that.
        """
        values, Q = torch.linalg.eigh(C0.double())
        floor = torch.finfo(C1.dtype).eps * len(values) * values[-1]
        std = values.clamp_min(floor).sqrt()
        whitened = (Q / std).mT @ C1.double() @ (Q / std)
        variances, R = torch.linalg.eigh((whitened + whitened.mT) / 2)
        basis = (Q * std) @ R
        smallest = torch.finfo(C1.dtype).eps * len(values) * variances[-1]
        return cls(basis.to(C1.dtype), variances.clamp_min(smallest).to(C1.dtype))

    def eigenbasis(self) -> Callable[[Tensor], LinearOperator]:
        """`values ↦ P diag(values) P⁻¹`, as a product of its factors."""
        left, right = Dense(self.basis), Dense(self._inverse())
        return lambda values: left @ Diagonal(values) @ right

    def _inverse(self) -> Tensor:
        """P⁻¹ of P as it is: computed again unless P holds the very numbers of the last time.

        To compare them costs a hundredth of the inverse, and no way to change a tensor escapes it.
        """
        P = self.basis
        tracked = P.requires_grad and torch.is_grad_enabled()
        compiled = P.is_meta or torch.compiler.is_compiling()
        if tracked or compiled or torch.is_inference_mode_enabled():
            return _inverted(P)
        last = self._last
        if last is None or last[0].dtype != P.dtype or not _equal(last[0], P):
            last = self._last = P.detach().clone(), _inverted(P.detach())
        return last[1]


def _inverted(P: Tensor) -> Tensor:
    return torch.linalg.inv(P.double()).to(P.dtype)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and torch.equal(a, b)


class PrincipalCovarianceFlow(SpectralFlow):
    """The optimal A(t) from N(0, I) to a covariance `α I + W (Λ - α) Wᵀ` of few directions.

    All operators are the identity plus low rank: memory and time grow with n r, not with n².
    It is the covariance flow of probabilistic principal components, for latents too long for
    an n × n matrix. Source: Tipping, Bishop, Probabilistic Principal Component Analysis, 1999.

    Args:
        directions: W, (n, r), orthonormal columns, r < n.
        variances: (r + 1,), those along the directions, and last α, that of all others.

    Raises:
        ShapeError: If there are not r + 1 variances.
        RangeError: If there are not fewer directions than dimensions.

    Example:
        >>> import torch, linearizer as lz
        >>> W = torch.eye(1000, 2)
        >>> flow = lz.flows.PrincipalCovarianceFlow(W, torch.tensor([9., 4., 1.]))
        >>> flow.flow()(torch.ones(1000))[:4]
        tensor([3., 2., 1., 1.])
    """

    directions: Tensor

    def __init__(self, directions: Tensor, variances: Tensor) -> None:
        if directions.ndim != 2 or variances.shape != (directions.shape[1] + 1,):
            raise ShapeError(
                f"expected directions (n, r) and r + 1 variances, got {tuple(directions.shape)} "
                f"and {tuple(variances.shape)}; the last variance is that of all else"
            )
        n, r = directions.shape
        check_between(r, 1, n - 1, f"the number of directions of {n} dimensions")
        super().__init__(n)
        register(self, "directions", directions)
        register(self, "variances", variances)

    def eigenbasis(self) -> Callable[[Tensor], LinearOperator]:
        """`values ↦ α I + W diag(values - α) Wᵀ`, α the last value.

        W was rounded to the dtype that it is kept in, and is made orthonormal in the one that it is
        used in: else a flow and the flow back would not undo each other in float64.
        """
        W = orthonormalized(self.directions)

        def made(values: Tensor) -> LinearOperator:
            along, others = values[:-1], values[-1]
            return IdentityPlusLowRank(others, W * (along - others), W)

        return made
