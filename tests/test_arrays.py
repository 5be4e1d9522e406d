"""NumPy arrays wherever points are taken, and arrays back: the same numbers as with tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.errors import DeviceError, DtypeError, LinearizerError, ShapeError
from registry import BIJECTIONS, FAMILIES, bijection, operator, points
from third_party import THIRD_PARTY, third_party

KINDS = (np.float64, np.float32)


def same(made: Any, expected: Any, kind: Any) -> None:
    """Both hold the same numbers, the one in arrays of this dtype."""
    if isinstance(expected, tuple):
        assert type(made) is type(expected)
        for a, b in zip(made, expected, strict=True):
            same(a, b, kind)
        return
    assert isinstance(made, np.ndarray)
    assert made.dtype == (kind if expected.is_floating_point() else made.dtype)
    np.testing.assert_array_equal(made, expected.detach().numpy().astype(made.dtype))


@pytest.mark.parametrize("name", BIJECTIONS)
def test_bijections(name: str) -> None:
    for dtype in (torch.float64, torch.float32):
        g = bijection(name, dtype)
        x = points(g, dtype=dtype)
        for kind in KINDS:
            there = x.numpy().astype(kind)
            x_here = x if lz._checks.reference(g) is not None else torch.from_numpy(there)
            x_here = torch.from_numpy(there).to(x_here)
            same(g(there), g(x_here), kind)
            same(g.forward_and_log_det(there), g.forward_and_log_det(x_here), kind)
            z = g(x_here).detach().numpy().astype(kind)
            same(g.inverse(z), g.inverse(torch.from_numpy(z).to(x_here)), kind)
            assert g.round_trip(there) == pytest.approx(g.round_trip(x_here), abs=1e-3)


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_foreign_bijections(name: str) -> None:
    g = third_party(name, torch.float32)
    x = points(g, dtype=torch.float32)
    same(g(x.double().numpy()), g(x), np.float64)
    same(g.inverse(g(x).detach().numpy()), g.inverse(g(x)), np.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_operators(family: str) -> None:
    for shapes in FAMILIES[family].shapes:
        A = operator(family, shapes=shapes)
        z, y = (torch.randn(3, *s, dtype=torch.float64) for s in (A.in_shape, A.out_shape))
        same(A(z.numpy()), A(z), np.float64)
        same(A.adjoint(y.numpy()), A.adjoint(y), np.float64)


X, Y = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
T = torch.linspace(0, 1, 5, dtype=torch.float64)
OF_SPACES: dict[str, Callable[..., Any]] = {
    "add": lambda V, x, y, t: V.add(x, y),
    "sub": lambda V, x, y, t: V.sub(x, y),
    "scale": lambda V, x, y, t: V.scale(-2.0, x),
    "scale each": lambda V, x, y, t: V.scale(t, v=x),
    "combine": lambda V, x, y, t: V.combine([1.0, 2.0, -1.0], x[:3]),
    "combine by weights": lambda V, x, y, t: V.combine(t[:3], x[:3]),
    "inner": lambda V, x, y, t: V.inner(x, y),
    "norm": lambda V, x, y, t: V.norm(x),
    "distance": lambda V, x, y, t: V.distance(x, y),
    "lerp": lambda V, x, y, t: V.lerp(x, y, 0.3),
    "lerp each": lambda V, x, y, t: V.lerp(u=x, v=y, t=t),
    "mean": lambda V, x, y, t: V.mean(x),
    "project": lambda V, x, y, t: V.project(x, y[:2]),
    "orthonormalize": lambda V, x, y, t: V.orthonormalize(x[:3]),
    "vectors": lambda V, x, y, t: (2.0 * V(x) - V(y) / 3.0).x,
    "vectors by number": lambda V, x, y, t: (V(x) * t + t * V(x)).x,
    "inner of vectors": lambda V, x, y, t: V(x) @ V(y),
    "norm of vectors": lambda V, x, y, t: (-V(x)).norm(),
}
OF_MAPS: dict[str, Callable[..., Any]] = {
    "call": lambda f, x: f(x),
    "inverse": lambda f, x: f.inv(x),
    "pinv": lambda f, x: f.pinv()(f(x)),
    "adjoint": lambda f, x: f.T(x),
    "composition": lambda f, x: (f @ f)(x),
    "power": lambda f, x: (f**2)(x),
    "solve": lambda f, x: f.solve(x),
    "project": lambda f, x: f.project(x, "null_space"),
    "fit": lambda f, x: lz.Linearizer.fit(f.g_x, f.g_y, x, f(x))(x),
    "fit of batches": lambda f, x: lz.Linearizer.fit(f.g_x, f.g_y, [(x, f(x))])(x),
}


@pytest.mark.parametrize("name", OF_SPACES)
def test_induced_spaces(name: str) -> None:
    V = lz.InducedSpace(bijection("vector bijection"))
    call = OF_SPACES[name]
    same(call(V, X.numpy(), Y.numpy(), T.numpy()), call(V, X, Y, T), np.float64)


@pytest.mark.parametrize("name", OF_MAPS)
def test_linearizers(name: str) -> None:
    g = bijection("vector bijection")
    f = lz.Linearizer(g, operator("dense", shapes=((6,), (6,))))
    call = OF_MAPS[name]
    same(call(f, X.numpy()), call(f, X), np.float64)


ROWS = torch.randn(60, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.arange(60) % 2
CLOCK = torch.linspace(0, 1, 20, dtype=torch.float64)
PATHS = [3 + torch.exp(-CLOCK[:, None] * torch.tensor([1.0, 2.0]) * (i + 1)) for i in range(2)]


def one_step(rows: Any, labels: Any) -> Any:
    return lz.OneStepFlow.fit(bijection("vector bijection"), [rows[:30], rows[30:]])


def by_class(rows: Any, labels: Any) -> Any:
    return lz.ConditionalFlow.fit(bijection("vector bijection"), rows, labels)


def by_class_of_batches(rows: Any, labels: Any) -> Any:
    return lz.ConditionalFlow.fit(bijection("vector bijection"), [(rows, labels)])


def projector(rows: Any, labels: Any) -> Any:
    return lz.IdempotentGenerator.fit(bijection("vector bijection"), [rows], rank=3)


OF_FLOWS = "decode encode reconstruct log_prob"
OF_CLASSES = "encode log_prob posterior classify likeliest"
OF_PROJECTORS = "project residual decompose"
METHODS = [
    *((one_step, name, ()) for name in OF_FLOWS.split()),
    (one_step, "integrate", (3,)),
    (one_step, "denoise", (0.1,)),
    *((by_class, name, ()) for name in OF_CLASSES.split()),
    (by_class_of_batches, "translate", (1,)),
    (by_class, "denoise", (0.1,)),
    *((projector, name, ()) for name in OF_PROJECTORS.split()),
]


@pytest.mark.parametrize(("fit", "name", "rest"), METHODS)
def test_flows_and_projectors(fit: Callable[..., Any], name: str, rest: tuple[Any, ...]) -> None:
    ours, theirs = fit(ROWS.numpy(), LABELS.numpy()), fit(ROWS, LABELS)
    expected = getattr(theirs, name)(X, *rest)
    same(getattr(ours, name)(X.numpy(), *rest), expected, np.float64)


@pytest.mark.parametrize("fit", [one_step, by_class, projector])
def test_lines_between_points(fit: Callable[..., Any]) -> None:
    model = fit(ROWS, LABELS)
    x, y = X[0], Y[0]
    line = model.interpolate(x, y, 4)
    same(model.interpolate(x.numpy(), y.numpy(), 4), line, np.float64)


def test_components_are_numbers_of_their_own() -> None:
    model = by_class(ROWS, LABELS)
    same(model.decode(X.numpy(), LABELS[:5].numpy()), model.decode(X, LABELS[:5]), np.float64)
    same(model.morph(X[0].numpy(), 1, 3), model.morph(X[0], 1, 3), np.float64)


def dynamics(paths: Any, clock: Any) -> lz.LinearDynamics:
    return lz.LinearDynamics.fit(lz.Identity(2), paths, clock, equilibrium="fit")


OF_DYNAMICS: dict[str, Callable[..., Any]] = {
    "encode": lambda m, x, t: m.encode(x),
    "decode": lambda m, x, t: m.decode(x),
    "forecast": lambda m, x, t: m.forecast(x, t),
    "forecast of one": lambda m, x, t: m.forecast(x, 0.5),
    "backcast": lambda m, x, t: m.backcast(x, t),
    "velocity": lambda m, x, t: m.velocity(x),
    "eigenfunctions": lambda m, x, t: m.eigenfunctions(x),
    "lyapunov": lambda m, x, t: m.lyapunov(x),
}


@pytest.mark.parametrize("name", OF_DYNAMICS)
def test_dynamics(name: str) -> None:
    ours = dynamics([path.numpy() for path in PATHS], CLOCK.numpy())
    theirs, x = dynamics(PATHS, CLOCK), PATHS[0][:3]
    call = OF_DYNAMICS[name]
    same(call(ours, x.numpy(), CLOCK.numpy()), call(theirs, x, CLOCK), np.float64)
    arrays = [path.numpy() for path in PATHS]
    assert ours.error(arrays, CLOCK.numpy()) == theirs.error(PATHS, CLOCK)


def test_times_keep_their_digits_where_the_model_is_of_single_precision() -> None:
    model = dynamics(PATHS, CLOCK).float()
    x, times = PATHS[0][:1].float(), 1e-3 + torch.tensor([0.0, 1e-11], dtype=torch.float64)
    same(model.forecast(x.numpy(), times.numpy()), model.forecast(x, times), np.float32)


def test_pictures() -> None:
    g = bijection("style bijection", torch.float32)
    kernel = 0.1 * torch.randn(*g.out_shape[:1] * 2, 2, 2)
    kernel[:, :, 0, 0] += torch.eye(g.out_shape[0])
    model = lz.StyleTransfer(g, g)
    model.add("a", lz.SymmetricConvolution(kernel, g.out_shape[1:]))
    x = torch.rand(2, *g.in_shape)
    styled = model.stylize(x, "a")
    same(model.stylize(x.numpy(), "a"), styled, np.float32)
    same(model.undo(styled.numpy(), "a"), model.undo(styled, "a"), np.float32)


# What arrays are


class Doubling(lz.Bijection):
    """A user's bijection, which knows nothing of arrays."""

    def __init__(self) -> None:
        super().__init__(3)
        self.two = nn.Parameter(torch.tensor(2.0))

    def _forward(self, x: Tensor) -> Tensor:
        assert isinstance(x, Tensor)
        return self.two * x

    def _inverse(self, z: Tensor) -> Tensor:
        return z / self.two


@pytest.mark.parametrize(
    "x",
    [
        np.arange(12.0).reshape(4, 3)[::-1],
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0).reshape(4, 3).astype(">f8"),
        np.arange(12.0).reshape(4, 3).astype(np.float16),
        np.arange(12.0).reshape(4, 3).astype(np.longdouble),
        np.arange(3.0),
        np.zeros((0, 3)),
    ],
)
def test_any_strides_lengths_and_floating_points(x: Any) -> None:
    x.flags.writeable = False
    made = Doubling()(x)
    assert made.dtype == x.dtype
    np.testing.assert_array_equal(made, 2 * x)
    np.testing.assert_array_equal(Doubling().inverse(made), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_modules_of_half_precision(dtype: torch.dtype) -> None:
    made = Doubling().to(dtype)(np.ones((2, 3)))
    assert made.dtype == np.float64
    assert (made == 2).all()


def test_results_share_no_memory_with_what_was_given() -> None:
    x = np.ones((2, 3))
    made = lz.Identity(3)(x)
    made += 1
    assert (x == 1).all()


def test_nothing_is_recorded_for_gradients_and_tensors_still_are() -> None:
    g = Doubling()
    seen: list[bool] = []
    g.register_forward_hook(lambda module, given, made: seen.append(torch.is_grad_enabled()))
    g(np.ones((2, 3)))
    assert torch.is_grad_enabled()
    assert g(torch.ones(2, 3)).requires_grad
    assert lz.InducedSpace(g).norm(torch.ones(2, 3)).requires_grad


BAD: dict[str, tuple[type[LinearizerError], Any]] = {
    "whole numbers": (DtypeError, np.ones((2, 6), int)),
    "complex": (DtypeError, np.ones((2, 6), complex)),
    "text": (DtypeError, np.full((2, 6), "a")),
    "objects": (DtypeError, np.full((2, 6), None)),
    "masked": (DtypeError, np.ma.masked_array(np.ones((2, 6)), mask=True)),
    "another event": (ShapeError, np.ones((2, 5))),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_arrays_are_refused(kind: str) -> None:
    error, x = BAD[kind]
    g = bijection("vector bijection")
    f, V = lz.Linearizer(g, operator("dense", shapes=((6,), (6,)))), lz.InducedSpace(g)
    flow = one_step(ROWS, LABELS)
    calls = (g, g.inverse, g.forward_and_log_det, f, f.operator, f.solve, V.norm, flow.encode)
    for call in calls:
        with pytest.raises(error, match=r"expected.*got.*;"):
            call(x)


def test_a_module_without_numbers_yet_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"expected.*got.*;"):
        lz.vector_bijection(6).to("meta")(np.ones((2, 6)))


def test_methods_still_compile_and_are_differentiated_by_functions() -> None:
    V = lz.InducedSpace(bijection("vector bijection"))
    compiled = torch.compile(V.add, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(X, Y), V.add(X, Y))
    torch.testing.assert_close(torch.vmap(V.add)(X, Y), V.add(X, Y))
    jacobian = torch.func.jacrev(V.norm)(X[0])
    assert jacobian.shape == (6,)
    assert bool(jacobian.any())


def test_a_compiled_bijection_takes_arrays_too() -> None:
    g = bijection("vector bijection")
    compiled = torch.compile(g, backend="eager")
    np.testing.assert_allclose(compiled(X.numpy()), g(X.numpy()), rtol=1e-12)
