"""The gate of a bijection: what comes and what is returned is checked, and checked once."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer import _gate
from linearizer.errors import DeviceError, DtypeError, InterfaceError, LinearizerError, ShapeError
from registry import BIJECTIONS, bijection
from third_party import THIRD_PARTY, third_party

GATES = ("forward", "inverse", "forward_and_log_det")
MADE = {
    **{name: lambda name=name: bijection(name, torch.float32) for name in BIJECTIONS},
    **{
        f"{name}, foreign": lambda name=name: third_party(name, torch.float32)
        for name in THIRD_PARTY
    },
}


def event(g: lz.Bijection, gate: str) -> tuple[int, ...]:
    return g.out_shape if gate == "inverse" else g.in_shape


BAD_INPUT: dict[str, tuple[type[LinearizerError], Callable[[tuple[int, ...]], object]]] = {
    "a longer event": (ShapeError, lambda shape: torch.zeros(3, *shape[:-1], shape[-1] + 1)),
    "an axis too few": (ShapeError, lambda shape: torch.zeros(shape[1:])),
    "a number": (ShapeError, lambda shape: torch.tensor(1.0)),
    "complex": (DtypeError, lambda shape: torch.zeros(3, *shape, dtype=torch.complex64)),
    "whole numbers": (DtypeError, lambda shape: torch.zeros(3, *shape, dtype=torch.int64)),
    "a list": (DtypeError, lambda shape: [0.0] * shape[-1]),
    "nothing": (DtypeError, lambda shape: None),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
@pytest.mark.parametrize("name", MADE)
def test_bad_input_is_refused(name: str, kind: str) -> None:
    g = MADE[name]()
    error, make = BAD_INPUT[kind]
    for gate in GATES:
        with pytest.raises(error, match=r"expected.*got.*;"):
            getattr(g, gate)(make(event(g, gate)))


@pytest.mark.parametrize("name", [n for n in MADE if nn.Module.state_dict(MADE[n]())])
def test_another_dtype_or_device_is_refused(name: str) -> None:
    g = MADE[name]()
    if not any(t.is_floating_point() for t in g.state_dict().values()):
        return
    for gate in GATES:
        x = torch.zeros(3, *event(g, gate))
        with pytest.raises(DtypeError, match=r"expected torch\.float32, got torch\.float64; "):
            getattr(g, gate)(x.double())
        with pytest.raises(DeviceError, match="expected a tensor on cpu, got one on meta; "):
            getattr(g, gate)(x.to("meta"))


# What a bijection of one's own returns

WRONG: dict[str, tuple[type[LinearizerError], Callable[[Tensor], object]]] = {
    "a longer event": (ShapeError, lambda x: torch.cat([x, x], -1)),
    "as many numbers in other axes": (ShapeError, lambda x: x.unflatten(-1, (2, 3))),
    "no batch": (ShapeError, lambda x: x[0]),
    "another batch": (ShapeError, lambda x: x[:2]),
    "another dtype": (DtypeError, lambda x: x.half()),
    "another device": (DeviceError, lambda x: x.to("meta")),
    "no tensor": (DtypeError, lambda x: x.tolist()),
    "nothing": (DtypeError, lambda x: None),
}


class Wrong(lz.Bijection):
    def __init__(self, spoil: Callable[[Tensor], object]) -> None:
        super().__init__(6)
        self.spoil = spoil

    def _forward(self, x):
        return self.spoil(x)

    def _inverse(self, z):
        return self.spoil(z)

    def _forward_and_log_det(self, x):
        return self.spoil(x), x.new_zeros(x.shape[:-1])


class WrongLogDet(lz.Identity):
    def __init__(self, log_det: Callable[[Tensor], object]) -> None:
        super().__init__(6)
        self.log_det = log_det

    def _forward_and_log_det(self, x):
        return x, self.log_det(x)


@pytest.mark.parametrize("around", ["alone", "chain", "inverse", "on first", "linearizer", "space"])
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_result_is_refused(kind: str, around: str) -> None:
    error, spoil = WRONG[kind]
    g = Wrong(spoil)
    x = torch.randn(4, 6)
    calls = {
        "alone": [getattr(g, gate) for gate in GATES],
        "chain": [getattr(lz.Chain(lz.Identity(6), g), gate) for gate in GATES],
        "inverse": [g.inv, g.inv.inverse],
        "on first": [getattr(lz.bijections.PartialBijection(g, 6), gate) for gate in GATES],
        "linearizer": [lz.Linearizer(g, torch.eye(6))],
        "space": [lz.InducedSpace(g).norm, lz.InducedSpace(g).decode],
    }[around]
    for call in calls:
        with pytest.raises(error, match=r"expected what Wrong returns to .*, got"):
            call(x)


@pytest.mark.parametrize(
    ("error", "log_det"),
    [
        (ShapeError, lambda x: x.sum()),
        (ShapeError, lambda x: x),
        (DtypeError, lambda x: x.double().sum(-1)),
        (DtypeError, lambda x: 0.0),
    ],
)
def test_a_wrong_log_determinant_is_refused(error, log_det) -> None:
    for g in (
        WrongLogDet(log_det),
        lz.Chain(WrongLogDet(log_det)),
        lz.bijections.PartialBijection(WrongLogDet(log_det), 6),
    ):
        with pytest.raises(error, match="the log-determinant of WrongLogDet"):
            g.forward_and_log_det(torch.randn(4, 6))


@pytest.mark.parametrize("gate", GATES)
def test_a_class_around_the_gate_is_refused_when_it_is_defined(gate: str) -> None:
    for bases in ((lz.Bijection,), (lz.Identity,), (lz.Bijection, lz.bijections.HasLogDet)):
        with pytest.raises(InterfaceError, match=f"Old to define _{gate}, got .* rename"):
            type("Old", bases, {gate: lambda self, x: x})


# How often


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the checks that run, as they run."""
    ran: list[str] = []
    for name in ("check_input", "check_image"):
        check = getattr(_gate, name)

        def recorded(*args, check=check, name=name):
            ran.append(name)
            return check(*args)

        monkeypatch.setattr(_gate, name, recorded)
    return ran


@pytest.mark.parametrize("name", BIJECTIONS)
def test_a_call_is_checked_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    g = bijection(name)
    x = torch.randn(3, *g.in_shape, dtype=torch.float64)
    z = g(x)
    ran = counted(monkeypatch)
    for function, argument in ((g, x), (g.inverse, z), (g.inv, z), (g.inv.inverse, x)):
        ran.clear()
        function(argument)
        assert ran == ["check_input", "check_image"]
    ran.clear()
    g.forward_and_log_det(x)
    assert ran == ["check_input", "check_image", "check_image"]


def test_a_linearizer_of_twelve_couplings_checks_each_gate_once(monkeypatch) -> None:
    f = lz.Linearizer(lz.vector_bijection(6, depth=12, width=8), torch.eye(6))
    ran = counted(monkeypatch)
    f(torch.randn(3, 6))
    assert ran == ["check_input", "check_image"] * 3  # g_x, A and g_y⁻¹


# What goes on working


def test_hooks_on_parts_are_called() -> None:
    inner = bijection("affine", torch.float32)
    heard: list[str] = []
    inner.register_forward_hook(lambda module, args, out: heard.append("after"))
    inner.register_forward_pre_hook(lambda module, args: heard.append("before"))
    x = torch.randn(2, 5)
    for g in (
        lz.Chain(lz.Identity(5), inner),
        lz.bijections.PartialBijection(inner, 5),
        lz.Chain(inner).inv.inv,
    ):
        heard.clear()
        g(x)
        assert heard == ["before", "after"]
    mixing = lz.LULinear(3)
    mixing.register_forward_hook(lambda module, args, out: 2 * out)
    torch.testing.assert_close(
        lz.Conv1x1((3, 2, 2), mixing)(torch.ones(3, 2, 2)),
        torch.full((3, 2, 2), 2.0),
    )


def test_global_hooks_see_every_part() -> None:
    g = lz.Chain(lz.Identity(5), bijection("affine", torch.float32))
    heard: list[str] = []
    hook = nn.modules.module.register_module_forward_hook(
        lambda module, args, out: heard.append(type(module).__name__)
    )
    try:
        g(torch.randn(2, 5))
    finally:
        hook.remove()
    assert {"Chain", "Identity", "AffineCoupling", "Linear"} <= set(heard)


def test_a_part_that_is_compiled_alone_runs_compiled() -> None:
    runs: list[int] = []

    def backend(graph, inputs):
        runs.append(1)
        return graph.forward

    compiled = torch.compile(bijection("affine", torch.float32), backend=backend)
    inner = bijection("affine", torch.float32)
    inner.compile(backend=backend)
    x = torch.randn(2, 5)
    for part in (compiled, inner):
        torch.compiler.reset()
        runs.clear()
        torch.testing.assert_close(lz.Chain(part)(x), bijection("affine", torch.float32)(x))
        assert runs


@pytest.mark.parametrize("name", BIJECTIONS)
def test_function_transforms(name: str) -> None:
    g = bijection(name)
    x = torch.randn(3, *g.in_shape, dtype=torch.float64)
    z = g(x).detach()
    torch.testing.assert_close(torch.vmap(g)(x), z)
    torch.testing.assert_close(torch.vmap(g.inverse)(z), x)
    pulled = torch.func.vjp(g, x)[1](z)[0]
    x.requires_grad_()
    torch.testing.assert_close(pulled, torch.autograd.grad(g(x), x, z)[0])


def test_the_default_log_determinant_is_that_of_the_jacobian() -> None:
    class Bend(lz.Bijection):
        def _forward(self, x):
            return torch.sinh(x.roll(1, -1)) + 0 * x

        def _inverse(self, z):
            return torch.asinh(z).roll(-1, -1)

    g = Bend(3)
    assert not isinstance(g, lz.bijections.HasLogDet)
    assert isinstance(bijection("affine"), lz.bijections.HasLogDet)
    for batch in ((), (4,), (2, 3), (0,)):
        x = torch.randn(*batch, 3, dtype=torch.float64)
        for mode in (torch.no_grad(), torch.inference_mode(), torch.enable_grad()):
            with mode:
                z, log_det = g.forward_and_log_det(x)
                chained = lz.Chain(g, lz.bijections.Orthogonal(3).double()).forward_and_log_det(x)[
                    1
                ]
            torch.testing.assert_close(log_det, torch.cosh(x).log().sum(-1))
            torch.testing.assert_close(chained, log_det)
            torch.testing.assert_close(g.forward_and_log_det(x)[0], z)
    assert g.forward_and_log_det(torch.randn(2, 3).half())[1].dtype == torch.float16
