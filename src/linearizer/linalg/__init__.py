"""Linear algebra of operators: functions, decompositions and real powers of A."""

from linearizer.linalg.decompositions import SVD, Eigen, eig, null_basis, range_basis, svd
from linearizer.linalg.functions import (
    cond,
    expm,
    logabsdet,
    logm,
    matrix_function,
    matrix_power,
    norm,
    pinv,
    polar,
    power,
    rank,
    singular_values,
    tolerance,
)
from linearizer.linalg.fuse import fuse
from linearizer.linalg.solve import solve

__all__ = [
    "SVD",
    "Eigen",
    "cond",
    "eig",
    "expm",
    "fuse",
    "logabsdet",
    "logm",
    "matrix_function",
    "matrix_power",
    "norm",
    "null_basis",
    "pinv",
    "polar",
    "power",
    "range_basis",
    "rank",
    "singular_values",
    "solve",
    "svd",
    "tolerance",
]
