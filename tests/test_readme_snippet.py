"""The first lines that a newcomer copies, as they stand."""

import torch

SNIPPET = """
import torch, linearizer as lz
g = lz.vector_bijection(8); h = lz.vector_bijection(8)
f = lz.Linearizer(g, torch.randn(8, 8), h)
V, W = lz.InducedSpace(g), lz.InducedSpace(h)
x, y = torch.randn(5, 8), torch.randn(5, 8)
torch.testing.assert_close(f(V.add(V.scale(2., x), y)), W.add(W.scale(2., f(x)), f(y)), rtol=1e-3, atol=1e-3)
s = f.svd(); s.singular_values, s.left, s.right
f.T, f.pinv(), f.pinv() @ f, f.rank(), f.cond()
e = lz.Linearizer(g, torch.eye(8) * .5); e ** 3, e.expm(2.), e.power(.5)
"""  # noqa: E501


def test_it_runs() -> None:
    names: dict[str, object] = {}
    exec(SNIPPET, names)
    assert names["s"].left.shape == (8, 8)
    torch.testing.assert_close((names["e"] ** 3).operator.to_dense(), torch.eye(8) / 8)
