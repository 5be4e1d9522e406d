"""What comes into an operator and what goes out is checked once, by the base class."""

import pytest
import torch
from torch import Tensor

import linearizer as lz
from linearizer import _gate, errors
from registry import FAMILIES, FLOWS, OPERATORS, operator


@pytest.mark.parametrize("method", ["forward", "adjoint"])
def test_a_class_that_goes_round_the_gate_is_refused(method: str) -> None:
    with pytest.raises(errors.InterfaceError, match=f"expected Loose to define _{method}, got"):
        type("Loose", (lz.Dense,), {method: lambda self, z: z})


class Wrong(lz.LinearOperator):
    """Declares one shape, and returns another, or another dtype."""

    def __init__(self, kind: str) -> None:
        super().__init__(3, 4)
        self.register_buffer("one", torch.ones(()))
        self.kind = kind

    def _forward(self, z: Tensor) -> Tensor:
        return {"shape": z[..., :1], "dtype": z[..., [0, 1, 2, 2]].double(), "batch": z.sum(0)}[
            self.kind
        ]

    def _adjoint(self, y: Tensor) -> Tensor:
        return {"shape": y[..., :1], "dtype": y[..., :3].double(), "batch": y.sum(0)}[self.kind]


@pytest.mark.parametrize("kind", ["shape", "dtype", "batch"])
def test_what_is_declared_is_returned(kind: str) -> None:
    A = Wrong(kind)
    error = errors.DtypeError if kind == "dtype" else errors.ShapeError
    z, y = torch.ones(2, 3), torch.ones(2, 4)
    for B in (A, 2 * A, A + A, lz.Dense(torch.eye(4)) @ A, A + lz.Dense(torch.ones(4, 3))):
        for use in (lambda B=B: B(z), lambda B=B: B.adjoint(y), lambda B=B: B.T(y)):
            with pytest.raises(error, match="expected what Wrong returns to"):
                use()


@pytest.mark.parametrize("name", OPERATORS)
def test_input_is_checked(name: str) -> None:
    A = operator(name)
    z = torch.randn(2, *A.in_shape, dtype=torch.float64)
    y = torch.randn(2, *A.out_shape, dtype=torch.float64)
    for action, x in ((A, z), (A.adjoint, y), (A.T, y)):
        for wrong, error in (
            (x[..., :-1], errors.ShapeError),
            (x.float(), errors.DtypeError),
            (x.to(torch.complex128), errors.DtypeError),
            (x.long(), errors.DtypeError),
            (x.to("meta"), errors.DeviceError),
        ):
            with pytest.raises(error, match="expected"):
                action(wrong)


def test_an_operator_without_numbers_takes_no_complex_ones() -> None:
    class Reversed(lz.LinearOperator):
        def _forward(self, z: Tensor) -> Tensor:
            return z.flip(-1)

        def _adjoint(self, y: Tensor) -> Tensor:
            return y.flip(-1)

    assert Reversed(3)(torch.arange(3.0)).tolist() == [2.0, 1.0, 0.0]
    with pytest.raises(errors.DtypeError, match="real floating-point"):
        Reversed(3)(torch.zeros(3, dtype=torch.complex64))


def test_complex_factors_are_refused() -> None:
    with pytest.raises(errors.DtypeError, match="real number"):
        lz.Dense(torch.eye(2)) * torch.tensor(1j)
    with pytest.raises(errors.DtypeError, match="real number"):
        lz.IdentityPlusLowRank(torch.tensor(1j), torch.ones(2, 1), torch.ones(2, 1))


def test_a_deep_expression_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = []
    check = _gate.check_input
    monkeypatch.setattr(_gate, "check_input", lambda *args: (checks.append(1), check(*args)))
    A: lz.LinearOperator = lz.Dense(torch.eye(3))
    for _ in range(8):
        A = ((A + A.T) @ A) / 2
    A(torch.randn(3))
    assert len(checks) == 1


def test_functions_are_checked() -> None:
    M = torch.randn(4, 3)
    with pytest.raises(errors.LawError, match="leave it out"):
        lz.FunctionOperator(lambda z: z @ M.mT, 3, 4, lambda y: y @ M + y[..., :3])
    with pytest.raises(errors.ShapeError, match="expected what FunctionOperator returns"):
        lz.FunctionOperator(lambda z: z @ M.mT, 3, 4, lambda y: y)
    with pytest.raises(errors.ShapeError, match="expected what FunctionOperator returns"):
        lz.FunctionOperator(lambda z: z, 3, 4)(torch.ones(3))
    state = torch.get_rng_state()
    lz.FunctionOperator(lambda z: z @ M.mT, 3, 4, lambda y: y @ M)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", OPERATORS)
def test_autocast_does_not_round_products(name: str) -> None:
    A = operator(name, torch.float32)
    z, y = torch.randn(3, *A.in_shape), torch.randn(3, *A.out_shape)

    def made() -> list[Tensor]:
        found = [
            A(z),
            A.adjoint(y),
            lz.linalg.fuse(A)(z),
            lz.linalg.pinv(A)(y),
            lz.linalg.singular_values(A),
        ]
        found += [lz.linalg.svd(A).singular_values, A.to_dense()]
        return [*found, lz.linalg.expm(A)(z)] if A.in_shape == A.out_shape else found

    expected = made()
    with torch.autocast("cpu", torch.bfloat16):
        found = made()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", FLOWS)
def test_autocast_does_not_round_flows(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        family = FLOWS[name]()
    z = torch.randn(3, 5)

    def made() -> list[Tensor]:
        return [lz.flows.collapse(family, 5, end=0.8)(z), lz.flows.integrate(family, z, 5, end=0.8)]

    expected = made()
    with torch.autocast("cpu", torch.bfloat16):
        found = made()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", OPERATORS)
def test_inference_mode(name: str) -> None:
    A = operator(name)
    z = torch.randn(2, *A.in_shape, dtype=torch.float64)
    expected = [A(z), A.T(A(z)), lz.linalg.pinv(A)(A(z)), lz.linalg.svd(A).singular_values]
    with torch.inference_mode():
        found = [A(z), A.T(A(z)), lz.linalg.pinv(A)(A(z)), lz.linalg.svd(A).singular_values]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_vmap(family: str) -> None:
    A = operator(family, shapes=FAMILIES[family].shapes[0])
    z = torch.randn(3, 2, *A.in_shape, dtype=torch.float64)
    torch.testing.assert_close(torch.vmap(A)(z), A(z), rtol=1e-12, atol=1e-12)
