"""The whitening of data: their Gaussian becomes N(0, I)."""

import torch
from torch import Tensor

from linearizer._checks import check_between
from linearizer.bijections import Whitening
from linearizer.estimation.latents import BATCH
from linearizer.estimation.moments import Moments


@torch.no_grad()
def fit_whitening(x: Tensor, *, floor: float = 1e-3, scaled: bool = True) -> Whitening:
    """The principal axes of rows, most variance first, and the standard deviations along them.

    `σ_i² = λ_i + floor · mean λ`: what hardly varies, such as the difference of two equal columns,
    keeps a finite length. Computed in float64, one pass over the rows.

    Args:
        x: Rows (N, n).
        floor: What is added to each variance, as a share of their mean.
        scaled: Divide by the standard deviations; the rotation alone if not.

    Raises:
        ShapeError: If the rows are no vectors.
        NonFiniteError: If there is NaN or infinity.
        RangeError: If the floor is not positive, or there is no row.

    Example:
        >>> import torch, linearizer as lz
        >>> x = torch.randn(500, 3) @ torch.randn(3, 3) + 5.0
        >>> z = lz.estimation.fit_whitening(x, floor=1e-6)(x)
        >>> torch.allclose(torch.cov(z.mT, correction=0), torch.eye(3), atol=1e-2)
        True
    """
    check_between(floor, 1e-12, 1.0, "the floor")
    moments = Moments(x.shape[-1])
    for batch in x.split(BATCH * 10):
        moments.update(batch)
    values, axes = torch.linalg.eigh(moments.covariance())
    values = values.clamp_min(0).flip(0)
    mean_variance = values.mean()
    added = floor * mean_variance if float(mean_variance) else values.new_ones(())
    scales = (values + added).sqrt() if scaled else torch.ones_like(values)
    return Whitening(moments.mean().to(x), axes.flip(1).contiguous().to(x), scales.to(x))
