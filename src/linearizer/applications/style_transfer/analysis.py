"""What styles have in common, read off their operators."""

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from linearizer import linalg
from linearizer._checks import Shape, check_between
from linearizer.errors import RangeError
from linearizer.operators import CircularConvolution, LinearOperator


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
    mean: CircularConvolution
    operators: list[CircularConvolution]
    coordinates: Tensor
    shares: Tensor


def distances(operators: Sequence[CircularConvolution]) -> Tensor:
    """What `StyleTransfer.distances` returns, of operators on one size."""
    matrices = [A.response().flatten() for A in operators]
    norms = [float(m.norm()) for m in matrices]
    return torch.tensor(
        [
            [float((a - b).norm()) / math.sqrt(p * q) for b, q in zip(matrices, norms, strict=True)]
            for a, p in zip(matrices, norms, strict=True)
        ]
    )


def directions(A: CircularConvolution, count: int) -> list[LinearOperator]:
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


def shared_basis(names: list[str], operators: Sequence[CircularConvolution]) -> SharedBasis:
    """What `StyleTransfer.shared_basis` returns, of the operators of these names."""
    if len(names) < 2:
        raise RangeError(f"expected two styles or more to share a basis, got {names}")
    size, count = operators[0].size, len(names) - 1
    stacked = torch.stack(on_one_side([A.kernel for A in operators]))
    mean = stacked.mean(0)
    U, S, Vh = torch.linalg.svd((stacked - mean).flatten(1).double(), full_matrices=False)
    made = [CircularConvolution(k, size) for k in Vh[:count].to(mean).unflatten(1, mean.shape)]
    coordinates, shares = (U * S)[:, :count], S[:count].square() / S.square().sum()
    return SharedBasis(names, CircularConvolution(mean, size), made, coordinates.to(mean), shares)


def _enlarged(kernel: Tensor, side: int) -> Tensor:
    """A kernel with zeros around it, its center where that of a larger one is."""
    missing = side // 2 - kernel.shape[-1] // 2
    after = side - kernel.shape[-1] - missing
    return nn.functional.pad(kernel, (missing, after, missing, after))


def in_double(operator: LinearOperator) -> LinearOperator:
    """A copy in float64; the operator itself stays as it is."""
    return copy.deepcopy(operator).double()


def on_geodesic(A: CircularConvolution, B: CircularConvolution, s: float) -> LinearOperator:
    """`A (A⁻¹ B)^s`, computed in float64."""
    start = in_double(A)
    step = linalg.power(linalg.fuse(linalg.pinv(start) @ in_double(B)), s)
    return linalg.fuse(start @ step).to(A.dtype)


def cond(A: LinearOperator) -> float:
    """The condition number, computed in float64."""
    return float(linalg.cond(in_double(A)))


def identity(shape: Shape, like: Tensor | None) -> CircularConvolution:
    """The convolution that leaves latents (c, h, w) as they are, in the dtype of a tensor."""
    eye = torch.eye(shape[0])
    return CircularConvolution((eye if like is None else eye.to(like))[..., None, None], shape[1:])


def mixed(
    operators: Sequence[CircularConvolution], weights: Sequence[float]
) -> CircularConvolution:
    """`Σ w_i A_i` of operators on one size."""
    kernels = on_one_side([A.kernel for A in operators])
    total = torch.stack([w * k for w, k in zip(weights, kernels, strict=True)]).sum(0)
    return CircularConvolution(total, operators[0].size)


def on_line(P: CircularConvolution, A: CircularConvolution, s: float) -> CircularConvolution:
    """`(1 - s) P + s A`."""
    return mixed([P, A], [1 - s, s])


def on_one_side(kernels: Sequence[Tensor]) -> list[Tensor]:
    """Kernels enlarged by zeros to the side of the largest, so that they can be added."""
    side = max(kernel.shape[-1] for kernel in kernels)
    return [_enlarged(kernel, side) for kernel in kernels]
