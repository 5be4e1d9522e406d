"""Operators A: linear maps of latent vectors, one class a file."""

from linearizer.operators.base import LinearOperator, Product, Scaled, Sum, Transpose
from linearizer.operators.blocks import Blocks
from linearizer.operators.circular_convolution import CircularConvolution
from linearizer.operators.convolution import Convolution
from linearizer.operators.dense import Dense, as_operator
from linearizer.operators.diagonal import Diagonal, ScaledIdentity
from linearizer.operators.function import FunctionOperator
from linearizer.operators.learned_projection import (
    LearnedDiagonalProjection,
    LearnedObliqueProjection,
    LearnedOrthogonalProjection,
    LearnedProjection,
)
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank
from linearizer.operators.mask import BinaryMask
from linearizer.operators.projection import OrthogonalProjection
from linearizer.operators.symmetric_convolution import SymmetricConvolution

__all__ = [
    "BinaryMask",
    "Blocks",
    "CircularConvolution",
    "Convolution",
    "Dense",
    "Diagonal",
    "FunctionOperator",
    "IdentityPlusLowRank",
    "LearnedDiagonalProjection",
    "LearnedObliqueProjection",
    "LearnedOrthogonalProjection",
    "LearnedProjection",
    "LinearOperator",
    "LowRank",
    "OrthogonalProjection",
    "Product",
    "Scaled",
    "ScaledIdentity",
    "Sum",
    "SymmetricConvolution",
    "Transpose",
    "as_operator",
]
