"""Neural networks that are exactly linear: train g once, everything else is linear algebra.

`f(x) = g_y⁻¹(A g_x(x))` with invertible networks g and a linear operator A is linear for the
operations that g induces. Start with `Linearizer`, `InducedSpace`, `vector_bijection` and
`image_bijection`.
"""

from linearizer import bijections, conditioners, errors, estimation, flows, linalg, operators
from linearizer._version import __version__
from linearizer.applications import IdempotentGenerator, LinearDynamics, OneStepFlow, StyleTransfer
from linearizer.bijections import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Anchored,
    Bijection,
    Centering,
    Chain,
    Conv1x1,
    Flatten,
    Haar,
    Identity,
    Lapped,
    LULinear,
    Permute,
    Squeeze,
)
from linearizer.errors import LinearizerError
from linearizer.linearizer import Linearizer
from linearizer.operators import (
    CircularConvolution,
    Dense,
    Diagonal,
    FunctionOperator,
    IdentityPlusLowRank,
    LinearOperator,
    LowRank,
    OrthogonalProjection,
    ScaledIdentity,
    SymmetricConvolution,
    as_operator,
)
from linearizer.presets import image_bijection, style_bijection, vector_bijection
from linearizer.saving import Saveable, list_pretrained, load, save
from linearizer.spaces import InducedSpace, InducedVector

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Anchored",
    "Bijection",
    "Centering",
    "Chain",
    "CircularConvolution",
    "Conv1x1",
    "Dense",
    "Diagonal",
    "Flatten",
    "FunctionOperator",
    "Haar",
    "IdempotentGenerator",
    "Identity",
    "IdentityPlusLowRank",
    "InducedSpace",
    "InducedVector",
    "LULinear",
    "Lapped",
    "LinearDynamics",
    "LinearOperator",
    "Linearizer",
    "LinearizerError",
    "LowRank",
    "OneStepFlow",
    "OrthogonalProjection",
    "Permute",
    "Saveable",
    "ScaledIdentity",
    "Squeeze",
    "StyleTransfer",
    "SymmetricConvolution",
    "__version__",
    "as_operator",
    "bijections",
    "conditioners",
    "errors",
    "estimation",
    "flows",
    "image_bijection",
    "linalg",
    "list_pretrained",
    "load",
    "operators",
    "save",
    "style_bijection",
    "vector_bijection",
]
