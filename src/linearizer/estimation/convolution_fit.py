"""The best convolution between images: a Wiener filter, streamed and in closed form."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from linearizer._checks import as_shape, check_between, check_event, check_finite
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.circular_convolution import CircularConvolution


class ConvolutionLeastSquares:
    """Least squares over circular convolutions: `min_k Σ |k * x - y|² + ridge |k|²`.

    Batches leave two matrices for each frequency, `Σ x xᴴ` and `Σ y xᴴ` in float64, so memory
    does not grow with their number. A convolution multiplies each frequency by a matrix K, and
    by Parseval's theorem the squares are summed there: without a kernel size, every frequency is
    a problem of its own, `K Σ x xᴴ = Σ y xᴴ`, whose solution is the Wiener filter (Wiener,
    Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949). With a kernel
    size, the normal equations of the few entries are read off the correlations, which are the
    inverse transform of these matrices.

    Args:
        channels: (C_in, C_out).
        size: (H, W) of the images.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.CircularConvolution(torch.randn(3, 2, 3, 3), (8, 8))
        >>> z = torch.randn(50, 2, 8, 8)
        >>> fit = lz.estimation.ConvolutionLeastSquares((2, 3), (8, 8)).update(z, A(z))
        >>> torch.allclose(fit.solve(kernel_size=3).kernel, A.kernel, atol=1e-4)
        True
    """

    def __init__(self, channels: tuple[int, int], size: Sequence[int]) -> None:
        self.channels, self.size = channels, as_shape(size)
        self.count = 0
        self._dtype = torch.get_default_dtype()
        frequencies = (self.size[0], self.size[1] // 2 + 1)
        (c_in, c_out), complex_ = channels, torch.complex128
        self._xx = torch.zeros(*frequencies, c_in, c_in, dtype=complex_)
        self._yx = torch.zeros(*frequencies, c_out, c_in, dtype=complex_)

    def update(self, x: Tensor, y: Tensor) -> Self:
        """Add a batch of pairs (B, C_in, H, W) and (B, C_out, H, W).

        Raises:
            ShapeError: If the shapes do not fit, or the batches are not of one length.
            NonFiniteError: If there is NaN or infinity.
        """
        for images, channels, what in (
            (x, self.channels[0], "the fit's input"),
            (y, self.channels[1], "the fit's output"),
        ):
            check_event(images, (channels, *self.size), what)
            check_finite(images, what)
        if x.shape[:-3] != y.shape[:-3]:
            raise ShapeError(f"expected pairs, got {len(x)} inputs and {len(y)} outputs")
        X, Y = (torch.fft.rfft2(z.detach().double().flatten(0, -4)) for z in (x, y))
        self._xx += torch.einsum("bihw,bjhw->hwij", X, X.conj()).to(self._xx.device)
        self._yx += torch.einsum("bohw,bjhw->hwoj", Y, X.conj()).to(self._yx.device)
        self.count += len(X)
        self._dtype = y.dtype
        return self

    def solve(self, ridge: float = 0.0, kernel_size: int | None = None) -> CircularConvolution:
        """The best convolution.

        Args:
            ridge: Weight of |k|², relative to the mean energy of an input channel: unlike an
                absolute one it means the same whatever the number and the scale of images.
            kernel_size: Side of the kernel, odd; that of the images if not given.

        Raises:
            RangeError: If no pair was given, the ridge is negative, or the kernel is even or
                larger than the images.
        """
        if not self.count:
            raise RangeError("expected at least one pair to fit, got none; call update first")
        check_between(ridge, 0.0, math.inf, "the ridge")
        energy = self._energy()
        if kernel_size is None:
            identity = torch.eye(self.channels[0], dtype=self._xx.dtype)
            damped = self._xx + (ridge * energy + torch.finfo(torch.float64).tiny) * identity
            response = self._yx @ torch.linalg.pinv(damped, hermitian=True)
            kernel = torch.fft.irfft2(response.permute(2, 3, 0, 1), s=self.size)
            center = tuple(side // 2 for side in self.size)
            kernel = torch.roll(kernel, center, dims=(-2, -1))
        else:
            kernel = self._small_kernel(ridge * energy, kernel_size)
        return CircularConvolution(kernel.to(self._dtype), self.size)

    def correlations(self, side: int) -> Tensor:
        """`Σ z zᵀ` over all windows z of the inputs, of `side` × `side` pixels, flattened.

        Raises:
            RangeError: If the side is even or larger than the images.
        """
        if side % 2 == 0:
            raise RangeError(f"expected a kernel with a center, of odd side, got {side}")
        check_between(side, 1, min(self.size), "the side of the kernel")
        r = torch.fft.irfft2(self._xx.permute(2, 3, 0, 1), s=self.size)
        rows, columns = _offsets(side)
        gram = r[:, :, rows - rows[:, None], columns - columns[:, None]]  # i, j, q, p: lag p - q
        return gram.permute(0, 2, 1, 3).reshape(self.channels[0] * side**2, -1)

    def _small_kernel(self, ridge: float, side: int) -> Tensor:
        """The solution of `Σ_jp k_oj[p] r_ij[p - q] = c_oi[q]`, where the derivative is zero.

        `r_ij[d] = Σ_s x_i[s] x_j[s - d]` are the correlations of x, and c those of y with x.
        """
        gram = self.correlations(side)
        c_in, c_out = self.channels
        rows, columns = _offsets(side)
        c = torch.fft.irfft2(self._yx.permute(2, 3, 0, 1), s=self.size)
        right = c[:, :, rows, columns].reshape(c_out, -1)
        damped = gram + ridge * torch.eye(len(gram), dtype=gram.dtype)
        solution = torch.linalg.lstsq(damped, right.mT, driver="gelsd").solution
        return solution.mT.reshape(c_out, c_in, side, side)

    def _energy(self) -> float:
        """The sum of squares of an input channel over all images, in the scale of `_xx`."""
        return float(
            torch.fft.irfft2(self._xx.diagonal(dim1=-2, dim2=-1).permute(2, 0, 1), s=self.size)[
                :, 0, 0
            ].mean()
        )


def _offsets(side: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of a kernel's entries from its center, flattened."""
    offsets = torch.arange(side) - side // 2
    rows, columns = torch.meshgrid(offsets, offsets, indexing="ij")
    return rows.flatten(), columns.flatten()
