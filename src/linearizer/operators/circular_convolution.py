"""Circular convolution: a small matrix for each frequency, so its algebra is exact and cheap."""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from linearizer._checks import Shape
from linearizer._modes import wide_dtype
from linearizer.operators.base import LinearOperator
from linearizer.operators.blocks import Blocks
from linearizer.operators.convolution import Convolution


class CircularConvolution(Convolution):
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

    entries_are: ClassVar[str] = "kh, kw"

    @staticmethod
    def entries(side: int) -> int:
        """As many as pixels."""
        return side

    @staticmethod
    def span(entries: int) -> int:
        """As many as entries."""
        return entries

    @staticmethod
    def enlarged(kernel: Tensor, shape: Sequence[int]) -> Tensor:
        """The same kernel with zeros around it, its center where that of a larger one is."""
        (kh, kw), (height, width) = kernel.shape[-2:], shape
        above, left = height // 2 - kh // 2, width // 2 - kw // 2
        return pad(kernel, (left, width - kw - left, above, height - kh - above))

    @staticmethod
    def transform(images: Tensor) -> Tensor:
        """The orthonormal 2-D Fourier transform of images (..., H, W), complex."""
        return torch.fft.fft2(images, norm="ortho")

    @classmethod
    def from_response(cls, response: Tensor) -> Self:
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

    def by_padding(self, z: Tensor) -> Tensor:
        """A z by padding and `conv2d`, which all runtimes know, O(N kh kw)."""
        kh, kw = self.kernel.shape[2:]
        kernel = self.kernel.flip(2, 3).to(wide_dtype(self.dtype))
        above, left = (kh - 1) // 2, (kw - 1) // 2
        margins = (left, kw - 1 - left, above, kh - 1 - above)
        x = z.to(kernel.dtype).reshape(-1, *z.shape[-3:])
        y = conv2d(pad(x, margins, mode="circular"), kernel)
        return y.reshape(*z.shape[:-3], *y.shape[-3:]).to(z.dtype)

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
