"""Operators that depend on time: A(t) of a linear flow in the latent space."""

import abc
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from linearizer._checks import Shape, as_shape
from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator, register
from linearizer.operators.dense import Dense
from linearizer.operators.diagonal import Diagonal
from linearizer.saving import Saveable


class TimeDependentOperator(nn.Module, Saveable, abc.ABC):
    """A family t ↦ A(t) that predicts the end of a flow: `z_1 ≈ A(t) z_t`.

    Its velocity field is `dz/dt = L(t) z` with `L(t) = (A(t) - I) / (1 - t)`.
    """

    shape: Shape

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape = as_shape(shape)

    @abc.abstractmethod
    def at(self, t: float) -> LinearOperator:
        """A(t) for 0 ≤ t ≤ 1."""

    @abc.abstractmethod
    def velocity(self, t: float) -> LinearOperator:
        """L(t)."""

    @abc.abstractmethod
    def flow(self, start: float = 0.0, end: float = 1.0) -> LinearOperator:
        """The exact flow from one time to another, the limit of infinitely many steps.

        Raises:
            RangeError: If the family has none in closed form.
        """

    @abc.abstractmethod
    def end_time(self, steps: int) -> float:
        """Where a sampler of so many steps ends: 1, or before it where L(t) has a pole at 1."""


class CovarianceFlow(TimeDependentOperator):
    """The optimal A(t) between two centred, independent latents: known in closed form.

    With covariances C0 = P Pᵀ and C1 = P Λ Pᵀ, least squares gives
    `A(t) = t C1 ((1-t)² C0 + t² C1)⁻¹ = P diag(tλ / d) P⁻¹` with `d = (1-t)² + t²λ`, and the
    exact flow from 0 to t is `P diag(√d) P⁻¹`: no network for A, and no steps.

    Args:
        basis: P, (n, n), invertible; its inverse is computed and not saved.
        variances: λ > 0, (n,).

    Raises:
        ShapeError: If there are not as many variances as rows and columns.

    Example:
        >>> import torch, linearizer as lz
        >>> target = torch.tensor([[2., 1.], [1., 3.]])
        >>> B = lz.CovarianceFlow.between(torch.eye(2), target).flow(0., 1.).to_dense()
        >>> torch.allclose(B @ B.mT, target)
        True
    """

    basis: Tensor
    inverse_basis: Tensor
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
        inverse = torch.linalg.inv(basis.double()).to(basis.dtype)
        self.register_buffer("inverse_basis", inverse, persistent=False)

    @classmethod
    def between(cls, C0: Tensor, C1: Tensor) -> "CovarianceFlow":
        """The flow that carries covariance C0 to C1, both (n, n) and positive semi-definite.

        Computed in float64 and returned in the dtype of C1. Directions in which C0 has less
        than `eps · n` of its largest variance are lifted to that.
        """
        values, Q = torch.linalg.eigh(C0.double())
        floor = torch.finfo(C1.dtype).eps * len(values) * values[-1]
        deviation = values.clamp_min(floor).sqrt()
        whitened = (Q / deviation).mT @ C1.double() @ (Q / deviation)
        variances, R = torch.linalg.eigh((whitened + whitened.mT) / 2)
        basis = (Q * deviation) @ R
        smallest = torch.finfo(C1.dtype).eps * len(values) * variances[-1]
        return cls(basis.to(C1.dtype), variances.clamp_min(smallest).to(C1.dtype))

    def at(self, t: float) -> LinearOperator:
        """`P diag(tλ / ((1-t)² + t²λ)) P⁻¹`."""
        return self.with_eigenvalues(t * self.variances / self._mixed_variances(t))

    def velocity(self, t: float) -> LinearOperator:
        """`P diag((tλ - (1-t)) / ((1-t)² + t²λ)) P⁻¹`, finite up to t = 1."""
        return self.with_eigenvalues(self.rates(t))

    def rates(self, t: float) -> Tensor:
        """The eigenvalues of `velocity`, (n,)."""
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

    def with_eigenvalues(self, values: Tensor) -> LinearOperator:
        """`P diag(values) P⁻¹`, as a product of its factors."""
        return Dense(self.basis) @ Diagonal(values) @ Dense(self.inverse_basis)
