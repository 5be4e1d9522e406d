"""Least squares from streamed moments: the closed form that replaces training A."""

import sys

import torch
from torch import Tensor

from linearizer._checks import check_between, check_event, check_finite
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.dense import Dense
from linearizer.operators.low_rank import LowRank


class LeastSquares:
    """Accumulates batches of latent pairs, and solves for A at any time.

    `A = Z_y Z_xᵀ (Z_x Z_xᵀ + ridge I)⁻¹`, the minimizer of `|A Z_x - Z_y|² + ridge |A|²`; of
    least norm where that is not unique. Moments are kept in float64.

    Args:
        in_shape: Event shape of z_x.
        out_shape: Event shape of z_y.

    Example:
        >>> import torch, linearizer as lz
        >>> z, A = torch.randn(50, 4), torch.randn(3, 4)
        >>> fit = lz.estimation.LeastSquares((4,), (3,)).update(z, z @ A.mT)
        >>> torch.allclose(fit.solve().to_dense(), A, atol=1e-4)
        True
    """

    def __init__(self, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> None:
        self.in_shape, self.out_shape = in_shape, out_shape
        self.count = 0
        self._xx = self._yx = torch.zeros(())
        self._dtype = torch.get_default_dtype()

    def update(self, z_x: Tensor, z_y: Tensor) -> "LeastSquares":
        """Add a batch of pairs.

        Raises:
            ShapeError: If the shapes do not fit, or the batches are not of one length.
            NonFiniteError: If there is NaN or infinity.
        """
        check_event(z_x, self.in_shape, "the fit's input")
        check_event(z_y, self.out_shape, "the fit's output")
        check_finite(z_x, "the fit's input")
        check_finite(z_y, "the fit's output")
        X, Y = _rows(z_x, self.in_shape), _rows(z_y, self.out_shape)
        if len(X) != len(Y):
            raise ShapeError(f"expected pairs, got {len(X)} inputs and {len(Y)} outputs")
        self._xx = self._xx.to(X.device) + X.mT @ X
        self._yx = self._yx.to(X.device) + Y.mT @ X
        self.count += len(X)
        self._dtype = z_y.dtype
        return self

    def solve(self, ridge: float = 0.0, rank: int | None = None) -> LinearOperator:
        """The best operator, or the best one of at most `rank`.

        Raises:
            RangeError: If no pair was given, ridge is negative, or rank is out of range.
        """
        if not self.count:
            raise RangeError("expected at least one pair to fit, got none; call update first")
        check_between(ridge, 0.0, sys.float_info.max, "the ridge")
        n, m = len(self._xx), len(self._yx)
        moments = self._xx + ridge * torch.eye(n, dtype=self._xx.dtype, device=self._xx.device)
        A = self._yx @ torch.linalg.pinv(moments, hermitian=True)
        if rank is None:
            return Dense(A.to(self._dtype), self.in_shape, self.out_shape)
        check_between(rank, 1, min(m, n), "the rank")
        # Reduced-rank regression: with M the moments, |B X - Y|² is |A X - Y|² plus the square of
        # (B - A) M^½, so B is A projected onto the leading eigenvectors of A M Aᵀ (Eckart, Young).
        fitted = A @ moments @ A.mT
        U = torch.linalg.eigh((fitted + fitted.mT) / 2).eigenvectors[:, -rank:]
        factors = (U.unflatten(0, self.out_shape), (A.mT @ U).unflatten(0, self.in_shape))
        return LowRank(*(factor.to(self._dtype) for factor in factors))


def _rows(z: Tensor, shape: tuple[int, ...]) -> Tensor:
    return z.detach().reshape(-1, torch.Size(shape).numel()).double()
