"""Maps follow .to(dtype), and are built and moved on the meta device."""

import pytest
import torch

import linearizer as lz
from registry import (
    BIJECTIONS,
    CONDITIONERS,
    DTYPES,
    FAMILIES,
    FLOWS,
    OPERATORS,
    bijection,
    operator,
)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_bijection_built_on_meta(name: str) -> None:
    with torch.device("meta"):
        g = BIJECTIONS[name]()
    x = torch.randn(2, *g.in_shape, device="meta")
    z = g(x)
    assert z.device.type == "meta"
    assert z.shape == (2, *g.out_shape)
    assert g.inverse(z).shape == x.shape
    assert g.forward_and_log_det(x)[1].shape == (2,)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_bijection_moved_to_meta(name: str) -> None:
    g = bijection(name).to("meta")
    x = torch.randn(2, *g.in_shape, device="meta", dtype=torch.float64)
    assert (g(x).shape, g(x).dtype) == ((2, *g.out_shape), torch.float64)
    assert g.inverse(g(x)).device.type == "meta"


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_on_meta(name: str) -> None:
    family, i, o = OPERATORS[name]
    with torch.device("meta"):
        built = FAMILIES[family].build(i, o)
    for A in (built, operator(name, torch.float32).to("meta")):
        image = A(torch.randn(2, *A.in_shape, device="meta"))
        assert (image.shape, image.device.type) == ((2, *A.out_shape), "meta")
        assert A.adjoint(image).shape == (2, *A.in_shape)


def test_linearizer_on_meta() -> None:
    with torch.device("meta"):
        f = lz.Linearizer(lz.vector_bijection(4), torch.randn(6, 4), lz.vector_bijection(6))
        assert f(torch.randn(3, 4)).shape == (3, 6)
        assert f.T(torch.randn(3, 6)).device.type == "meta"


@pytest.mark.parametrize("name", BIJECTIONS)
def test_dtype_of_a_bijection(name: str) -> None:
    torch.manual_seed(0)
    g = BIJECTIONS[name]()
    for convert, dtype in ((g.double, torch.float64), (g.float, torch.float32)):
        convert()
        x = torch.randn(2, *g.in_shape, dtype=dtype)
        assert {
            g(x).dtype,
            g.inverse(g(x)).dtype,
            g.forward_and_log_det(x)[1].dtype,
        } == {dtype}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_dtype_of_an_operator(name: str, dtype: torch.dtype) -> None:
    A = operator(name, torch.float32).to(dtype)
    assert A.dtype == dtype
    assert A(torch.randn(2, *A.in_shape, dtype=dtype)).dtype == dtype
    assert {f(A).dtype for f in (lz.linalg.pinv, lz.linalg.fuse, lz.linalg.singular_values)} == {
        dtype
    }


@pytest.mark.parametrize("name", CONDITIONERS)
def test_conditioners_keep_one_batch_axis(name: str) -> None:
    factory, i, o = CONDITIONERS[name]
    net = factory(i, o).double()
    for count in (3, 0):
        image = net(torch.randn(count, *i, dtype=torch.float64))
        assert (image.shape, image.dtype) == ((count, *o), torch.float64)


@pytest.mark.parametrize("name", FLOWS)
def test_flow_follows_dtype(name: str) -> None:
    flow = FLOWS[name]().double()
    assert {flow.at(0.5).dtype, flow.velocity(0.5).dtype} == {torch.float64}
