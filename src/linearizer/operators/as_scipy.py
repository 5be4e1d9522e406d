"""Operators as SciPy's, for its iterative solvers."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from linearizer._checks import Shape
from linearizer._extras import needs_extra
from linearizer.operators.base import LinearOperator

if TYPE_CHECKING:
    from scipy.sparse import linalg


def as_scipy(A: LinearOperator) -> "linalg.LinearOperator":
    """What `A.as_scipy()` returns."""
    with needs_extra("scipy", "scipy"):
        from scipy.sparse import linalg  # noqa: PLC0415  (an extra)

    @torch.no_grad()
    def apply(operator: LinearOperator, shape: Shape, columns: Any) -> Any:
        rows = torch.as_tensor(columns.T.copy(), dtype=A.dtype, device=A.device)
        image: Tensor = operator(rows.reshape(*rows.shape[:-1], *shape))
        return image.flatten(rows.ndim - 1).cpu().numpy().T

    forward, adjoint = partial(apply, A, A.in_shape), partial(apply, A.T, A.out_shape)
    return linalg.LinearOperator(
        (A.n_out, A.n_in),
        matvec=forward,
        matmat=forward,
        rmatvec=adjoint,
        rmatmat=adjoint,
        dtype=torch.empty((), dtype=A.dtype).numpy().dtype,
    )
