"""Every bijection is one, in float64 to 1e-10 and in float32 to 1e-4."""

import pytest
import torch

from linearizer.testing import check_bijection
from registry import BIJECTIONS, DTYPES, bijection, points


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BIJECTIONS)
def test_laws(name: str, dtype: torch.dtype) -> None:
    g = bijection(name, dtype)
    check_bijection(g, x=points(g, dtype=dtype))


@pytest.mark.parametrize("name", BIJECTIONS)
def test_inverse_is_a_bijection_too(name: str) -> None:
    g = bijection(name).inv
    check_bijection(g, x=points(g))


@pytest.mark.parametrize("name", BIJECTIONS)
def test_perturbing_leaves_the_start(name: str) -> None:
    torch.manual_seed(0)
    g = BIJECTIONS[name]()
    moved = bijection(name, torch.float32)
    x = torch.randn(4, *g.in_shape)
    assert any(True for _ in g.parameters()) != torch.equal(g(x), moved(x))
