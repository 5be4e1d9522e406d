"""Principal axes, each in its own standard deviation: a Gaussian becomes N(0, I)."""

import torch
from torch import Tensor

from linearizer._checks import check_finite
from linearizer._modes import in_single
from linearizer._rotation import check_orthonormal
from linearizer.bijections.base import Bijection
from linearizer.errors import RangeError, ShapeError


class Whitening(Bijection):
    """`x ↦ diag(1/σ) Qᵀ (x - μ)`, with orthonormal axes Q and the standard deviations along them.

    It makes N(0, I) of a Gaussian with mean μ and covariance `Q diag(σ²) Qᵀ`, and has the exact
    inverse `z ↦ Q diag(σ) z + μ`. `estimation.fit_whitening` takes all three from data.

    Args:
        mean: μ, (n,).
        axes: Q, (n, n), orthonormal columns.
        scales: σ, (n,), positive.

    Raises:
        ShapeError: If the shapes do not fit each other.
        RangeError: If the axes are not orthonormal, or a scale is not positive.
        NonFiniteError: If there is NaN or infinity.

    Example:
        >>> import torch, linearizer as lz
        >>> g = lz.bijections.Whitening(torch.ones(2), torch.eye(2), torch.tensor([1.0, 4.0]))
        >>> g(torch.tensor([2.0, 9.0])), g.forward_and_log_det(torch.ones(2))[1].exp()
        (tensor([1., 2.]), tensor(0.25))
    """

    mean: Tensor
    axes: Tensor
    scales: Tensor

    def __init__(self, mean: Tensor, axes: Tensor, scales: Tensor) -> None:
        n = mean.numel()
        if mean.shape != (n,) or axes.shape != (n, n) or scales.shape != (n,):
            raise ShapeError(
                f"expected a mean (n,), axes (n, n) and scales (n,), got {tuple(mean.shape)}, "
                f"{tuple(axes.shape)} and {tuple(scales.shape)}"
            )
        for part in (mean, axes, scales):
            check_finite(part, "the moments")
        check_orthonormal(axes.float(), "take torch.linalg.qr(axes)[0]")
        if not scales.is_meta and not bool((scales > 0).all()):
            raise RangeError("expected positive scales, got one of zero or below; give a floor")
        super().__init__(n)
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes.contiguous())
        self.register_buffer("scales", scales)

    def _forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) @ self.axes / self.scales

    def _inverse(self, z: Tensor) -> Tensor:
        # Axes that were rounded are not quite orthonormal: their inverse is not their transpose.
        rows = (z * self.scales).reshape(-1, len(self.mean))
        solved = in_single(torch.linalg.solve, self.axes.mT, rows.mT)
        return solved.mT.reshape(z.shape) + self.mean

    def _forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        volume = in_single(lambda Q: torch.linalg.slogdet(Q).logabsdet, self.axes)
        log_det = volume - torch.log(self.scales).sum()
        return self._forward(x), log_det.expand(x.shape[:-1])
