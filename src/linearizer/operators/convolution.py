"""Circular convolution: a small matrix for each frequency, so its algebra is exact and cheap."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linearizer._checks import Shape, as_shape
from linearizer._modes import wide_dtype
from linearizer.errors import ShapeError
from linearizer.operators.base import LinearOperator
from linearizer.operators.blocks import Blocks
from linearizer.operators.entries import check_real, register


class CircularConvolution(LinearOperator):
    """`y_o[p] = Σ_i Σ_q k_oi[q] z_i[p - q + center]` on images that wrap around.

    The 2-D Fourier transform makes it block-diagonal: one C_out × C_in matrix for each frequency.
    The kernel stays real, so the block at -ω is the conjugate of the one at ω.

    Args:
        kernel: (C_out, C_in, kh, kw), its center at (kh // 2, kw // 2); trained if it is an
            `nn.Parameter`.
        size: (H, W) of the images, at least the kernel's.

    Raises:
        ShapeError: If the kernel is larger than the images or has no four axes.

    Example:
        >>> import torch, linearizer as lz
        >>> blur = lz.CircularConvolution(torch.full((1, 1, 3, 3), 1 / 9), (7, 7))
        >>> sharp = torch.randn(1, 7, 7, dtype=torch.float64)
        >>> torch.allclose(lz.linalg.pinv(blur.double())(blur(sharp)), sharp)
        True
    """

    kernel: Tensor

    def __init__(self, kernel: Tensor, size: Sequence[int]) -> None:
        size = as_shape(size)
        if (
            kernel.ndim != 4
            or len(size) != 2
            or any(k > s for k, s in zip(kernel.shape[2:], size, strict=True))
        ):
            raise ShapeError(
                f"expected a kernel (C_out, C_in, kh, kw) and a size (H, W) no smaller, got "
                f"{tuple(kernel.shape)} and {size}; crop the kernel or enlarge the images"
            )
        check_real(kernel, "a kernel")
        super().__init__((kernel.shape[1], *size), (kernel.shape[0], *size))
        self.size = size
        register(self, "kernel", kernel)

    @classmethod
    def from_response(cls, response: Tensor) -> "CircularConvolution":
        """The convolution whose matrices are `response[h, w]`, of shape (H, W, C_out, C_in).

        The response must be conjugate symmetric, as that of a real kernel is.
        """
        H, W = response.shape[:2]
        kernel = torch.fft.ifft2(response, dim=(0, 1)).real
        kernel = torch.roll(kernel, (H // 2, W // 2), dims=(0, 1))
        return cls(kernel.permute(2, 3, 0, 1).contiguous(), (H, W))

    def response(self) -> Tensor:
        """The matrices of all frequencies, complex, (H, W, C_out, C_in)."""
        return torch.fft.fft2(self._kernel_at_origin(), s=self.size).permute(2, 3, 0, 1)

    def _half_response(self) -> Tensor:
        return torch.fft.rfft2(self._kernel_at_origin(), s=self.size)

    def _kernel_at_origin(self) -> Tensor:
        kh, kw = self.kernel.shape[2:]
        H, W = self.size
        kernel = self.kernel.to(wide_dtype(self.dtype))
        padded = torch.nn.functional.pad(kernel, (0, W - kw, 0, H - kh))
        return torch.roll(padded, (-(kh // 2), -(kw // 2)), dims=(2, 3))

    def _forward(self, z: Tensor) -> Tensor:
        """Convolve, through the Fourier transform: O(N log N)."""
        return self._filter(z, "oihw,...ihw->...ohw", self._half_response(), self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        """Correlate: the conjugate transpose at every frequency."""
        conjugate = self._half_response().conj()
        return self._filter(y, "oihw,...ohw->...ihw", conjugate, self.in_shape)

    def _filter(self, x: Tensor, product: str, response: Tensor, shape: Shape) -> Tensor:
        if not x.numel():  # the transform refuses an empty batch
            return x.new_zeros(*x.shape[:-3], *shape)
        spectrum = torch.fft.rfft2(x.to(wide_dtype(x.dtype)))
        return torch.fft.irfft2(torch.einsum(product, response, spectrum), s=self.size).to(x.dtype)

    def _scaled(self, factor: Tensor) -> LinearOperator:
        return CircularConvolution(factor * self.kernel, self.size)

    def blocks(self) -> Blocks:
        """One C_out × C_in block for each frequency; conjugate pairs count twice."""
        own, half, mirrored = (i.to(self.device) for i in conjugate_frequencies(self.size))
        response = self.response().flatten(0, 1)

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            real, pairs = parts
            full = pairs.new_zeros(len(response), *pairs.shape[1:])
            full = full.index_copy(0, own, real.to(full.dtype))
            full = full.index_copy(0, half, pairs).index_copy(0, mirrored, pairs.conj())
            return CircularConvolution.from_response(full.unflatten(0, self.size))

        matrices = (response[own].real, response[half])
        return Blocks(matrices, (1, 2), rebuild, maps=(CircularConvolution, self.size))

    def _transposed(self) -> LinearOperator:
        return CircularConvolution.from_response(self.response().mH)._in_dtype(self.dtype)


def conjugate_frequencies(size: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Frequencies of an H × W transform as flat indices: own conjugates, halves, other halves."""
    H, W = size
    index = torch.arange(H * W).reshape(H, W)
    mirrored = index[(-torch.arange(H)) % H][:, (-torch.arange(W)) % W].flatten()
    index = index.flatten()
    half = index[index < mirrored]
    return index[index == mirrored], half, mirrored[half]
