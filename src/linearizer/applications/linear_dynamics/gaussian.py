"""What is not known of a start, carried through linear dynamics exactly."""

from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._checks import check_alike, check_finite
from linearizer._modes import wide_dtype
from linearizer.errors import RangeError, ShapeError


class GaussianForecast(NamedTuple):
    """The latents of a forecast, `z(t) ~ N(e^{Lt} m, e^{Lt} C e^{Lᵀt})`.

    Attributes:
        mean: (*batch, *times, n).
        covariance: (*times, n, n), or (*batch, *times, n, n) where the times of starts differ.
    """

    mean: Tensor
    covariance: Tensor


def propagated(propagators: Tensor, covariance: Tensor) -> Tensor:
    """`E C Eᵀ` for propagators E (*times, n, n) and C (n, n), symmetric to the last bit."""
    image = propagators @ covariance @ propagators.mT
    return (image + image.mT) / 2


def check_covariance(covariance: Tensor, n: int, like: Tensor) -> None:
    """Raise unless it is the covariance of latents (n,).

    Raises:
        ShapeError: If it is not (n, n).
        RangeError: If it is not symmetric and positive semi-definite, up to rounding.
    """
    if covariance.shape != (n, n):
        raise ShapeError(
            f"expected a covariance ({n}, {n}) of the latents, got {tuple(covariance.shape)}; "
            "that of points becomes one by the covariance of the latents of some of them"
        )
    check_alike(covariance, like, "expected a covariance of", ".to(dtype) converts it", "move it")
    check_finite(covariance, "the covariance")
    wide = covariance.to(wide_dtype(covariance.dtype))
    rounding = torch.finfo(wide.dtype).eps ** 0.5 * float(wide.abs().max())
    smallest = float(torch.linalg.eigvalsh(wide).min())
    if float((wide - wide.mT).abs().max()) > rounding or smallest < -rounding:
        raise RangeError(
            f"expected a symmetric covariance without negative variances, got one of "
            f"{smallest:.3g}; use torch.cov of some latents"
        )


def root(covariance: Tensor) -> Tensor:
    """B with `B Bᵀ = C` for a batch of covariances, singular ones too."""
    wide = covariance.to(wide_dtype(covariance.dtype))
    values, vectors = torch.linalg.eigh(wide)
    return (vectors * values.clamp_min(0).sqrt().unsqueeze(-2)).to(covariance.dtype)
