"""Convolution that reflects at the border: a real matrix for each frequency of the DCT-II."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from linearizer._modes import wide_dtype
from linearizer.operators.base import LinearOperator
from linearizer.operators.blocks import Blocks
from linearizer.operators.convolution import Convolution
from linearizer.operators.cosine import cosines, dct2, idct2, inverse_cosines

LARGE = 100
"""Pixels of a kernel from which on the transform is the faster way; measured on one core."""
BAND = 2**26
"""Bytes of an intermediate result from which on it is made in bands of rows."""


class SymmetricConvolution(Convolution):
    """`y_o[n] = Σ_i Σ_{|a|<p, |b|<q} k_oi[|a|, |b|] z_i[n - (a, b)]`, reflecting at the border.

    Images go on as in a mirror, the last row and column repeated, so nothing of one border comes
    to the opposite one. The kernel is even in both axes, and only a quadrant of it is kept. The
    DCT-II makes the operator block-diagonal, with a real matrix for each frequency (j, l),
    `K = Σ_ab w_a w_b k[a, b] cos(π a j / H) cos(π b l / W)`, w_0 = 1, else 2. Source: Martucci,
    "Symmetric convolution and the discrete sine and cosine transforms", IEEE Trans. Signal
    Processing 42, 1994.

    Args:
        kernel: (C_out, C_in, p, q), its entry (0, 0) at the center; a kernel that spans 5 × 5
            pixels has p = q = 3. It is trained if it is an `nn.Parameter`.
        size: (H, W) of the images, at least (p, q).

    Raises:
        ShapeError: If the kernel is larger than the images or has no four axes.

    Example:
        >>> import torch, linearizer as lz
        >>> blur = lz.SymmetricConvolution(torch.tensor([[[[.5, .25]]]]), (1, 4))
        >>> blur(torch.tensor([[[1., 0., 0., 0.]]]))
        tensor([[[0.7500, 0.2500, 0.0000, 0.0000]]])
        >>> sharp = torch.randn(1, 1, 4, dtype=torch.float64)
        >>> torch.allclose(lz.linalg.pinv(blur.double())(blur(sharp)), sharp)
        True
    """

    entries_are: ClassVar[str] = "p, q"

    @staticmethod
    def entries(side: int) -> int:
        """(side + 1) / 2: the center and one half."""
        return side // 2 + 1

    @staticmethod
    def span(entries: int) -> int:
        """2 entries - 1."""
        return 2 * entries - 1

    @staticmethod
    def enlarged(kernel: Tensor, shape: Sequence[int]) -> Tensor:
        """The same kernel with zeros after it, of a larger shape (p, q)."""
        p, q = kernel.shape[-2:]
        return pad(kernel, (0, shape[1] - q, 0, shape[0] - p))

    @staticmethod
    def transform(images: Tensor) -> Tensor:
        """The orthonormal 2-D DCT-II of images (..., H, W), real."""
        return dct2(images)

    @classmethod
    def from_response(cls, response: Tensor) -> Self:
        """The convolution whose matrices are `response[j, l]`, of shape (H, W, C_out, C_in).

        Every real response is that of one kernel of full size, p = H and q = W.
        """
        rows, columns = (inverse_cosines(N, response) for N in response.shape[:2])
        kernel = torch.tensordot(rows, response, dims=1)  # a, l, o, i
        kernel = torch.tensordot(columns, kernel, dims=([1], [1]))  # b, a, o, i
        return cls(kernel.permute(2, 3, 1, 0).contiguous(), response.shape[:2])

    def response(self, rows: slice = slice(None)) -> Tensor:
        """The matrices of all frequencies, or of some rows of them, real, (H, W, C_out, C_in)."""
        return self._response(self.kernel, rows)

    def bands(self) -> Iterator[slice]:
        """All rows of frequencies, in slices whose matrices take about `BAND` bytes."""
        C_out, C_in = self.kernel.shape[:2]
        return _bands(self.size[0], self.size[1] * C_out * C_in * wide_dtype(self.dtype).itemsize)

    def _response(self, kernel: Tensor, rows: slice) -> Tensor:
        (H, W), (C_out, C_in, p, q) = self.size, kernel.shape
        entries = kernel.to(wide_dtype(kernel.dtype)).permute(2, 3, 0, 1)
        partial = cosines(H, p, entries)[rows] @ entries.reshape(p, q * C_out * C_in)
        whole = cosines(W, q, entries) @ partial.reshape(-1, q, C_out * C_in)
        return whole.unflatten(-1, (C_out, C_in))

    def _forward(self, z: Tensor) -> Tensor:
        return self._applied(self.kernel, z)

    def _adjoint(self, y: Tensor) -> Tensor:
        """The same with every matrix transposed."""
        return self._applied(self.kernel.transpose(0, 1), y)

    def _applied(self, kernel: Tensor, z: Tensor) -> Tensor:
        p, q = kernel.shape[2:]
        # On CUDA, conv2d rounds float32 to 10 bits (TF32) unless it is told not to.
        small = self.span(p) * self.span(q) < LARGE and not z.is_cuda
        return self._by_padding(kernel, z) if small else self._by_transform(kernel, z)

    def by_padding(self, z: Tensor) -> Tensor:
        """A z by padding and `conv2d`, O(N p q): the faster way for a small kernel."""
        return self._by_padding(self.kernel, z)

    def _by_padding(self, kernel: Tensor, z: Tensor) -> Tensor:
        p, q = kernel.shape[2:]
        weights = kernel.to(wide_dtype(kernel.dtype))
        for axis in (-2, -1):
            after = weights.narrow(axis, 1, weights.shape[axis] - 1)
            weights = torch.cat([after.flip(axis), weights], axis)
        x = z.to(weights.dtype).reshape(-1, *z.shape[-3:])
        x = _reflected(_reflected(x, p - 1, -2), q - 1, -1)
        (H, W), itemsize = self.size, weights.dtype.itemsize
        parts = [  # of float64, conv2d makes a matrix of all windows
            conv2d(x[..., rows.start : rows.stop + 2 * p - 2, :], weights)
            for rows in _bands(H, W * weights[0].numel() * itemsize)
        ]
        y = parts[0] if len(parts) == 1 else torch.cat(parts, -2)
        return y.reshape(*z.shape[:-3], *y.shape[-3:]).to(z.dtype)

    def by_transform(self, z: Tensor) -> Tensor:
        """A z through the cosine transform, O(N log N) for a kernel of any size."""
        return self._by_transform(self.kernel, z)

    def _by_transform(self, kernel: Tensor, z: Tensor) -> Tensor:
        spectrum = dct2(z.to(wide_dtype(z.dtype)))
        parts = [
            torch.einsum(
                "hwoi,...ihw->...ohw", self._response(kernel, rows), spectrum[..., rows, :]
            )
            for rows in self.bands()
        ]
        return idct2(parts[0] if len(parts) == 1 else torch.cat(parts, -2)).to(z.dtype)

    def blocks(self) -> Blocks:
        """One real C_out × C_in block for each frequency."""

        def rebuild(parts: tuple[Tensor, ...]) -> LinearOperator:
            return SymmetricConvolution.from_response(parts[0].unflatten(0, self.size))

        matrices = self.response().flatten(0, 1)
        return Blocks((matrices,), (1,), rebuild, maps=(SymmetricConvolution, self.size))

    def _transposed(self) -> LinearOperator:
        return SymmetricConvolution(self.kernel.transpose(0, 1), self.size)


def _reflected(x: Tensor, margin: int, axis: int) -> Tensor:
    """x with so many more entries at both ends of an axis, mirrored: b a | a b c | c b."""
    if not margin:
        return x
    before, after = x.narrow(axis, 0, margin), x.narrow(axis, x.shape[axis] - margin, margin)
    return torch.cat([before.flip(axis), x, after.flip(axis)], axis)


def _bands(count: int, row_bytes: int) -> Iterator[slice]:
    """All rows from 0 to `count`, in slices of about `BAND` bytes."""
    step = max(1, BAND // row_bytes)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
