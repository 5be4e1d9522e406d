"""Projections to train: idempotent by construction, whatever the optimizer does to them."""

import abc

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from linearizer._rotation import Exponential
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.blocks import Blocks
from linearizer.operators.diagonal import Diagonal
from linearizer.operators.low_rank import LowRank
from linearizer.operators.mask import BinaryMask
from linearizer.operators.projection import OrthogonalProjection


class LearnedProjection(LinearOperator, abc.ABC):
    """What the trainable projections share: a binary mask, and how it is frozen.

    Args:
        mask: Which coordinates are kept.

    Raises:
        ShapeError: If the mask must be a vector and is not.
    """

    def __init__(self, mask: BinaryMask) -> None:
        super().__init__(mask.shape)
        self.mask = mask

    @abc.abstractmethod
    def frozen(self) -> LinearOperator:
        """The same projection as it is now, with nothing to train, in the tightest form.

        Raises:
            RangeError: If the mask keeps nothing.
        """

    def _kept(self) -> Tensor:
        """Indices of the coordinates that are kept."""
        kept = self.mask().detach().flatten().nonzero()[:, 0]
        if not len(kept):
            raise RangeError(
                "expected a mask that keeps a coordinate or more, got all zeros; lower the "
                "pressure on the rank, or fix it with BinaryMask(shape, rank=...)"
            )
        return kept


class LearnedDiagonalProjection(LearnedProjection):
    """`z ↦ b · z` with b in {0, 1}: keeps some coordinates.

    Source: arXiv:2510.08570, section 4.3.

    Example:
        >>> import torch, linearizer as lz
        >>> P = lz.operators.LearnedDiagonalProjection(lz.operators.BinaryMask(4, rank=2))
        >>> P(torch.ones(4)).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """

    def _forward(self, z: Tensor) -> Tensor:
        """b · z."""
        return self.mask() * z

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def blocks(self) -> Blocks:
        """Those of a `Diagonal`, with the gradient of the mask."""
        return Diagonal(self.mask()).blocks()

    def frozen(self) -> LinearOperator:
        """A `Diagonal`."""
        self._kept()
        return Diagonal(self.mask().detach().clone())


class LearnedOrthogonalProjection(LearnedProjection):
    """`z ↦ Q diag(b) Qᵀ z` with Q exactly orthogonal: any orthogonal projection.

    Q is the matrix exponential of a learned skew-symmetric matrix, so it stays orthogonal in
    training, to rounding.

    Example:
        >>> import torch, linearizer as lz
        >>> mask, z = lz.operators.BinaryMask(6, rank=2), torch.randn(6)
        >>> P = lz.operators.LearnedOrthogonalProjection(mask)
        >>> torch.allclose(P(P(z)), P(z), atol=1e-6), lz.linalg.rank(P)
        (True, 2)
    """

    def __init__(self, mask: BinaryMask) -> None:
        super().__init__(mask)
        self.rotation = _rotation(mask)

    def _forward(self, z: Tensor) -> Tensor:
        """Q (b · Qᵀ z)."""
        Q = _matrix(self.rotation)
        return (self.mask() * (z @ Q)) @ Q.mT

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def frozen(self) -> LinearOperator:
        """A `OrthogonalProjection` onto the columns of Q that are kept."""
        return OrthogonalProjection(_matrix(self.rotation).detach()[:, self._kept()].clone())


class LearnedObliqueProjection(LearnedProjection):
    """`z ↦ S diag(b) S⁻¹ z`: any projection, along a null space that need not be orthogonal.

    `S = Q (I - N)` with Q orthogonal and `N = diag(b) K diag(1 - b)` for a learned K. As
    `N² = 0`, `S⁻¹ = (I + N) Qᵀ` without solving anything, and the product is
    `Q (diag(b) + N) Qᵀ`: every projection is of this form (Schur), and none is near to one
    that is not. K is zero at the start: an orthogonal projection.

    Example:
        >>> import torch, linearizer as lz
        >>> mask, z = lz.operators.BinaryMask(6, rank=2), torch.randn(6)
        >>> P = lz.operators.LearnedObliqueProjection(mask)
        >>> _ = torch.nn.init.normal_(P.shear)
        >>> torch.allclose(P(P(z)), P(z), atol=1e-4), bool((P.T(z) - P(z)).abs().max() > 1e-3)
        (True, True)
    """

    def __init__(self, mask: BinaryMask) -> None:
        super().__init__(mask)
        self.rotation = _rotation(mask)
        self.shear = nn.Parameter(torch.zeros(self.n_in, self.n_in))

    def _forward(self, z: Tensor) -> Tensor:
        """Q (b · (c + K ((1 - b) · c))) with c = Qᵀ z."""
        Q, b = _matrix(self.rotation), self.mask()
        c = z @ Q
        return (b * (c + ((1 - b) * c) @ self.shear.mT)) @ Q.mT

    def _adjoint(self, y: Tensor) -> Tensor:
        """Q (d + (1 - b) · Kᵀ d) with d = b · Qᵀ y."""
        Q, b = _matrix(self.rotation), self.mask()
        d = b * (y @ Q)
        return (d + (1 - b) * (d @ self.shear)) @ Q.mT

    def frozen(self) -> LinearOperator:
        """A `LowRank` of the columns of Q that are kept."""
        kept = self._kept()
        columns = _matrix(self.rotation).detach()[:, kept]
        rows = self.adjoint(columns.mT).detach().mT
        return LowRank(columns.clone(), rows.clone())


def _rotation(mask: BinaryMask) -> nn.Module:
    """An nn.Linear whose weight is orthogonal, random at the start."""
    if len(mask.shape) != 1:
        raise ShapeError(f"expected a mask of a vector to rotate, got {mask.shape}; flatten it")
    (n,) = mask.shape
    linear = nn.Linear(n, n, bias=False)
    nn.init.normal_(linear.weight)
    return parametrize.register_parametrization(linear, "weight", Exponential())


def _matrix(rotation: nn.Module) -> Tensor:
    weight: Tensor = rotation.weight  # type: ignore[assignment]
    return weight
