"""bfloat16 and float16: every operator, flow and function is right to its precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer.testing import check_operator
from registry import FLOWS, OPERATORS, operator

HALF = (torch.bfloat16, torch.float16)
ROUGH = {torch.bfloat16: 0.1, torch.float16: 0.02}
"""A few units of rounding (0.008 and 0.001), beside the largest number."""


def projection(basis: Tensor) -> Tensor:
    return basis.flatten(1).mT @ basis.flatten(1)


FUNCTIONS: dict[str, Callable[[lz.LinearOperator], Tensor]] = {
    "matrix": lambda A: A.to_dense(),
    "matrix of the transpose": lambda A: A.T.to_dense(),
    "fuse": lambda A: lz.linalg.fuse(A).to_dense(),
    "2A": lambda A: lz.linalg.fuse(2 * A).to_dense(),
    "pinv": lambda A: lz.linalg.pinv(A).to_dense(),
    "singular values": lz.linalg.singular_values,
    "norm": lz.linalg.norm,
    "svd": lambda A: lz.linalg.svd(A).singular_values,
    "range": lambda A: projection(lz.linalg.range_basis(A)),
    "null space": lambda A: projection(lz.linalg.null_basis(A)),
}
OF_SQUARE: dict[str, Callable[[lz.LinearOperator], Tensor]] = {
    "expm": lambda A: lz.linalg.expm(A, 0.5).to_dense(),
    "cube": lambda A: lz.linalg.matrix_power(A, 3).to_dense(),
    "A A": lambda A: lz.linalg.fuse(A @ A).to_dense(),
}


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_functions(name: str, dtype: torch.dtype) -> None:
    """Beside the same function of the same rounded numbers in float64."""
    A = operator(name, torch.float32).to(dtype)
    exact = operator(name, torch.float64)
    exact.load_state_dict(A.state_dict())
    if lz.linalg.rank(A) != lz.linalg.rank(
        exact
    ):  # rounding lifted zeros, and counts them as zeros
        exact = lz.Dense(A.to_dense().double())
    square = A.in_shape == A.out_shape
    for what, function in (FUNCTIONS | OF_SQUARE if square else FUNCTIONS).items():
        if what in ("pinv", "range", "null space") and lz.linalg.rank(A) != lz.linalg.rank(exact):
            continue
        found, expected = function(A), function(exact)
        assert found.dtype == dtype, what
        found, expected = found.detach(), expected.detach()
        error = (found.double() - expected).abs().max() if expected.numel() else torch.zeros(())
        size = expected.abs().max() if expected.numel() else torch.ones(())
        if what == "pinv":
            size = size * lz.linalg.norm(exact) * expected.abs().max()
        assert float(error) <= ROUGH[dtype] * max(float(size), 1.0), (what, float(error))


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_laws(name: str, dtype: torch.dtype) -> None:
    check_operator(operator(name, torch.float32).to(dtype), rtol=0.25)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", FLOWS)
def test_flows(name: str, dtype: torch.dtype) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        family = FLOWS[name]().to(dtype)
    z = torch.randn(3, 5).to(dtype)
    sampled = lz.flows.integrate(family, z, 5, end=0.8)
    collapsed = lz.flows.collapse(family, 5, end=0.8)
    assert sampled.dtype == collapsed.dtype == dtype
    error = (sampled - collapsed(z)).abs().max() / sampled.abs().max()
    assert float(error) < 2 * ROUGH[dtype]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_gradients_reach_the_entries(dtype: torch.dtype) -> None:
    M = (torch.eye(3) + 0.1).to(dtype).requires_grad_()
    wide = M.detach().double().requires_grad_()
    for function in (
        lz.linalg.norm,
        lambda A: lz.linalg.pinv(A).to_dense().sum(),
        lz.linalg.logabsdet,
    ):
        (ours,) = torch.autograd.grad(function(lz.Dense(M)), M)
        (theirs,) = torch.autograd.grad(function(lz.Dense(wide)), wide)
        assert float((ours - theirs).abs().max()) < ROUGH[dtype]


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_linearizer(dtype: torch.dtype) -> None:
    f = lz.Linearizer(lz.vector_bijection(5), torch.eye(5) + 0.1).to(dtype)
    x = torch.randn(4, 5).to(dtype)
    error = (f.pinv()(f(x)) - x).abs().max() / x.abs().max()
    assert float(error) < 2 * ROUGH[dtype]
    f.eig()
    f.power(0.5)
