"""Low rank, and low rank beside the identity: never n × n, whatever is computed."""

import torch
from torch import Tensor

from linearizer._checks import check_input
from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator, apply_matrix, register
from linearizer.operators.blocks import Blocks, blocks
from linearizer.operators.dense import check_real


class LowRank(LinearOperator):
    """`z ↦ U (Vᵀ z)` for U of shape (*out_shape, r) and V of shape (*in_shape, r).

    Raises:
        ShapeError: If U and V differ in r.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.rank(lz.LowRank(torch.randn(100, 3), torch.randn(80, 3)))
        3
    """

    U: Tensor
    V: Tensor

    def __init__(self, U: Tensor, V: Tensor) -> None:
        _check_factors(U, V)
        super().__init__(V.shape[:-1], U.shape[:-1])
        register(self, "U", U)
        register(self, "V", V)

    def forward(self, z: Tensor) -> Tensor:
        """U (Vᵀ z)."""
        return low_rank_product(self.U, self.V, z, self)

    def adjoint(self, y: Tensor) -> Tensor:
        """V (Uᵀ y)."""
        return low_rank_product(self.V, self.U, y, self)


class IdentityPlusLowRank(LinearOperator):
    """`z ↦ α z + U (Vᵀ z)` for U and V of shape (*shape, r).

    Its functions cost O(n r²): with an orthonormal basis W of the columns of U and V it is
    `α (I - W Wᵀ) + W C Wᵀ`, so Woodbury's inverse and the determinant lemma become the inverse
    and the determinant of the small C, also where Woodbury's own matrix is singular.

    Args:
        scale: α, a number or a scalar tensor.
        U: (*shape, r).
        V: (*shape, r).

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.IdentityPlusLowRank(2., *torch.randn(2, 5000, 4) / 70)
        >>> z = torch.randn(5000)
        >>> torch.allclose(lz.pinv(A)(A(z)), z, atol=1e-3)
        True
    """

    scale: Tensor
    U: Tensor
    V: Tensor

    def __init__(self, scale: float | Tensor, U: Tensor, V: Tensor) -> None:
        _check_factors(U, V)
        if U.shape != V.shape:
            raise ShapeError(
                f"expected factors of one shape beside the identity, got {tuple(U.shape)} and "
                f"{tuple(V.shape)}"
            )
        super().__init__(U.shape[:-1])
        register(self, "scale", torch.as_tensor(scale, dtype=U.dtype, device=U.device))
        register(self, "U", U)
        register(self, "V", V)

    def forward(self, z: Tensor) -> Tensor:
        """α z + U (Vᵀ z)."""
        return self.scale * z + low_rank_product(self.U, self.V, z, self)

    def adjoint(self, y: Tensor) -> Tensor:
        """α y + V (Uᵀ y)."""
        return self.scale * y + low_rank_product(self.V, self.U, y, self)


@blocks.register
def _(operator: LowRank) -> Blocks:
    if operator.in_shape == operator.out_shape:
        return blocks(IdentityPlusLowRank(0.0, operator.U, operator.V))
    left, R_u = torch.linalg.qr(as_columns(operator.U))
    right, R_v = torch.linalg.qr(as_columns(operator.V))

    def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
        return LowRank(
            (left @ parts[0][0]).unflatten(0, operator.out_shape),
            right.unflatten(0, operator.in_shape),
        )

    return Blocks(((R_u @ R_v.mT)[None],), (1,), rebuild, similar=False)


@blocks.register
def _(operator: IdentityPlusLowRank) -> Blocks:
    U, V = as_columns(operator.U), as_columns(operator.V)
    W, R = torch.linalg.qr(torch.cat([U, V], dim=1))
    R_u, R_v = R.split([U.shape[1], V.shape[1]], dim=1)
    width = W.shape[1]
    identity = torch.eye(width, dtype=W.dtype, device=W.device)
    core = operator.scale * identity + R_u @ R_v.mT

    def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
        inside, scale = parts[0][0], parts[1].sum()  # one number, or none: zero
        left = W @ (inside - scale * identity)
        return IdentityPlusLowRank(
            scale, left.unflatten(0, operator.in_shape), W.unflatten(0, operator.in_shape)
        )

    outside = operator.n_in - width
    beside = operator.scale.reshape(1, 1, 1)[: min(outside, 1)]  # nothing, if W spans all
    return Blocks((core[None], beside), (1, outside), rebuild)


def as_columns(factor: Tensor) -> Tensor:
    """A factor (*shape, r) as a matrix (n, r)."""
    return factor.flatten(0, -2)


def low_rank_product(U: Tensor, V: Tensor, z: Tensor, owner: LinearOperator) -> Tensor:
    """U (Vᵀ z) without forming U Vᵀ."""
    shape = tuple(V.shape[:-1])
    check_input(z, shape, owner)
    weights = z.flatten(-len(shape)) @ as_columns(V)
    return apply_matrix(as_columns(U), weights, weights.shape[-1:], tuple(U.shape[:-1]), owner)


def _check_factors(U: Tensor, V: Tensor) -> None:
    if U.ndim < 2 or V.ndim < 2 or U.shape[-1] != V.shape[-1]:
        raise ShapeError(
            f"expected factors (*out_shape, r) and (*in_shape, r), got {tuple(U.shape)} and "
            f"{tuple(V.shape)}; their last axes are the rank"
        )
    check_real(U, "a factor")
    check_real(V, "a factor")
