"""Low rank, and low rank beside the identity: never n × n, whatever is computed."""

import torch
from torch import Tensor

from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import apply_matrix, as_scalar, check_real, register


class LowRank(LinearOperator):
    """`z ↦ U (Vᵀ z)` for U of shape (*out_shape, r) and V of shape (*in_shape, r).

    Raises:
        ShapeError: If U and V differ in r.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.rank(lz.LowRank(torch.randn(100, 3), torch.randn(80, 3)))
        3
    """

    U: Tensor
    V: Tensor

    def __init__(self, U: Tensor, V: Tensor) -> None:
        _check_factors(U, V)
        super().__init__(V.shape[:-1], U.shape[:-1])
        register(self, "U", U)
        register(self, "V", V)

    def _forward(self, z: Tensor) -> Tensor:
        return low_rank_product(self.U, self.V, z)

    def _adjoint(self, y: Tensor) -> Tensor:
        return low_rank_product(self.V, self.U, y)

    def _transposed(self) -> LinearOperator:
        return LowRank(self.V, self.U)

    def _scaled(self, factor: Tensor) -> LinearOperator:
        return LowRank(factor * self.U, self.V)

    def blocks(self) -> Blocks:
        """The core `R_U R_Vᵀ` of orthonormal factors, beside zeros."""
        if self.in_shape == self.out_shape:
            return IdentityPlusLowRank(0.0, self.U, self.V).blocks()
        spans = frames(as_columns(self.U), as_columns(self.V))
        if spans is None:
            return super().blocks()
        (left, R_u), (right, R_v) = spans

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            return LowRank(
                (left @ parts[0][0]).unflatten(0, self.out_shape),
                right.unflatten(0, self.in_shape),
            )

        return Blocks(((R_u @ R_v.mT)[None],), (1,), rebuild, similar=False)


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
        >>> torch.allclose(lz.linalg.pinv(A)(A(z)), z, atol=1e-3)
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
        register(self, "scale", as_scalar(scale, U.dtype, U.device))
        register(self, "U", U)
        register(self, "V", V)

    def _forward(self, z: Tensor) -> Tensor:
        return self.scale * z + low_rank_product(self.U, self.V, z)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.scale * y + low_rank_product(self.V, self.U, y)

    def _transposed(self) -> LinearOperator:
        return IdentityPlusLowRank(self.scale, self.V, self.U)

    def _scaled(self, factor: Tensor) -> LinearOperator:
        return IdentityPlusLowRank(factor * self.scale, factor * self.U, self.V)

    def blocks(self) -> Blocks:
        """A core of at most 2r×2r on the span of U and V, and α, as often as is left."""
        U, V = as_columns(self.U), as_columns(self.V)
        spans = frames(torch.cat([U, V], dim=1))
        if spans is None:
            return super().blocks()
        ((W, R),) = spans
        R_u, R_v = R.split([U.shape[1], V.shape[1]], dim=1)
        width = W.shape[1]
        identity = torch.eye(width, dtype=W.dtype, device=W.device)
        core = self.scale * identity + R_u @ R_v.mT

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            inside, scale = parts[0][0], parts[1].sum()  # one number, or none: zero
            left = W @ (inside - scale * identity)
            return IdentityPlusLowRank(
                scale, left.unflatten(0, self.in_shape), W.unflatten(0, self.in_shape)
            )

        outside = self.n_in - width
        beside = self.scale.reshape(1, 1, 1)[: min(outside, 1)]  # nothing, if W spans all
        return Blocks((core[None], beside), (1, outside), rebuild)


def as_columns(factor: Tensor) -> Tensor:
    """A factor (*shape, r) as a matrix (n, r)."""
    return factor.flatten(0, -2)


def frames(*factors: Tensor) -> list[tuple[Tensor, Tensor]] | None:
    """Q and R of each factor; of one that is square or wider, the identity and itself.

    None where a gradient is asked for that does not exist: the span of dependent columns is not
    differentiable, although functions of the operator are. Its matrix has their gradients.
    """
    pairs = []
    for factor in factors:
        n, k = factor.shape
        if n <= k:
            pairs.append((torch.eye(n, dtype=factor.dtype, device=factor.device), factor))
            continue
        Q, R = torch.linalg.qr(factor)
        if factor.requires_grad and torch.is_grad_enabled() and _dependent(R):
            return None
        pairs.append((Q, R))
    return pairs


@torch.no_grad()
def _dependent(R: Tensor) -> bool:
    if R.is_meta or not R.numel() or not bool(torch.isfinite(R).all()):
        return False
    values = torch.linalg.svdvals(R)
    return bool(values[-1] <= torch.finfo(R.dtype).eps ** 0.5 * values[0])


def low_rank_product(U: Tensor, V: Tensor, z: Tensor) -> Tensor:
    """U (Vᵀ z) without forming U Vᵀ."""
    weights = z.flatten(1 - V.ndim) @ as_columns(V)
    return apply_matrix(as_columns(U), weights, weights.shape[-1:], tuple(U.shape[:-1]))


def _check_factors(U: Tensor, V: Tensor) -> None:
    if U.ndim < 2 or V.ndim < 2 or U.shape[-1] != V.shape[-1]:
        raise ShapeError(
            f"expected factors (*out_shape, r) and (*in_shape, r), got {tuple(U.shape)} and "
            f"{tuple(V.shape)}; their last axes are the rank"
        )
    check_real(U, "a factor")
    check_real(V, "a factor")
