"""The spectrum of a generator: rates, frequencies and the eigenfunctions of the dynamics."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from linearizer._checks import check_finite
from linearizer._modes import wide_dtype


class Modes(NamedTuple):
    """The modes of `dz/dt = L z`, slowest decay first, conjugate pairs side by side.

    With `w_iᵀ L = λ_i w_iᵀ` the eigenfunction `φ_i(x) = w_iᵀ g(x)` of the nonlinear dynamics obeys
    `φ_i(x(t)) = e^{λ_i t} φ_i(x(0))`.

    Attributes:
        eigenvalues: λ (n,), complex.
        rates: Re λ (n,): negative where a mode decays.
        frequencies: `|Im λ| / 2π` (n,), in turns per unit of time.
        periods: `1 / frequency` (n,); infinite where a mode does not turn.
        left: w_i as rows (n, n), complex, of length 1.
    """

    eigenvalues: Tensor
    rates: Tensor
    frequencies: Tensor
    periods: Tensor
    left: Tensor


@torch.no_grad()
def modes_of(L: Tensor) -> Modes:
    """The modes of a matrix (n, n).

    Example:
        >>> import torch
        >>> from linearizer.applications.linear_dynamics.modes import modes_of
        >>> turn = torch.tensor([[-1., -torch.pi], [torch.pi, -1.]])
        >>> found = modes_of(torch.block_diag(turn, torch.tensor([[-3.]])))
        >>> found.rates, found.periods
        (tensor([-1., -1., -3.]), tensor([2., 2., inf]))
    """
    check_finite(L, "the generator")
    values, vectors = torch.linalg.eig(L.mT.double())  # a slow decay is not to look like growth

    def place(i: int) -> tuple[float, float, float]:
        value = complex(values[i])
        return -value.real, abs(value.imag), -value.imag

    order = sorted(range(len(values)), key=place)
    complex_dtype = wide_dtype(L.dtype).to_complex()
    values, left = values[order].to(complex_dtype), vectors.mT[order].to(complex_dtype)
    frequencies = values.imag.abs() / (2 * math.pi)
    return Modes(values, values.real, frequencies, 1 / frequencies, left)
