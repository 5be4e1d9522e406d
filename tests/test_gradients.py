"""Gradients are right (float64, against finite differences): maps, and functions of operators."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

import linearizer as lz
from linearizer import linalg
from registry import BIJECTIONS, OPERATORS, bijection, fitting, operator

# One direction of the derivative instead of all: quicker, and as strict along that direction.
FAST = {"fast_mode": True, "atol": 1e-5}
SPREAD = ("dense", "low rank", "update", "diagonal", "convolution", "sum", "product")


@pytest.mark.parametrize("name", BIJECTIONS)
def test_points(name: str) -> None:
    g = bijection(name)
    x = torch.randn(2, *g.in_shape, dtype=torch.float64, requires_grad=True)
    z = torch.randn(2, *g.out_shape, dtype=torch.float64, requires_grad=True)
    assert gradcheck(g, x, **FAST)
    assert gradcheck(g.inverse, z, **FAST)
    if any(True for _ in g.parameters()):  # the others preserve volume: nothing to differentiate
        assert gradcheck(lambda x: sum(t.sum() for t in g.forward_and_log_det(x)), x, **FAST)


@pytest.mark.parametrize("name", [n for n in BIJECTIONS if list(BIJECTIONS[n]().parameters())])
def test_parameters(name: str) -> None:
    """One step along the gradient changes g⁻¹, g and log|det| as finite differences say."""
    g = bijection(name)
    x = torch.randn(2, *g.in_shape, dtype=torch.float64)
    latent = g(x).detach() + 0.5
    names, values = zip(*g.named_parameters(), strict=True)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.g = g

        def forward(self, x: Tensor) -> Tensor:
            z, log_det = self.g.forward_and_log_det(x)
            back = self.g.inverse(latent)
            return torch.cat([z.flatten(), log_det.flatten(), back.flatten()])

    def function(*values: Tensor) -> Tensor:
        state = {f"g.{k}": v for k, v in zip(names, values, strict=True)}
        return torch.func.functional_call(Both(), state, (x,))

    inputs = tuple(v.detach().clone().requires_grad_() for v in values)
    assert gradcheck(function, inputs, **FAST)


def _check(A: lz.LinearOperator, function) -> None:
    """Gradcheck a function of an operator with respect to every number that it holds."""
    A = copy.deepcopy(A)
    tensors = dict(A.named_parameters()) | dict(A.named_buffers())
    # The gradient of a binary mask is straight-through: not a derivative, on purpose.
    tensors = {name: t for name, t in tensors.items() if not name.endswith("mask.scores")}
    if not tensors:
        return
    inputs = [t.detach().clone().requires_grad_() for t in tensors.values()]

    def of_entries(*values: Tensor) -> Tensor:
        return function(_with_entries(A, dict(zip(tensors, values, strict=True))))

    assert gradcheck(of_entries, inputs, **FAST)


def _with_entries(A: lz.LinearOperator, values: dict[str, Tensor]) -> lz.LinearOperator:
    """A copy of A that holds other, differentiable, tensors."""
    A = copy.deepcopy(A)
    for path, value in values.items():
        owner, _, name = path.rpartition(".")
        module = A.get_submodule(owner)
        module._parameters.pop(name, None)
        module._buffers.pop(name, None)
        module._buffers[name] = value
    return A


@pytest.mark.parametrize("name", OPERATORS)
def test_action(name: str) -> None:
    A = operator(name)
    z = torch.randn(2, *A.in_shape, dtype=torch.float64)
    y = torch.randn(2, *A.out_shape, dtype=torch.float64)
    _check(A, lambda A: A(z))
    _check(A, lambda A: A.adjoint(y))
    _check(A, lambda A: linalg.fuse(A)(z))


@pytest.mark.parametrize("name", [n for n in OPERATORS if OPERATORS[n][0] in SPREAD])
def test_algebra(name: str) -> None:
    A = operator(name)
    y = torch.randn(2, *A.out_shape, dtype=torch.float64)
    if A.n_in == A.n_out or OPERATORS[name][0] != "low rank":  # of constant rank nearby
        _check(A, lambda A: linalg.singular_values(A)[:2])
    if not OPERATORS[name][0].startswith("low rank") and linalg.rank(A) == min(A.n_in, A.n_out):
        _check(A, lambda A: linalg.pinv(A)(y))
        if A.in_shape == A.out_shape:
            _check(A, linalg.logabsdet)
            _check(A, lambda A: linalg.expm(A, 0.5)(y))


@pytest.mark.parametrize("name", ["dense", "low rank", "update"])
def test_linearizer(name: str) -> None:
    g = bijection("vector bijection")
    assert name in fitting(g.out_shape, g.out_shape)
    f = lz.Linearizer(g, operator(name, shapes=(g.out_shape,) * 2))
    x = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(f, x, **FAST)
    assert gradcheck(f.pinv(), x, **FAST)
