"""Convolutions that are fitted through a nonlinear decoder."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

import linearizer as lz
from linearizer.estimation import refine_convolution
from linearizer.operators.convolution import Convolution

SIZE = (8, 8)
KINDS = (lz.SymmetricConvolution, lz.CircularConvolution)


def kernel(kind: type[Convolution], scale: float) -> Convolution:
    torch.manual_seed(1)
    entries = kind.entries(3)
    entry = torch.zeros(4, 4, entries, entries)
    entry[:, :, *([0, 0] if kind is lz.SymmetricConvolution else [1, 1])] = torch.eye(4)
    return kind(entry + scale * torch.randn_like(entry), SIZE)


def decode(w: Tensor) -> Tensor:
    return torch.sinh(w)


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_near_the_operator_that_made_the_pairs(kind: type[Convolution]) -> None:
    truth, start = kernel(kind, 0.1), kernel(kind, 0.0)
    z = torch.randn(64, 4, *SIZE)
    y = decode(truth(z))
    losses: list[float] = []
    found = refine_convolution(start, z, y, decode, steps=300, progress=losses.append)
    assert type(found) is kind
    assert len(losses) == 300
    assert mse_loss(decode(found(z)), y) < 0.05 * mse_loss(decode(start(z)), y)


def test_it_never_ends_worse_than_it_began() -> None:
    truth = kernel(lz.SymmetricConvolution, 0.1)
    z = torch.randn(16, 4, *SIZE)
    found = refine_convolution(truth, z, decode(truth(z)), decode, steps=3)
    torch.testing.assert_close(found.kernel, truth.kernel, rtol=0.0, atol=0.0)


def test_what_cannot_be_undone_is_mended_on_the_way() -> None:
    """Data that do not care for a channel leave an operator that is nearly singular as it is."""
    start = lz.SymmetricConvolution(
        torch.diag(torch.tensor([1.0, 1.0, 1.0, 1e-4]))[..., None, None], SIZE
    )
    z = torch.randn(16, 4, *SIZE)
    y = start(z) + 0.01 * torch.randn_like(z)
    found = refine_convolution(start, z, y, lambda w: w, steps=300)
    assert torch.isfinite(found.kernel).all()
    assert lz.linalg.cond(start) > 1e3
    assert lz.linalg.cond(found) < 100
