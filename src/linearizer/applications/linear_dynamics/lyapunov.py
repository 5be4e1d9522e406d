"""The Lyapunov function of linear dynamics, which is one of the nonlinear dynamics."""

import torch
from torch import Tensor

from linearizer._extras import needs_extra
from linearizer.applications.linear_dynamics.modes import modes_of
from linearizer.errors import RangeError


@torch.no_grad()
def lyapunov_metric(L: Tensor) -> Tensor:
    """M (n, n), positive definite, with `Lᵀ M + M L = -I`.

    Raises:
        RangeError: If L is not stable: then there is none.
        MissingExtraError: If scipy is not installed.
    """
    rate = float(modes_of(L).rates[0])
    if rate >= 0:
        raise RangeError(
            f"expected a stable generator, got a rate of {rate:.3g}; train a StableGenerator"
        )
    with needs_extra("scipy", "scipy"):
        from scipy.linalg import solve_continuous_lyapunov  # noqa: PLC0415  (an extra)
    right = -torch.eye(len(L), dtype=torch.float64)
    M = torch.from_numpy(solve_continuous_lyapunov(L.mT.double().cpu().numpy(), right.numpy()))
    return ((M + M.mT) / 2).to(L)
