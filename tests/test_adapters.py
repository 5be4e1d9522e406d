"""Bijections of zuko, FrEIA, normflows and torch.distributions are as good a g as our own."""

import copy

import pytest
import torch
from torch.distributions import transforms

import linearizer as lz
from foreign import FOREIGN, N, foreign
from linearizer.adapters import TransformBijection
from linearizer.errors import NotSaveableError, ShapeError
from linearizer.testing import check_bijection
from registry import DTYPES

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FOREIGN)
def test_they_obey_the_laws(name, dtype):
    torch.manual_seed(1)
    x = torch.randn(6, N, dtype=dtype)
    check_bijection(foreign(name, dtype), x=x, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", FOREIGN)
def test_a_linearizer_on_one_is_linear_and_has_the_whole_algebra(name):
    torch.manual_seed(1)
    g = foreign(name)
    f = lz.Linearizer(g, 0.3 * torch.randn(N, N).double() + torch.eye(N).double())
    V = f.domain
    x, y = 0.5 * torch.randn(2, 5, N).double()
    both = f(V.add(V.scale(0.7, x), V.scale(-0.4, y)))
    apart = V.add(V.scale(0.7, f(x)), V.scale(-0.4, f(y)))
    assert float(((both - apart).norm() / apart.norm()).detach()) <= 1e-8
    torch.testing.assert_close(f.pinv()(f(x)), x, rtol=0.0, atol=1e-7)
    torch.testing.assert_close((f @ f)(x), (f**2)(x), rtol=0.0, atol=1e-7)
    s = f.svd()
    image = f(s.right[0])
    torch.testing.assert_close(V.norm(image), s.singular_values[0], rtol=1e-7, atol=0.0)


@pytest.mark.parametrize("name", FOREIGN)
def test_state_and_dtype_are_those_of_a_module(name):
    g = foreign(name)
    x = 0.5 * torch.randn(4, N)
    twin = copy.deepcopy(g)
    for tensor in twin.state_dict().values():
        if tensor.is_floating_point():
            tensor.mul_(1.5)
    twin.load_state_dict(g.state_dict())
    torch.testing.assert_close(twin(x.double()), g(x.double()))
    assert twin.float()(x).dtype == torch.float32
    torch.testing.assert_close(twin(x), g(x.double()).float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", FOREIGN)
def test_gradients_reach_the_parameters(name):
    g = foreign(name)
    parameters = [p for p in g.parameters() if p.requires_grad]
    z, log_det = g.forward_and_log_det(torch.randn(4, N).double())
    if parameters:
        (z.square().sum() - log_det.sum()).backward()
        assert any(p.grad is not None and bool((p.grad != 0).any()) for p in parameters)


@pytest.mark.parametrize("name", FOREIGN)
def test_wrong_shapes_are_refused_and_saving_says_why_not(name, tmp_path):
    g = foreign(name)
    with pytest.raises(ShapeError):
        g(torch.randn(3, N + 1).double())
    with pytest.raises(ShapeError):
        g.inverse(torch.randn(3, N - 1).double())
    with pytest.raises(NotSaveableError):
        g.save_pretrained(tmp_path / "g")


def test_what_is_no_bijection_is_refused():
    for transform in (transforms.AbsTransform(), transforms.CorrCholeskyTransform()):
        with pytest.raises(ShapeError, match="bijective transform"):
            TransformBijection(transform, N)
