"""The one mechanism behind the structured algebra: orthogonal reduction to small blocks.

Every structure here is `A = L · diag(blocks) · Rᵀ` with orthonormal L and R: a diagonal is n
blocks of 1×1, a low-rank one is a small core beside zeros, a circular convolution one block
a frequency. What does not change under orthonormal maps (singular values, pseudo-inverse,
rank, |det|) is then computed block by block; and where L = R, so is every matrix function
(power, exponential, inverse). A structure is taught all of this by one `blocks` method.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

from torch import Tensor

from linearizer.operators.base import LinearOperator
from linearizer.operators.dense import Dense


@dataclass(frozen=True)
class Blocks:
    """An operator reduced to blocks.

    Args:
        matrices: Batches of blocks, each (count, m, n), real or complex.
        multiplicities: How often each batch of blocks occurs in A.
        rebuild: Makes the operator that has other blocks, of the same shapes, in their places.
        similar: Whether L = R, so that matrix functions act on the blocks.
    """

    matrices: tuple[Tensor, ...]
    multiplicities: tuple[int, ...]
    rebuild: Callable[[tuple[Tensor, ...]], LinearOperator]
    similar: bool = True


@singledispatch
def blocks(operator: LinearOperator) -> Blocks:
    """The reduction of an operator: a single block unless its type knows better."""
    shapes = (operator.in_shape, operator.out_shape)
    square = operator.in_shape == operator.out_shape
    return Blocks(
        (operator.to_dense()[None],), (1,), lambda parts: Dense(parts[0][0], *shapes), square
    )
