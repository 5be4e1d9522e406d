"""Learned rotations and orthonormal columns, for bijections and operators alike."""

import torch
from torch import Tensor, nn

from linearizer._modes import in_single, own_precision
from linearizer.errors import RangeError


class Exponential(nn.Module):
    """`exp(X - Xᵀ)` of a lower triangle X: a parametrization, by a rotation of any dtype.

    PyTorch's own returns NaN in half precision and says nothing.
    """

    def forward(self, weight: Tensor) -> Tensor:
        """The rotation (n, n) of a matrix (n, n), of which the lower triangle counts."""
        lower = weight.tril()
        return in_single(torch.linalg.matrix_exp, lower - lower.mT)


def orthonormalized(Q: Tensor) -> Tensor:
    """Columns (n, k) that are orthonormal up to rounding in a coarser dtype, made so in their own.

    Two steps of Newton and Schulz, `Q ← Q (3 I - QᵀQ) / 2`, which keep the span.
    """
    with own_precision(Q.device):
        for _ in range(2):
            Q = 1.5 * Q - 0.5 * Q @ (Q.mT @ Q)
    return Q


@torch.no_grad()
def check_orthonormal(Q: Tensor, cure: str) -> None:
    """Raise unless the columns (n, k) are orthonormal, up to the root of the dtype's rounding."""
    if Q.device.type == "meta":
        return
    k = Q.shape[1]
    error = float((Q.mT @ Q - torch.eye(k, dtype=Q.dtype, device=Q.device)).abs().max())
    if not error < torch.finfo(Q.dtype).eps ** 0.5:
        raise RangeError(f"expected orthonormal columns, got QᵀQ = I + {error:.1g}; {cure}")
