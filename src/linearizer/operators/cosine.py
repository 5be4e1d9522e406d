"""The cosine transform DCT-II and its inverse, orthonormal, through the Fourier transform.

Source: Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. Acoustics, Speech
and Signal Processing 28, 1980.
"""

import math

import torch
from torch import Tensor


def dct(x: Tensor, dim: int = -1) -> Tensor:
    """`X[j] = s_j Σ_n x[n] cos(π j (n + ½) / N)` along an axis, s_0 = √(1/N), else √(2/N).

    Even entries and then odd ones, backwards, are a sequence whose Fourier transform, turned by
    `exp(-iπj/2N)`, has X[j] as its real part and -X[N - j] as its imaginary one.

    Example:
        >>> import torch
        >>> from linearizer.operators.cosine import dct, idct
        >>> x = torch.tensor([[1., 1., 1., 1.], [1., -1., -1., 1.]])
        >>> dct(x).round(decimals=4)
        tensor([[2., 0., 0., 0.],
                [0., 0., 2., 0.]])
        >>> torch.allclose(idct(dct(x)), x)
        True
    """
    x = x.movedim(dim, -1)
    N = x.shape[-1]
    order = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    turned = torch.fft.rfft(order) * _turns(N, x)
    # The real parts are X[0] to X[N // 2], the imaginary ones backwards are the rest.
    X = torch.cat([turned.real, -turned.imag[..., 1 : (N + 1) // 2].flip(-1)], -1)
    return (X * _scales(N, x)).movedim(-1, dim)


def idct(X: Tensor, dim: int = -1) -> Tensor:
    """The inverse of `dct`, which is its transpose: `x[n] = Σ_j s_j X[j] cos(π j (n + ½) / N)`."""
    X = X.movedim(dim, -1)
    N = X.shape[-1]
    X = X / _scales(N, X)
    half = N // 2 + 1
    mirrored = torch.cat([torch.zeros_like(X[..., :1]), X[..., N - half + 1 :].flip(-1)], -1)
    order = torch.fft.irfft(torch.complex(X[..., :half], -mirrored) * _turns(N, X).conj(), n=N)
    middle = (N + 1) // 2
    even, odd = order[..., :middle], order[..., middle:].flip(-1)
    odd = torch.nn.functional.pad(odd, (0, N % 2))
    x = torch.stack([even, odd], -1).flatten(-2)[..., :N]
    return x.movedim(-1, dim)


def dct2(x: Tensor) -> Tensor:
    """`dct` along the last two axes; an empty batch too."""
    return dct(dct(x), -2) if x.numel() else x


def idct2(X: Tensor) -> Tensor:
    """`idct` along the last two axes; an empty batch too."""
    return idct(idct(X, -2)) if X.numel() else X


def cosines(N: int, count: int, like: Tensor) -> Tensor:
    """`w_a cos(π a j / N)`, w_0 = 1, else 2, of shape (N, count), for j < N and a < count.

    It takes the entries of an even kernel to its response at the frequencies of the DCT-II.
    """
    j, a = (torch.arange(n, device=like.device, dtype=torch.float64) for n in (N, count))
    # The angle is reduced in whole numbers, so that large ones lose nothing.
    table = torch.cos((j[:, None] * a % (2 * N)) * (math.pi / N))
    return (table * torch.where(a == 0, 1.0, 2.0)).to(like.dtype)


def inverse_cosines(N: int, like: Tensor) -> Tensor:
    """The inverse of `cosines(N, N)`.

    A DCT-I of N + 1 values would be inverted by `v_j cos(π a j / N) / 2N`, v_0 = v_N = 1, else 2.
    The value at j = N, which is not given, is the one for which coefficient N vanishes:
    `-(-1)^N Σ_j<N v_j (-1)^j R_j`.
    """
    j, a = (torch.arange(N, device=like.device, dtype=torch.float64) for _ in range(2))
    table = torch.cos((j * a[:, None] % (2 * N)) * (math.pi / N))
    alternating = 1 - 2 * ((j + a[:, None] + N) % 2)
    return ((table - alternating) * torch.where(j == 0, 1.0, 2.0) / (2 * N)).to(like.dtype)


def _turns(N: int, like: Tensor) -> Tensor:
    """`exp(-iπj / 2N)` for j up to N // 2."""
    angle = torch.arange(N // 2 + 1, device=like.device, dtype=torch.float64) * (math.pi / (2 * N))
    return torch.complex(torch.cos(angle).to(like.dtype), -torch.sin(angle).to(like.dtype))


def _scales(N: int, like: Tensor) -> Tensor:
    scales = torch.full((N,), math.sqrt(2 / N), dtype=like.dtype, device=like.device)
    scales[0] = math.sqrt(1 / N)
    return scales
