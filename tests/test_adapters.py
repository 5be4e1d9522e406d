"""Bijections of zuko, FrEIA, normflows and torch.distributions are as good a g as our own."""

import copy

import FrEIA.framework as ff
import FrEIA.modules as fm
import normflows as nf
import pytest
import torch
import zuko
from torch import nn
from torch.distributions import transforms

import linearizer as lz
from linearizer.adapters import (
    FrEIABijection,
    NormflowsBijection,
    TransformBijection,
    ZukoBijection,
)
from linearizer.errors import DtypeError, NotSaveableError, ShapeError
from linearizer.testing import check_bijection
from registry import DTYPES
from third_party import THIRD_PARTY, N, third_party

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", THIRD_PARTY)
def test_they_obey_the_laws(name, dtype):
    torch.manual_seed(1)
    x = torch.randn(6, N, dtype=dtype)
    check_bijection(third_party(name, dtype), x=x, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_a_linearizer_on_one_is_linear_and_has_the_whole_algebra(name):
    torch.manual_seed(1)
    g = third_party(name)
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


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_state_and_dtype_are_those_of_a_module(name):
    g = third_party(name)
    x = 0.5 * torch.randn(4, N)
    twin = copy.deepcopy(g)
    for tensor in twin.state_dict().values():
        if tensor.is_floating_point():
            tensor.mul_(1.5)
    twin.load_state_dict(g.state_dict())
    torch.testing.assert_close(twin(x.double()), g(x.double()))
    assert twin.float()(x).dtype == torch.float32
    torch.testing.assert_close(twin(x), g(x.double()).float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_gradients_reach_the_parameters(name):
    g = third_party(name)
    parameters = [p for p in g.parameters() if p.requires_grad]
    z, log_det = g.forward_and_log_det(torch.randn(4, N).double())
    if parameters:
        (z.square().sum() - log_det.sum()).backward()
        assert any(p.grad is not None and bool((p.grad != 0).any()) for p in parameters)


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_wrong_shapes_are_refused_and_saving_says_why_not(name, tmp_path):
    g = third_party(name)
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


def nets(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 8), nn.SiLU(), nn.Linear(8, n_out))


def conditional_sequence():
    network = ff.SequenceINN(N)
    network.append(fm.AllInOneBlock, cond=0, cond_shape=(3,), subnet_constructor=nets)
    return network


def graph(*, condition=False, split=False):
    start = ff.InputNode(N)
    nodes = [start]
    options = {"subnet_constructor": nets}
    conditions = [ff.ConditionNode(3)] if condition else []
    nodes.append(ff.Node(start, fm.GLOWCouplingBlock, options, conditions=conditions))
    if split:
        nodes.append(ff.Node(nodes[-1], fm.Split, {}))
        nodes += [ff.OutputNode(nodes[-1].out0), ff.OutputNode(nodes[-1].out1)]
    else:
        nodes.append(ff.OutputNode(nodes[-1]))
    return ff.GraphINN([*nodes, *conditions], verbose=False)


def squeeze(**options):
    return NormflowsBijection(nf.flows.Squeeze(), (4, 2, 2), **options)


class Forgets(nf.flows.Flow):
    def forward(self, z):
        return z, z.new_zeros(len(z))

    def inverse(self, x):
        return 0.5 * x, x.new_zeros(len(x))


REFUSED = {
    "one that changes the shape": squeeze,
    "one that changes it otherwise": lambda: squeeze(out_shape=(2, 2, 4)),
    "a module that changes the shape": lambda: FrEIABijection(
        fm.IRevNetDownsampling([(1, 4, 4)]), (1, 4, 4)
    ),
    "what does not come back": lambda: NormflowsBijection(Forgets(), N),
    "zuko's with a context": lambda: ZukoBijection(zuko.flows.NSF(N, context=3), N),
    "zuko's coupling with a context": lambda: ZukoBijection(zuko.flows.NICE(N, context=3), N),
    "FrEIA's sequence with a condition": lambda: FrEIABijection(conditional_sequence(), N),
    "FrEIA's graph with a condition": lambda: FrEIABijection(graph(condition=True), N),
    "FrEIA's graph of two outputs": lambda: FrEIABijection(graph(split=True), N),
    "FrEIA's module of two outputs": lambda: FrEIABijection(fm.Split([(N,)]), N),
    "FrEIA's module with a condition": lambda: FrEIABijection(
        fm.GLOWCouplingBlock([(N,)], dims_c=[(3,)], subnet_constructor=nets), N
    ),
    "normflows' with a context": lambda: NormflowsBijection(
        nf.flows.CoupledRationalQuadraticSpline(N, 1, 16, num_context_channels=3), N
    ),
    "normflows' that leaves a context out": lambda: NormflowsBijection(
        nf.flows.MaskedAffineAutoregressive(N, 16, context_features=3), N
    ),
    "normflows' split": lambda: NormflowsBijection(nf.flows.Split(), (4, 2, 2)),
    "normflows' multiscale": lambda: NormflowsBijection(
        nf.MultiscaleFlow(
            [nf.distributions.DiagGaussian((2, 2, 2)), nf.distributions.DiagGaussian((2, 2, 2))],
            [[nf.flows.ActNorm((2, 1, 1))], [nf.flows.ActNorm((4, 1, 1))]],
            [nf.flows.Merge()],
        ),
        (4, 2, 2),
    ),
    "normflows' without an inverse": lambda: NormflowsBijection(nf.flows.Planar((N,)), N),
    "what makes no transform": lambda: ZukoBijection(nn.Linear(N, N), N),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_bijection_of_these_events_alone_is_refused_when_built(name):
    with pytest.raises(ShapeError, match=r"expected.*got.*;"):
        REFUSED[name]()


def test_a_flow_that_changes_the_shape_is_one_with_its_shape():
    for g in (
        squeeze(out_shape=(16, 1, 1)),
        FrEIABijection(fm.IRevNetDownsampling([(1, 4, 4)]), (1, 4, 4), (4, 2, 2)),
    ):
        assert g.round_trip(torch.randn(5, *g.in_shape)) == 0.0
        check_bijection(g)


def test_trying_a_flow_out_leaves_it_as_it_was():
    flow = nf.flows.ActNorm((N,))
    actnorm = fm.ActNorm([(N,)])
    before = [copy.deepcopy(m.state_dict()) for m in (flow, actnorm)]
    g = NormflowsBijection(flow, N)
    FrEIABijection(actnorm, N)
    torch.testing.assert_close([m.state_dict() for m in (flow, actnorm)], before)
    assert actnorm.init_on_next_batch
    state = torch.random.get_rng_state()
    NormflowsBijection(flow, N)
    assert torch.equal(torch.random.get_rng_state(), state)
    x = 5 + 2 * torch.randn(1000, N)
    torch.testing.assert_close(g(x).std(0), torch.ones(N))  # from this batch, the first one


def test_what_changes_the_shape_later_is_refused_too():
    class Moody(nn.Module):
        calm = True

        def inverse(self, x):
            return (x if self.calm else x.reshape(len(x), 3, -1)), x.new_zeros(len(x))

        def forward(self, z):
            return (z if self.calm else z.reshape(len(z), 3, -1)), z.new_zeros(len(z))

    flow = Moody()
    g = NormflowsBijection(flow, N)
    flow.calm = False
    for function in (g, g.inverse, g.forward_and_log_det):
        with pytest.raises(ShapeError, match=r"expected events .* got .* out_shape"):
            function(torch.randn(2, N))


def test_a_log_determinant_a_coordinate_is_refused():
    class PerCoordinate(nn.Module):
        def inverse(self, x):
            return x, torch.zeros_like(x)

        def forward(self, z):
            return z, torch.zeros_like(z)

    with pytest.raises(ShapeError, match="expected"):
        NormflowsBijection(PerCoordinate(), N)


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_other_numbers_are_refused(name):
    g = third_party(name)
    for x in (torch.zeros(2, N).to(torch.complex64), torch.zeros(2, N).long(), [0.0] * N):
        with pytest.raises(DtypeError):
            g(x)


def test_what_is_defined_on_a_part_only_is_taken():
    """Positive numbers with the logarithm as g: a space in which ⊕ is the product."""
    V = lz.InducedSpace(TransformBijection(transforms.ExpTransform().inv, 2))
    u, v = torch.tensor([[2.0, 3.0], [4.0, 0.5]])
    torch.testing.assert_close(V.add(u, v), u * v)
    TransformBijection(transforms.PowerTransform(torch.tensor(2.0)), 2)
