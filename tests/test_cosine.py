"""The cosine transform against SciPy's, and the two small matrices against each other."""

import numpy as np
import pytest
import scipy.fft
import torch
from torch import Tensor

from linearizer.operators.cosine import cosines, dct, dct2, idct, idct2, inverse_cosines

LENGTHS = (1, 2, 3, 4, 5, 8, 13, 64, 750)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize("length", LENGTHS)
def test_against_scipy(length: int, dtype: torch.dtype, close: float) -> None:
    x = torch.randn(3, length, dtype=dtype)
    theirs = torch.from_numpy(scipy.fft.dct(x.double().numpy(), norm="ortho"))
    assert dct(x).dtype == dtype
    torch.testing.assert_close(dct(x).double(), theirs, rtol=0.0, atol=close)
    back = torch.from_numpy(scipy.fft.idct(x.double().numpy(), norm="ortho"))
    torch.testing.assert_close(idct(x).double(), back, rtol=0.0, atol=close)


def test_two_axes() -> None:
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    theirs = torch.from_numpy(np.asarray(scipy.fft.dctn(x.numpy(), axes=(1, 2), norm="ortho")))
    torch.testing.assert_close(dct2(x), theirs)
    torch.testing.assert_close(idct2(theirs), x)
    torch.testing.assert_close(dct(x, 0), torch.from_numpy(scipy.fft.dct(x, axis=0, norm="ortho")))


@pytest.mark.parametrize("transform", [dct2, idct2])
@pytest.mark.parametrize("size", [(4, 3), (1, 2)])
def test_derivatives(transform, size) -> None:
    x = torch.randn(2, *size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(transform, x, check_forward_ad=True, check_batched_grad=True)


def matrices(length: int) -> tuple[Tensor, Tensor]:
    like = torch.empty(0, dtype=torch.float64)
    return cosines(length, length, like), inverse_cosines(length, like)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_response_is_that_of_a_kernel(length: int) -> None:
    forward, back = matrices(length)
    identity = torch.eye(length, dtype=torch.float64)
    torch.testing.assert_close(forward @ back, identity, rtol=0.0, atol=1e-11)
    torch.testing.assert_close(back @ forward, identity, rtol=0.0, atol=1e-11)
