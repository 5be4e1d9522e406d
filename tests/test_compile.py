"""The forward path compiles into one graph: `fullgraph=True` fails at the first break."""

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from registry import BIJECTIONS, FAMILIES, bijection, operator


@pytest.fixture(autouse=True)
def _fresh_compiler() -> None:
    torch.compiler.reset()


def compiled(module: nn.Module) -> nn.Module:
    return torch.compile(module, fullgraph=True, backend="eager")


@pytest.mark.parametrize("name", BIJECTIONS)
def test_bijection(name: str) -> None:
    g = bijection(name)
    x = torch.randn(3, *g.in_shape, dtype=torch.float64)
    torch.testing.assert_close(compiled(g)(x), g(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["vector bijection", "patch image bijection", "chain"])
def test_inverse(name: str) -> None:
    g = bijection(name)
    z = torch.randn(3, *g.out_shape, dtype=torch.float64)
    torch.testing.assert_close(compiled(g.inv)(z), g.inverse(z), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_operator(family: str) -> None:
    A = operator(family, shapes=FAMILIES[family].shapes[-1])
    z = torch.randn(3, *A.in_shape, dtype=torch.float64)
    torch.testing.assert_close(compiled(A)(z), A(z), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("g", "family"),
    [
        ("vector bijection", "dense"),
        ("vector bijection", "low rank"),
        ("vector bijection", "diagonal"),
        ("vector bijection", "structured"),
        ("conv1x1", "convolution"),
        ("affine on channels", "convolution"),
    ],
)
def test_linearizer(g: str, family: str) -> None:
    made = bijection(g)
    f = lz.Linearizer(made, operator(family, shapes=(made.out_shape,) * 2))
    x = torch.randn(3, *made.in_shape, dtype=torch.float64)
    torch.testing.assert_close(compiled(f)(x), f(x), rtol=1e-12, atol=1e-12)


def test_compiled_gradients() -> None:
    f = lz.Linearizer(bijection("vector bijection"), operator("trained", shapes=((6,), (6,))))
    x = torch.randn(3, 6, dtype=torch.float64)

    def gradients(function: nn.Module) -> list[Tensor]:
        return list(torch.autograd.grad(function(x).square().sum(), list(f.parameters())))

    torch.testing.assert_close(gradients(compiled(f)), gradients(f))


def test_a_graph_break_is_seen() -> None:
    class Breaks(lz.Identity):
        def _forward(self, x: Tensor) -> Tensor:
            torch._dynamo.graph_break()
            return x

    with pytest.raises(torch._dynamo.exc.Unsupported):
        compiled(Breaks(3))(torch.randn(3))
