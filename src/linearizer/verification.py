"""The laws on trained weights: what a certificate says."""

import copy
import warnings
from collections.abc import Callable
from functools import singledispatch
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from linearizer import linalg
from linearizer._checks import Shape, reference
from linearizer._random import normal
from linearizer.applications import (
    ConditionalFlow,
    IdempotentGenerator,
    LinearDynamics,
    OneStepFlow,
    StyleTransfer,
)
from linearizer.bijections import Bijection, Identity
from linearizer.errors import CertificateWarning, RangeError
from linearizer.flows import METHODS
from linearizer.laws import relative_error, superposition
from linearizer.linearizer import Linearizer
from linearizer.measurement import Measurement
from linearizer.operators import LinearOperator
from linearizer.saving import Saveable, type_name
from linearizer.saving.certificate import Certificate, hashes
from linearizer.saving.saveable import load_folder

COUNT = 8
"""Points on which each law is measured."""
STEPS = 20
"""Steps of the samplers that one step is compared with."""
PROBES = 8
SAME = 1e-6
"""Relative difference up to which two probes are of one model, on whatever machine."""

ROUND_TRIP = 1e-3
"""Of inputs like the data, in the dtype of the weights."""
OOD_ROUND_TRIP = 2e-2
"""Of inputs that are like nothing in the data; processors differ in it by a fifth."""
EXACT = 1e-8
"""Of laws of algebra, in float64."""
IDEMPOTENT, IDEMPOTENT_IN_DOUBLE = 1e-3, 1e-9
ONE_STEP, UNDONE = 1e-3, 1e-2


class Verification(NamedTuple):
    """The laws of a model, and what it makes of inputs that are always the same."""

    laws: tuple[Measurement, ...]
    probe: tuple[float, ...]


class _Maps(NamedTuple):
    """What there is to verify in a model, found by its type.

    Attributes:
        bijections: By name.
        points: Inputs of these bijections that are like their data.
        linear: Linearizers by name, with points of their domains.
        own: Laws of the application.
    """

    bijections: dict[str, Bijection]
    points: dict[str, Tensor]
    linear: dict[str, tuple[Linearizer, Tensor]]
    own: Callable[[], list[Measurement]] = list


@torch.no_grad()
def verify(model: Saveable) -> Verification:
    """Measure the laws on a model: round trips, superposition, pseudo-inverse, and its own.

    Round trips are those of the dtype of the weights, on inputs like the data (what the model
    itself makes) and on uniform and Gaussian noise; superposition and pseudo-inverse are
    measured in float64, where only the weights can break them. The application's own are: one
    step equals N steps; `f(f(x)) = f(x)`; what is stylized and undone can be stylized again.

    Raises:
        RangeError: If the model is of a type without laws.

    Example:
        >>> import linearizer as lz
        >>> from linearizer.verification import verify
        >>> all(law.holds for law in verify(lz.load("digits")).laws)
        True
    """
    own = _maps(model)
    double = _maps(copy.deepcopy(model).double())  # type: ignore[attr-defined]
    laws = []
    for name, g in own.bijections.items():
        laws += _round_trips(g, own.points[name], f"g of {name}: g⁻¹(g(x)) = x")
    for name, (f, x) in double.linear.items():
        laws += _linear_laws(f, x, name)
    images = [f(x) for f, x in double.linear.values()]
    images = images or [g(double.points[name]) for name, g in double.bijections.items()]
    numbers = tuple(float(number) for image in images for number in _projections(image))
    return Verification((*laws, *own.own()), numbers)


def load_quietly(folder: Path) -> Saveable:
    """A model without a word on its certificate, which is about to be written or looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CertificateWarning)
        model: Saveable = load_folder(folder)
    return model


def certify(folder: Path, model: Saveable) -> Certificate:
    """Verify a model that was loaded from a folder, and write its certificate there."""
    found = verify(model)
    files = hashes(folder, model.parts_in(folder))
    certificate = Certificate(type_name(type(model)), files, found.laws, found.probe)
    certificate.write(folder)
    return certificate


def difference(old: tuple[float, ...], new: tuple[float, ...]) -> float:
    """The relative difference of two probes; infinite if they are of other models."""
    if len(old) != len(new):
        return float("inf")
    a, b = torch.tensor([old, new], dtype=torch.float64)
    return float((a - b).norm() / a.norm())


# What there is in each type of model


@singledispatch
def _maps(model: object) -> _Maps:
    raise RangeError(
        f"expected a bijection, an operator, a Linearizer or an application to verify, got a "
        f"{type(model).__name__}"
    )


@_maps.register
def _(model: Bijection) -> _Maps:
    return _Maps({"normal points": model}, {"normal points": _normal(model, model.in_shape)}, {})


@_maps.register
def _(model: LinearOperator) -> _Maps:
    f = Linearizer(Identity(model.in_shape), model, Identity(model.out_shape))
    return _Maps({}, {}, {"operator": (f, _normal(model, model.in_shape))})


@_maps.register
def _(model: Linearizer) -> _Maps:
    x = _normal(model, model.domain.shape)
    y = _normal(model, model.codomain.shape)
    sides = {"domain": model.g_x, "codomain": model.g_y}
    return _Maps(sides, {"domain": x, "codomain": y}, {"linearizer": (model, x)})


@_maps.register
def _(model: OneStepFlow) -> _Maps:
    noise, samples = model.noise(COUNT, seed=0), model.sample(COUNT, seed=0)

    return _Maps(
        {"data": model.g_data}
        | ({} if isinstance(model.g_noise, Identity) else {"noise": model.g_noise}),
        {"data": samples, "noise": noise},
        {"one step": (model.collapse(), noise)},
        lambda: _one_step_is_many(model, noise),
    )


@_maps.register
def _(model: ConditionalFlow) -> _Maps:
    noise, x = model.pooled.noise(COUNT, seed=0), model.sample(COUNT, seed=0)
    flows = [model.component(i) for i in range(len(model.labels))]
    maps = {
        f"component {i}, class {label}": (flow.collapse(), noise)
        for i, (label, flow) in enumerate(zip(model.labels, flows, strict=True))
    }
    return _Maps(
        {"data": model.g},
        {"data": x},
        maps,
        lambda: [law for flow in flows[:1] for law in _one_step_is_many(flow, noise)],
    )


@_maps.register
def _(model: IdempotentGenerator) -> _Maps:
    x = model.generate(COUNT, seed=0)
    inputs = {"data": x, **_out_of_distribution(model, model.g.in_shape)}

    def idempotent() -> list[Measurement]:
        double = copy.deepcopy(model).double()
        return [
            Measurement(
                f"f(f(x)) = f(x), {kind}{where}", relative_error(f.project(y), y), threshold
            )
            for kind, some in inputs.items()
            for f, where, threshold in (
                (model, "", IDEMPOTENT),
                (double, ", float64", IDEMPOTENT_IN_DOUBLE),
            )
            for y in [f.project(some.to(reference(f).dtype))]  # type: ignore[union-attr]
        ]

    return _Maps({"data": model.g}, {"data": x}, {"projector": (model.at(), x)}, idempotent)


@_maps.register
def _(model: StyleTransfer) -> _Maps:
    x = _smooth(model, model.g_x.in_shape)[: COUNT // 2]
    styled = model.stylize(x, model.names[0]) if model.names else x

    def undone() -> list[Measurement]:
        return [
            Measurement(
                f"stylized, undone, stylized, {name}",
                relative_error(model.stylize(model.undo(image, name), name), image),
                UNDONE,
            )
            for name in model.names
            for image in [model.stylize(x, name)]
        ]

    size = model.g_x.in_shape[1:]
    return _Maps(
        {"contents": model.g_x, "stylized": model.g_y},
        {"contents": x, "stylized": styled},
        {name: (model.at(size, model.operator(name)), x) for name in model.names},
        undone,
    )


@_maps.register
def _(model: LinearDynamics) -> _Maps:
    z = _normal(model, (model.n,))
    x = model.g.inverse(z)  # states, as g maps the data to numbers about as large as 1
    time = 1 / (float(model.modes().eigenvalues.abs().max()) or 1.0)

    def in_time() -> list[Measurement]:
        double = copy.deepcopy(model).double()
        state = x.double()
        there = double.flow(time)(state)
        sides = (
            ("g⁻¹(g(x)) = x, states", model.g.inverse(model.g(x)), x, ROUND_TRIP),
            ("forwards and back", double.flow(-time)(there), state, EXACT),
            ("a flow after a flow", double.flow(time)(there), double.flow(2 * time)(state), EXACT),
        )
        return [Measurement(name, relative_error(a, b), limit) for name, a, b, limit in sides]

    return _Maps({}, {}, {"flow": (model.flow(time), x)}, in_time)


# Laws


def _round_trips(g: Bijection, x: Tensor, name: str) -> list[Measurement]:
    inputs = {"": (x, ROUND_TRIP)}
    inputs |= {
        f" on {kind}": (y, OOD_ROUND_TRIP)
        for kind, y in _out_of_distribution(g, g.in_shape).items()
    }
    return [
        Measurement(name + kind, relative_error(g.inverse(g(points)), points), threshold)
        for kind, (points, threshold) in inputs.items()
    ]


def _linear_laws(f: Linearizer, x: Tensor, name: str) -> list[Measurement]:
    A, P = f.operator, linalg.pinv(f.operator)
    z = A(f.g_x(x))
    sides = superposition(f, x, x.roll(1, 0), 0.6, -0.8)
    return [
        Measurement(f"superposition, {name}", relative_error(*sides), EXACT),
        Measurement(f"A A⁺ A = A, {name}", relative_error(A(P(z)), z), EXACT),
        Measurement(
            f"condition number of A on its range, {name}",
            _condition(A),
            1 / torch.finfo(torch.float32).eps,
        ),
    ]


def _condition(A: LinearOperator) -> float:
    values = linalg.singular_values(A)
    values = values[values > linalg.tolerance(A)]
    return float(values[0] / values[-1])


def _projections(image: Tensor) -> Tensor:
    """An image on a few random directions."""
    directions = normal((PROBES, image.numel()), 0, image)
    return directions @ image.flatten() / image.numel() ** 0.5


def _one_step_is_many(flow: OneStepFlow, noise: Tensor) -> list[Measurement]:
    return [
        Measurement(
            f"one step = {STEPS} {method} steps",
            relative_error(
                flow.collapse(STEPS, method)(noise), flow.integrate(noise, STEPS, method)
            ),
            ONE_STEP,
        )
        for method in METHODS
    ]


# Inputs


def _out_of_distribution(module: nn.Module, shape: Shape) -> dict[str, Tensor]:
    """Images that are like no data."""
    noise = _normal(module, shape)
    return {"uniform noise": torch.erf(noise / 2**0.5), "Gaussian noise": noise}


def _smooth(module: nn.Module, shape: Shape) -> Tensor:
    """Images of blurred noise, in [-1, 1], at any size."""
    coarse = _normal(module, (shape[0], 6, 6))
    return torch.tanh(interpolate(coarse, shape[1:], mode="bicubic"))


def _normal(module: Any, shape: Shape) -> Tensor:
    like = reference(module)
    return normal((COUNT, *shape), 0, torch.empty(()) if like is None else like)
