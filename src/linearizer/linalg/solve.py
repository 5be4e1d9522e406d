"""Least squares of one operator: its pseudo-inverse applied, and made only where it is small."""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from linearizer._checks import check_finite
from linearizer._gate import call_checked
from linearizer._modes import exact
from linearizer.linalg.functions import evaluated, pinv
from linearizer.operators.base import LinearOperator, describe
from linearizer.operators.cosine import dct2, idct2
from linearizer.operators.symmetric_convolution import BAND, SymmetricConvolution


@exact
def solve(
    A: LinearOperator, y: Tensor, progress: Callable[[float], None] = lambda done: None
) -> Tensor:
    """The z of least norm among those that minimize |A z - y|, which is A⁺ y.

    The pseudo-inverse of a symmetric convolution is not made: its frequencies are solved in
    float64, some rows of them at a time, so that a photograph of 12 megapixels takes little more
    memory than its latents do. Where a derivative is asked for, it is made as that of all others.

    Args:
        A: The operator.
        y: (*batch, *A.out_shape).
        progress: Is called with the share that is done, up to 1.

    Example:
        >>> import torch, linearizer as lz
        >>> lz.linalg.solve(lz.Diagonal(torch.tensor([4., 0.])), torch.ones(2))
        tensor([0.2500, 0.0000])
    """
    wide = evaluated(A)
    if isinstance(wide, SymmetricConvolution) and not _has_derivative(wide, y):
        check_finite(wide.kernel, f"the entries of {describe(A)}")
        function = partial(_by_frequency, wide, torch.finfo(A.dtype).eps, progress)
        return call_checked(A, function, y, A.out_shape, A.in_shape)
    z: Tensor = pinv(A)(y)
    progress(1.0)
    return z


def _has_derivative(A: SymmetricConvolution, y: Tensor) -> bool:
    return torch.is_grad_enabled() and (A.kernel.requires_grad or y.requires_grad)


@torch.no_grad()
def _by_frequency(
    A: SymmetricConvolution, eps: float, progress: Callable[[float], None], y: Tensor
) -> Tensor:
    """A⁺ y, in bands of rows of frequencies; singular values up to `eps · n · σ_max` are zero."""
    A = A._in_dtype(torch.float64)  # type: ignore[assignment]
    relative = eps * max(A.n_in, A.n_out)

    @cache
    def zero() -> float:
        return relative * _largest_singular_value(A)

    C_out, C_in = A.kernel.shape[:2]
    spectrum = _image_by_image(dct2, y, torch.float64).reshape(-1, *A.out_shape)
    square = C_in == C_out  # then the solution takes the place of what it solves
    found = spectrum if square else spectrum.new_empty(len(spectrum), *A.in_shape)
    surely_above = relative * _bound(A)
    for rows in A.bands():
        inverse = _inverted(A.response(rows), surely_above, zero)
        given = spectrum[:, :, rows].permute(2, 3, 1, 0)
        found[:, :, rows] = (inverse @ given).permute(3, 2, 0, 1)
        progress(rows.stop / A.size[0])
    return _image_by_image(idct2, found, y.dtype).reshape(*y.shape[:-3], *A.in_shape)


def _inverted(matrices: Tensor, surely_above: float, zero: Callable[[], float]) -> Tensor:
    """The pseudo-inverses: inverses wherever these show that no singular value counts as zero.

    No singular value of K is below `1 / |K⁻¹|` in the Frobenius norm. So where that is above what
    the tolerance is at most, neither a decomposition nor the tolerance itself is needed, of which
    both cost several times as much.
    """
    if matrices.shape[-1] != matrices.shape[-2]:
        return torch.linalg.pinv(matrices, atol=zero(), rtol=0.0)
    inverses, failed = torch.linalg.inv_ex(matrices)
    regular = surely_above * torch.linalg.vector_norm(inverses, dim=(-2, -1)) < 1
    others = ~regular | (failed != 0)
    if bool(others.any()):
        inverses[others] = torch.linalg.pinv(matrices[others], atol=zero(), rtol=0.0)
    return inverses


def _bound(A: SymmetricConvolution) -> float:
    """What σ_max is at most: `Σ_ab w_a w_b |k[a, b]|`, by the triangle inequality."""
    sizes = torch.linalg.vector_norm(A.kernel, dim=(0, 1))
    sizes[1:] *= 2
    sizes[:, 1:] *= 2
    return float(sizes.sum())


def _largest_singular_value(A: SymmetricConvolution) -> float:
    """σ_max, from those frequencies alone whose Frobenius norm leaves it open."""
    largest = 0.0
    for rows in A.bands():
        matrices = A.response(rows).flatten(0, 1)
        open_ = matrices[torch.linalg.vector_norm(matrices, dim=(-2, -1)) > largest]
        if len(open_):
            largest = max(largest, float(torch.linalg.matrix_norm(open_, ord=2).max()))
    return largest


def _image_by_image(
    transform: Callable[[Tensor], Tensor], images: Tensor, dtype: torch.dtype
) -> Tensor:
    """A transform of single channels (..., H, W), of a few at a time, computed in float64."""
    flat = images.reshape(-1, *images.shape[-2:])
    made = torch.empty_like(flat, dtype=dtype)
    step = max(1, BAND // (8 * flat[:1].numel())) if len(flat) else 1
    for start in range(0, len(flat), step):
        some = slice(start, start + step)
        made[some] = transform(flat[some].double())
    return made
