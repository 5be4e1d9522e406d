"""Learned rotations, for bijections and operators alike."""

import torch
from torch import Tensor, nn

from linearizer._modes import in_single


class Exponential(nn.Module):
    """`exp(X - Xᵀ)` of a lower triangle X: a parametrization, by a rotation of any dtype.

    PyTorch's own returns NaN in half precision and says nothing.
    """

    def forward(self, weight: Tensor) -> Tensor:
        """The rotation (n, n) of a matrix (n, n), of which the lower triangle counts."""
        lower = weight.tril()
        return in_single(torch.linalg.matrix_exp, lower - lower.mT)
