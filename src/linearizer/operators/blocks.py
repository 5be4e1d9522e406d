"""The one mechanism behind the structured algebra: orthogonal reduction to small blocks.

Every structure here is `A = L · diag(blocks) · Rᵀ` with orthonormal L and R: a diagonal is n
blocks of 1×1, a low-rank one is a small core beside zeros, a circular convolution one
block for each frequency. What does not change under orthonormal maps (singular values,
pseudo-inverse, rank, |det|) is then computed block by block; and where L = R, so is every matrix
function (power, exponential, inverse). One `blocks` method gives a structure all of this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from linearizer.operators.base import LinearOperator


@dataclass(frozen=True)
class Blocks:
    """An operator reduced to blocks.

    Args:
        matrices: Batches of blocks, each (count, m, n), real or complex.
        multiplicities: How often each batch of blocks occurs in A.
        rebuild: Makes the operator that has other blocks, of the same shapes, in their places.
        similar: Whether L = R, so that matrix functions act on the blocks.
        maps: What L and R are made of: tensors, and other things that compare. Two operators
            with the same ones, a tensor being the same object, are added and multiplied block
            by block. Not given, an operator is known to share its maps with itself alone.
    """

    matrices: tuple[Tensor, ...]
    multiplicities: tuple[int, ...]
    rebuild: Callable[[tuple[Tensor, ...]], "LinearOperator"]
    similar: bool = True
    maps: tuple[Any, ...] | None = None

    def shares_maps_with(self, other: "Blocks") -> bool:
        """Whether both are reduced by the same L and R."""
        if self is other:
            return True
        if self.maps is None or other.maps is None or len(self.maps) != len(other.maps):
            return False
        return all(map(_same, self.maps, other.maps))


def _same(a: object, b: object) -> bool:
    return a is b or (not (isinstance(a, Tensor) or isinstance(b, Tensor)) and a == b)
