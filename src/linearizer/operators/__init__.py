"""Operators A: linear maps of latent vectors, and their algebra."""

from linearizer.operators.algebra import (
    cond,
    expm,
    logabsdet,
    matrix_function,
    matrix_power,
    norm,
    pinv,
    power,
    rank,
    singular_values,
    solve,
    tolerance,
)
from linearizer.operators.base import LinearOperator, Product, Scaled, Sum, Transpose
from linearizer.operators.binary_projection import (
    BinaryDiagonal,
    BinaryProjection,
    ObliqueProjection,
    OrthogonalProjection,
)
from linearizer.operators.blocks import Blocks
from linearizer.operators.convolution import CircularConvolution
from linearizer.operators.convolution_fit import ConvolutionLeastSquares
from linearizer.operators.convolution_refinement import refine_convolution
from linearizer.operators.covariance_flow import (
    CovarianceFlow,
    PrincipalCovarianceFlow,
    SpectralFlow,
)
from linearizer.operators.decompositions import SVD, Eigen, eig, null_basis, range_basis, svd
from linearizer.operators.dense import Dense, as_operator
from linearizer.operators.diagonal import Diagonal, ScaledIdentity
from linearizer.operators.function import FunctionOperator
from linearizer.operators.fuse import fuse
from linearizer.operators.hyper_low_rank import HyperLowRank
from linearizer.operators.integration import METHODS, Method, collapse, integrate
from linearizer.operators.least_squares import LeastSquares
from linearizer.operators.low_rank import IdentityPlusLowRank, LowRank
from linearizer.operators.mask import BinaryMask
from linearizer.operators.moments import Moments, PrincipalMoments
from linearizer.operators.projection import Projection
from linearizer.operators.time_dependent import TimeDependentOperator

__all__ = [
    "METHODS",
    "SVD",
    "BinaryDiagonal",
    "BinaryMask",
    "BinaryProjection",
    "Blocks",
    "CircularConvolution",
    "ConvolutionLeastSquares",
    "CovarianceFlow",
    "Dense",
    "Diagonal",
    "Eigen",
    "FunctionOperator",
    "HyperLowRank",
    "IdentityPlusLowRank",
    "LeastSquares",
    "LinearOperator",
    "LowRank",
    "Method",
    "Moments",
    "ObliqueProjection",
    "OrthogonalProjection",
    "PrincipalCovarianceFlow",
    "PrincipalMoments",
    "Product",
    "Projection",
    "Scaled",
    "ScaledIdentity",
    "SpectralFlow",
    "Sum",
    "TimeDependentOperator",
    "Transpose",
    "as_operator",
    "collapse",
    "cond",
    "eig",
    "expm",
    "fuse",
    "integrate",
    "logabsdet",
    "matrix_function",
    "matrix_power",
    "norm",
    "null_basis",
    "pinv",
    "power",
    "range_basis",
    "rank",
    "refine_convolution",
    "singular_values",
    "solve",
    "svd",
    "tolerance",
]
