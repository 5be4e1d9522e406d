"""Whatever can be saved is loaded as it was, in half the bytes too where that keeps the numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import linearizer as lz
from linearizer.applications import IdempotentGenerator, OneStepFlow, StyleTransfer
from linearizer.conditioners import MLP
from linearizer.errors import NotSaveableError
from linearizer.operators import LinearOperator
from registry import BIJECTIONS, FLOWS, OPERATORS, bijection, operator

pytestmark = pytest.mark.filterwarnings("ignore::linearizer.errors.CertificateWarning")

G = "vector bijection"


def endomorphism() -> lz.Linearizer:
    return lz.Linearizer(lz.vector_bijection(5), torch.randn(5, 5))


def projector() -> IdempotentGenerator:
    return IdempotentGenerator.fit(lz.vector_bijection(6), [torch.randn(200, 6)], rank=2)


def binary_projector() -> IdempotentGenerator:
    coordinates = lz.Diagonal(torch.tensor([1.0, 0, 1, 0, 0, 0]))
    data = [torch.randn(200, 6)]
    return IdempotentGenerator.fit(lz.vector_bijection(6), data, projection=coordinates)


def styles() -> StyleTransfer:
    g = [lz.style_bijection((3, 8, 8), depth=1, width=4) for _ in range(2)]
    eye, mixed = torch.eye(48)[..., None, None], torch.randn(48, 48, 1, 1)
    return StyleTransfer(
        *g, {n: lz.CircularConvolution(k, (2, 2)) for n, k in {"a": eye, "b": mixed}.items()}
    )


def flow_of_paper() -> OneStepFlow:
    return OneStepFlow(lz.vector_bijection(5), FLOWS["hyper low rank"](), steps=4)


Model = tuple[nn.Module, Callable[[nn.Module], Tensor]]


def acting(
    make: Callable[[], nn.Module], act: Callable[[nn.Module], Tensor]
) -> Callable[[], Model]:
    return lambda: (make(), act)


def of_bijection(name: str) -> Model:
    g = bijection(name, torch.float32)
    x = torch.randn(3, *g.in_shape)
    return g, lambda h: torch.cat([h(x).flatten(), h.inverse(h(x)).flatten()])


def of_operator(name: str) -> Model:
    A = operator(name, torch.float32)
    z = torch.randn(3, *A.in_shape)
    return A, lambda B: torch.cat([B(z).flatten(), B.adjoint(B(z)).flatten()])


def of_flow(name: str) -> Model:
    def act(family: nn.Module) -> Tensor:
        made = [family.at(0.3), family.velocity(0.5)]
        made += [family.flow(0.1, 0.8)] if "hyper" not in name else []
        return torch.stack([A.to_dense() for A in made])

    return FLOWS[name](), act


POINTS = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
APPLICATIONS: dict[str, Callable[[], Model]] = {
    "one-step flow": acting(
        lambda: OneStepFlow.fit(lz.vector_bijection(5), [torch.randn(99, 5)]),
        lambda f: torch.stack([f.sample(4, seed=0), f.encode(POINTS)]),
    ),
    "one-step flow of whole numbers": acting(
        lambda: OneStepFlow(
            lz.vector_bijection(5), lz.flows.CovarianceFlow(torch.eye(5), torch.full((5,), 4.0))
        ),
        lambda f: f.sample(4, seed=0),
    ),
    "one-step flow of few directions": acting(
        lambda: OneStepFlow.fit(lz.vector_bijection(5), [torch.randn(99, 5)], rank=2),
        lambda f: f.sample(4, seed=0),
    ),
    "one-step flow of the paper": acting(flow_of_paper, lambda f: f.sample(4, seed=0)),
    "projector": acting(projector, lambda f: f.generate(4, seed=0)),
    "binary projector": acting(binary_projector, lambda f: f.generate(4, seed=0)),
    "styles": acting(styles, lambda f: f.stylize(torch.ones(2, 3, 8, 8), {"a": 0.5, "b": 1.0})),
    "identity": acting(
        lambda: lz.Linearizer(lz.vector_bijection(5), torch.eye(5)), lambda f: f(POINTS)
    ),
    "power zero": acting(lambda: endomorphism() ** 0, lambda f: f(POINTS)),
    "nothing": acting(lambda: (f := endomorphism()) - f**0, lambda f: f(POINTS)),
    "zeros and ones": acting(
        lambda: lz.Linearizer(lz.vector_bijection(5), lz.Diagonal(torch.tensor([1.0, 0, 1, 1, 0]))),
        lambda f: f(POINTS),
    ),
}
EVERYTHING: dict[str, Callable[[], Model]] = {
    **{f"g: {n}": lambda n=n: of_bijection(n) for n in BIJECTIONS},
    **{f"A: {n}": lambda n=n: of_operator(n) for n in OPERATORS},
    **{f"family: {n}": lambda n=n: of_flow(n) for n in FLOWS},
    **APPLICATIONS,
}


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["identity", "power zero", "nothing", "zeros and ones"])
def test_other_dtypes(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Parts are compared in dtype with what they are built on, which starts as float32."""
    torch.manual_seed(0)
    model = EVERYTHING[name]()[0].to(dtype)
    model.save_pretrained(tmp_path, compact=True)
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            loaded = lz.load(tmp_path)
        finally:
            torch.set_default_dtype(torch.float32)
        assert {t.dtype for t in loaded.state_dict().values() if t.is_floating_point()} == {dtype}
        assert torch.equal(loaded(POINTS.to(dtype)), model(POINTS.to(dtype)))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_loaded_on_the_processor_whatever_the_default_device(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, act = APPLICATIONS[name]()
    model.save_pretrained(tmp_path)
    with torch.device("meta"):
        loaded = type(model).from_pretrained(tmp_path)
    assert torch.equal(act(loaded), act(model))


def test_what_is_on_meta_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(NotSaveableError, match="meta"):
        lz.vector_bijection(4).to("meta").save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_numbers_that_json_has_not(tmp_path: Path) -> None:
    with pytest.raises(NotSaveableError, match="finite"):
        lz.AffineCoupling(4, MLP(saturation=float("inf"))).save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


@torch.no_grad()
@pytest.mark.parametrize("rounded", [False, True], ids=["as it is", "rounded"])
@pytest.mark.parametrize("compact", [False, True], ids=["full", "compact"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_round_trip(name: str, compact: bool, rounded: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, act = EVERYTHING[name]()
    if rounded:
        lz.saving.round_to_half_(model)
    model.save_pretrained(tmp_path, compact=compact)
    loaded = lz.load(tmp_path)
    assert type(loaded) is type(model)
    left, right = model.state_dict(), loaded.state_dict()
    assert left.keys() == right.keys()
    for key, tensor in left.items():
        assert tensor.dtype == right[key].dtype, key
        assert torch.equal(tensor, right[key]), key
    assert torch.equal(act(loaded), act(model))


def test_compact_files_are_smaller(tmp_path: Path) -> None:
    g = lz.vector_bijection(6)
    lz.saving.round_to_half_(g)
    sizes = []
    for compact in (False, True):
        g.save_pretrained(tmp_path / str(compact), compact=compact)
        sizes.append((tmp_path / str(compact) / "model.safetensors").stat().st_size)
    assert sizes[1] < 0.8 * sizes[0]


def test_parts_of_larger_tensors(tmp_path: Path) -> None:
    """Columns of a matrix and two views of one memory are written as what they show."""
    whole = torch.randn(6, 8)
    A = lz.LowRank(whole[:, 1:4], whole[:, 2:5])
    B = lz.Dense(nn.Parameter(torch.randn(4, 5).mT))
    centered = lz.Centering(whole.mT[2])
    for i, (module, n) in enumerate(((A, 6), (B, 4), (centered, 6))):
        module.save_pretrained(tmp_path / str(i))
        x = torch.randn(2, n)
        loaded = lz.load(tmp_path / str(i))
        assert torch.equal(loaded(x), module(x))
        assert all(t.is_contiguous() for t in loaded.state_dict().values())


def test_half_precision_stays_half(tmp_path: Path) -> None:
    A: LinearOperator = lz.Dense(torch.randn(3, 3)).to(torch.float16)
    A.save_pretrained(tmp_path, compact=True)
    assert lz.load(tmp_path).matrix.dtype == torch.float16
