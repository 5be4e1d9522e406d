"""The optimal transport between two Gaussians, a linear map."""

import torch
from torch import Tensor

from linearizer.errors import ShapeError


@torch.no_grad()
def gaussian_transport(source: Tensor, target: Tensor, *, floor: float = 1e-6) -> Tensor:
    """The matrix (n, n) that carries one covariance to another and moves points least.

        A = S^{-1/2} (S^{1/2} T S^{1/2})^{1/2} S^{-1/2}

    symmetric and positive definite, with `A S A = T`: Monge's map between centered Gaussians for
    the squared distance. Computed in float64. Source: Peyré, Cuturi, Computational Optimal
    Transport, arXiv:1803.00567, remark 2.31.

    Args:
        source: S, (n, n), positive semi-definite.
        target: T, (n, n), positive semi-definite.
        floor: What is added to the variances of both, as a share of the mean variance of both.

    Raises:
        ShapeError: If the two are not of one shape (n, n).

    Example:
        >>> import torch, linearizer as lz
        >>> S, T = torch.diag(torch.tensor([1.0, 4.0])), torch.diag(torch.tensor([9.0, 4.0]))
        >>> lz.estimation.gaussian_transport(S, T).round(decimals=3)
        tensor([[3., 0.],
                [0., 1.]])
    """
    n = len(source)
    if source.shape != (n, n) or target.shape != (n, n):
        raise ShapeError(
            f"expected two covariances (n, n), got {tuple(source.shape)} and {tuple(target.shape)}"
        )
    S, T = source.double(), target.double()
    mean = (S.diagonal().mean() + T.diagonal().mean()) / 2
    lift = floor * (mean if float(mean) else 1.0) * torch.eye(n, dtype=S.dtype, device=S.device)
    values, Q = torch.linalg.eigh(S + lift)
    root = values.clamp_min(float(lift[0, 0])).sqrt()
    half, inverse_half = (Q * root) @ Q.mT, (Q / root) @ Q.mT
    middle = half @ (T + lift) @ half
    values, Q = torch.linalg.eigh((middle + middle.mT) / 2)
    A = inverse_half @ ((Q * values.clamp_min(0).sqrt()) @ Q.mT) @ inverse_half
    return ((A + A.mT) / 2).to(target)
