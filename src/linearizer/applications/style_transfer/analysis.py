"""What styles have in common, read off their operators."""

import copy
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer import linalg
from linearizer._checks import Shape, check_between
from linearizer.errors import RangeError
from linearizer.operators import Convolution, LinearOperator
from linearizer.operators.convolution import one_shape


class SharedBasis(NamedTuple):
    """Styles by their coordinates: `A_s = mean + Σ_i coordinates[s, i] · operators[i]`.

    Attributes:
        names: Of the styles.
        mean: Of their operators.
        operators: Orthonormal in their kernels, the most telling first.
        coordinates: (styles, len(operators)).
        shares: Of the variance between styles, for each operator.
    """

    names: list[str]
    mean: Convolution
    operators: list[Convolution]
    coordinates: Tensor
    shares: Tensor


def distances(operators: Sequence[Convolution]) -> Tensor:
    """What `StyleTransfer.distances` returns, of operators on one size."""
    matrices = [A.response().flatten() for A in operators]
    norms = [float(m.norm()) for m in matrices]
    return torch.tensor(
        [
            [float((a - b).norm()) / math.sqrt(p * q) for b, q in zip(matrices, norms, strict=True)]
            for a, p in zip(matrices, norms, strict=True)
        ]
    )


def mixed(operators: Sequence[Convolution], weights: Iterable[float]) -> Convolution:
    """`Σ_s w_s A_s` of operators of one kind on one size."""
    kernels = one_shape(type(operators[0]), [A.kernel for A in operators])
    total = torch.stack([w * k for w, k in zip(weights, kernels, strict=True)]).sum(0)
    return type(operators[0])(total, operators[0].size)


def directions(A: Convolution, count: int) -> list[LinearOperator]:
    """What `StyleTransfer.directions` returns, of the operator of a style."""
    check_between(count, 1, min(A.kernel.shape[:2]), "the number of directions")
    reduced = in_double(A).blocks()
    triplets = [torch.linalg.svd(matrices, full_matrices=False) for matrices in reduced.matrices]

    def part(i: int) -> LinearOperator:
        return reduced.rebuild(
            tuple(
                S[:, i, None, None] * U[:, :, i, None] * Vh[:, i, None, :] for U, S, Vh in triplets
            )
        )

    return [part(i).to(A.dtype) for i in range(count)]


def shared_basis(names: list[str], operators: Sequence[Convolution]) -> SharedBasis:
    """What `StyleTransfer.shared_basis` returns, of the operators of these names."""
    if len(names) < 2:
        raise RangeError(f"expected two styles or more to share a basis, got {names}")
    kind, size, count = type(operators[0]), operators[0].size, len(names) - 1
    stacked = torch.stack(one_shape(kind, [A.kernel for A in operators]))
    mean = stacked.mean(0)
    U, S, Vh = torch.linalg.svd((stacked - mean).flatten(1).double(), full_matrices=False)
    made = [kind(k, size) for k in Vh[:count].to(mean).unflatten(1, mean.shape)]
    coordinates, shares = (U * S)[:, :count], S[:count].square() / S.square().sum()
    return SharedBasis(names, kind(mean, size), made, coordinates.to(mean), shares)


def in_double(operator: LinearOperator) -> LinearOperator:
    """A copy in float64; the operator itself stays as it is."""
    return copy.deepcopy(operator).double()


def on_geodesic(A: Convolution, B: Convolution, s: float) -> LinearOperator:
    """`A (A⁻¹ B)^s`, computed in float64."""
    start = in_double(A)
    step = linalg.power(linalg.fuse(linalg.pinv(start) @ in_double(B)), s)
    return linalg.fuse(start @ step).to(A.dtype)


def cond(A: LinearOperator) -> float:
    """The condition number, computed in float64."""
    return float(linalg.cond(in_double(A)))


def identity(kind: type[Convolution], shape: Shape, like: Tensor | None) -> Convolution:
    """The convolution that leaves latents (c, h, w) as they are, in the dtype of a tensor."""
    eye = torch.eye(shape[0])
    return kind((eye if like is None else eye.to(like))[..., None, None], shape[1:])


def on_line(P: Convolution, A: Convolution, s: float) -> Convolution:
    """`(1 - s) P + s A`."""
    return mixed([P, A], [1 - s, s])
