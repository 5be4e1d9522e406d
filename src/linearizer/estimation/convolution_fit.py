"""The best convolution between images: a Wiener filter, streamed and in closed form."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from linearizer._checks import as_shape, check_between, check_event, check_finite
from linearizer.errors import RangeError, ShapeError
from linearizer.operators.convolution import Convolution, unit_kernels
from linearizer.operators.symmetric_convolution import SymmetricConvolution


class ConvolutionLeastSquares:
    """Least squares over convolutions: `min_k Σ |k * x - y|² + ridge |k|²`.

    An orthonormal transform of images makes a convolution a product with one matrix K(ω) for each
    frequency, and keeps the squares. So batches leave two matrices for each frequency, `Σ x xᴴ`
    and `Σ y xᴴ` in float64, and memory does not grow with their number. Without a kernel size,
    every frequency is a problem of its own, `K Σ x xᴴ = Σ y xᴴ`, whose solution is the Wiener
    filter (Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949).
    With one, K(ω) is linear in the few entries of the kernel, and so their normal equations are
    sums over frequencies. |k|² is the mean of |K(ω)|².

    Args:
        channels: (C_in, C_out).
        size: (H, W) of the images.
        kind: Class of the convolution, and so what is beyond the border.

    Example:
        >>> import torch, linearizer as lz
        >>> A = lz.SymmetricConvolution(torch.randn(3, 2, 2, 2), (8, 8))
        >>> z = torch.randn(50, 2, 8, 8)
        >>> fit = lz.estimation.ConvolutionLeastSquares((2, 3), (8, 8)).update(z, A(z))
        >>> torch.allclose(fit.solve(kernel_size=3).kernel, A.kernel, atol=1e-4)
        True
    """

    def __init__(
        self,
        channels: tuple[int, int],
        size: Sequence[int],
        kind: type[Convolution] = SymmetricConvolution,
    ) -> None:
        self.channels, self.size, self.kind = channels, as_shape(size), kind
        self.count = 0
        self._dtype = torch.get_default_dtype()
        (c_in, c_out), numbers = channels, kind.transform(torch.zeros(1, 1, dtype=torch.float64))
        self._xx = numbers.new_zeros(*self.size, c_in, c_in)
        self._yx = numbers.new_zeros(*self.size, c_out, c_in)

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
        X, Y = (self.kind.transform(z.detach().double().flatten(0, -4)) for z in (x, y))
        self._xx += torch.einsum("bihw,bjhw->hwij", X, X.conj()).to(self._xx.device)
        self._yx += torch.einsum("bohw,bjhw->hwoj", Y, X.conj()).to(self._yx.device)
        self.count += len(X)
        self._dtype = y.dtype
        return self

    def solve(self, ridge: float = 0.0, kernel_size: int | None = None) -> Convolution:
        """The best convolution.

        Args:
            ridge: Weight of |k|², relative to the mean energy of an input channel: unlike an
                absolute one it means the same whatever the number and the scale of images.
            kernel_size: Pixels that the kernel spans along an axis, odd; the whole images if not
                given.

        Raises:
            RangeError: If no pair was given, the ridge is negative, or the kernel is even or
                larger than the images.
        """
        if not self.count:
            raise RangeError("expected at least one pair to fit, got none; call update first")
        check_between(ridge, 0.0, math.inf, "the ridge")
        damping = ridge * self._energy()
        if kernel_size is None:
            return self._whole(damping)
        if kernel_size % 2 == 0:
            raise RangeError(f"expected a kernel with a center, of odd side, got {kernel_size}")
        check_between(kernel_size, 1, self.kind.span(min(self.size)), "the side of the kernel")
        return self._small(damping, self.kind.entries(kernel_size))

    def gram(self, shape: Sequence[int]) -> Tensor:
        """The inner products of what the unit kernels of a shape (p, q) make of the inputs.

        `G[(i, e), (j, f)] = Σ ⟨e * x_i, f * x_j⟩` for channels i and j and entries e and f of the
        kernel, (C_in p q, C_in p q): the second derivative of the squares in a kernel.
        """
        units = self._responses(shape)
        c_in, count = self.channels[0], units.shape[-1]
        total = units.new_zeros(count**2, c_in**2)
        for row, xx in zip(units, self._xx, strict=True):  # all at once would take much memory
            pairs = (row.conj().unsqueeze(-1) * row.unsqueeze(-2)).flatten(1)
            total += pairs.mT @ xx.flatten(1)
        e_f_j_i = total.real.unflatten(0, (count, count)).unflatten(-1, (c_in, c_in))
        return e_f_j_i.permute(3, 0, 2, 1).reshape(c_in * count, -1)

    def _whole(self, damping: float) -> Convolution:
        """The solution of `K (Σ x xᴴ + damping I) = Σ y xᴴ` at every frequency."""
        identity = torch.eye(self.channels[0], dtype=self._xx.dtype)
        damped = self._xx + (damping + torch.finfo(torch.float64).tiny) * identity
        response = self._yx @ torch.linalg.pinv(damped, hermitian=True)
        return self.kind(self.kind.from_response(response).kernel.to(self._dtype), self.size)

    def _small(self, damping: float, entries: int) -> Convolution:
        """The solution of `Σ_jf k_oj[f] G[(j, f), (i, e)] = Σ ⟨e * x_i, y_o⟩`."""
        shape = (entries, entries)
        units = self._responses(shape)
        right = torch.einsum("hwe,hwoi->oie", units.conj(), self._yx).real.flatten(1)
        norms = torch.einsum("hwe,hwf->ef", units.conj(), units).real
        identity = torch.eye(self.channels[0], dtype=norms.dtype)
        damped = self.gram(shape) + damping * torch.kron(identity, norms)
        kernel = torch.linalg.lstsq(damped, right.mT, driver="gelsd").solution.mT
        kernel = kernel.reshape(*reversed(self.channels), *shape)
        return self.kind(kernel.to(self._dtype), self.size)

    def _responses(self, shape: Sequence[int]) -> Tensor:
        """`K(ω)` of each unit kernel, (H, W, p q)."""
        kernels = unit_kernels(shape, torch.zeros((), dtype=torch.float64))
        return self.kind(kernels, self.size).response().squeeze(-1)

    def _energy(self) -> float:
        """The sum of squares of an input channel over all images, for a mean over frequencies."""
        squares = self._xx.diagonal(dim1=-2, dim2=-1).real.sum() / self.channels[0]
        return float(squares) / torch.Size(self.size).numel()
