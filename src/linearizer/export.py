"""Models as standard graphs: one static graph with any batch, for runtimes without this library."""

import contextlib
import copy
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from linearizer import linalg
from linearizer._checks import Shape, reference
from linearizer._extras import needs_extra
from linearizer._files import atomic_write
from linearizer._names import meant
from linearizer._random import normal
from linearizer._version import __version__
from linearizer.applications import ConditionalFlow, IdempotentGenerator, OneStepFlow, StyleTransfer
from linearizer.bijections import Bijection, LULinear, Orthogonal
from linearizer.errors import ExportError, RangeError
from linearizer.linearizer import Linearizer
from linearizer.operators import Convolution, LinearOperator

Target = Literal["onnx", "torch-export"]
Part = Literal["sampler", "encoder", "projector", "style", "map"]
SUFFIXES: dict[Target, str] = {"onnx": ".onnx", "torch-export": ".pt2"}
TOLERANCE = 1e-4
"""Largest difference from PyTorch, beside the largest number."""
BATCHES = (1, 3, 16)
"""On which the graph is compared; it is traced with another."""
REPETITIONS = 15

Run = Callable[[Tensor], Tensor]


class Exported(NamedTuple):
    """What was written, and how it compares.

    Attributes:
        path: The file.
        part: What it computes.
        in_shape: Event shape of its input; the batch before it is free.
        out_shape: Of its output.
        megabytes: Size of the file.
        error: Largest difference from PyTorch, beside the largest number, over several batches.
        seconds: Of one batch of 16, of the graph in its runtime.
        torch_seconds: The same in PyTorch, measured in turns with it.
    """

    path: Path
    part: str
    in_shape: Shape
    out_shape: Shape
    megabytes: float
    error: float
    seconds: float
    torch_seconds: float


@torch.no_grad()
def export(
    model: object,
    path: str | Path,
    *,
    to: Target = "onnx",
    part: Part | None = None,
    rank: int | None = None,
    mix: Mapping[str, float] | None = None,
    size: Sequence[int] | None = None,
) -> Exported:
    """Write one map of a model as a graph, after it was compared with PyTorch.

    | model | parts |
    |---|---|
    | `OneStepFlow` | `sampler`: noise to image, all steps in one; `encoder`: back |
    | `IdempotentGenerator` | `projector`: image to image, of a rank |
    | `StyleTransfer` | `style`: image to image, of a frozen mix and size |
    | `Linearizer`, `Bijection` | `map` |

    Args:
        model: One of the above; of a `ConditionalFlow` one class, `model.at(label)`.
        path: The file; `.onnx`, or `.pt2` with `torch-export`.
        to: ONNX, for onnxruntime and others, or PyTorch's own `torch.export`.
        part: Which map; the first of the model's if not given.
        rank: Of a projector; its own if not given.
        mix: Weights of the styles, by name.
        size: (H, W) of the images of a style; that of the training if not given.

    Raises:
        RangeError: If the model has no such part, or the part no such option.
        ExportError: If the graph cannot be made, or differs from PyTorch.
        MissingExtraError: If the packages for ONNX are not installed.
    """
    chosen, f, in_shape = part_of(model, part, rank=rank, mix=mix, size=size)
    f = copy.deepcopy(f).cpu().eval()
    like = reference(f)
    example = normal((2, *in_shape), 0, torch.empty(()) if like is None else like)
    graph = _Graph(f).eval()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as whole:
        load = _write_onnx if to == "onnx" else _write_torch
        run = load(graph, example, whole, chosen)
        error = max(_difference(f, run, example, batch) for batch in BATCHES)
        if not error <= TOLERANCE:
            raise ExportError(
                f"expected a graph equal to PyTorch up to {TOLERANCE:.0e}, got {error:.1e}; "
                "verify the model, and train a g with a more stable inverse if a round trip fails"
            )
        seconds, torch_seconds = _timed(run, f, normal((16, *in_shape), 1, example))
        megabytes = whole.stat().st_size / 1e6
    out_shape = tuple(f(example).shape[1:])
    return Exported(path, chosen, in_shape, out_shape, megabytes, error, seconds, torch_seconds)


def part_of(
    model: object,
    part: Part | None = None,
    *,
    rank: int | None = None,
    mix: Mapping[str, float] | None = None,
    size: Sequence[int] | None = None,
) -> tuple[Part, nn.Module, Shape]:
    """The name of a part, the map that it is, and the event shape of its input.

    Raises:
        RangeError: If the model has no such part, or the part no such option.
    """
    maps = _maps_of(model, rank, mix, size)
    chosen = part or next(iter(maps))
    if chosen not in maps:
        raise RangeError(
            f"expected a part of {', '.join(maps)} of a {type(model).__name__}, "
            f"got '{chosen}'{meant(chosen, maps)}; "
            "choose one of these"
        )
    for option, value, owner in (
        ("rank", rank, "projector"),
        ("mix", mix, "style"),
        ("size", size, "style"),
    ):
        if value is not None and chosen != owner:
            raise RangeError(f"expected no {option} for a {chosen}, got {value}; leave it out")
    f = maps[chosen]()
    shape = f.in_shape if isinstance(f, Bijection) else f.domain.shape
    return chosen, f, shape


def _maps_of(
    model: object,
    rank: int | None,
    mix: Mapping[str, float] | None,
    size: Sequence[int] | None,
) -> dict[Part, Callable[[], Linearizer | Bijection]]:
    match model:
        case OneStepFlow():
            return {"sampler": model.collapse, "encoder": lambda: model.collapse().pinv()}
        case IdempotentGenerator():
            return {"projector": lambda: model.at(rank)}
        case StyleTransfer():

            def style() -> Linearizer:
                if not mix:
                    names = ", ".join(model.names) or "none yet"
                    raise RangeError(f"expected a mix of the styles {names}, got none; name one")
                sides = tuple(size or model.g_x.in_shape[1:])
                if any(side % model.factor for side in sides):
                    raise RangeError(
                        f"expected sides that {model.factor} divides, got {sides}; a graph does "
                        "not pad"
                    )
                return model.at(sides, model.mix(mix))

            return {"style": style}
        case ConditionalFlow():
            raise RangeError(
                "expected one class of a ConditionalFlow to export, got all; give "
                "model.at(label), on the command line --label"
            )
        case Linearizer() | Bijection():
            return {"map": lambda: model}
    raise RangeError(
        f"expected an application, a Linearizer or a bijection to export, got a "
        f"{type(model).__name__}"
    )


class _Graph(nn.Module):
    """The map with a fused operator, and convolutions as a graph knows them."""

    def __init__(self, f: nn.Module) -> None:
        super().__init__()
        f = copy.deepcopy(f)
        self.parts = nn.ModuleList([f])
        if isinstance(f, Linearizer):
            self.parts = nn.ModuleList([f.g_x, _plain(linalg.fuse(f.operator)), f.g_y.inv])
        _freeze_mixings_(self)

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


class _PaddedConvolution(nn.Module):
    """A convolution without the Fourier transform, which few runtimes know."""

    def __init__(self, operator: Convolution) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, z: Tensor) -> Tensor:
        return self.operator.by_padding(z)


class _FrozenMixing(nn.Module):
    """A learned mixing as its two matrices: few runtimes solve triangular systems."""

    matrix: Tensor
    inverse_matrix: Tensor

    def __init__(self, g: Bijection) -> None:
        super().__init__()
        self.in_shape, self.out_shape = g.in_shape, g.out_shape
        double = copy.deepcopy(g).double()
        identity = torch.eye(g.in_shape[0], dtype=torch.float64)
        like = next(g.parameters())
        self.register_buffer("matrix", double(identity).to(like))
        self.register_buffer("inverse_matrix", double.inverse(identity).to(like))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix

    def inverse(self, z: Tensor) -> Tensor:
        return z @ self.inverse_matrix


def _freeze_mixings_(f: nn.Module) -> None:
    for module in list(f.modules()):
        for name, child in module.named_children():
            if isinstance(child, LULinear | Orthogonal):
                setattr(module, name, _FrozenMixing(child))


def _plain(operator: LinearOperator) -> nn.Module:
    if isinstance(operator, Convolution):
        return _PaddedConvolution(operator)
    return operator


def _write_torch(graph: nn.Module, example: Tensor, path: Path, part: str) -> Run:
    with _failing_clearly():
        program = torch.export.export(
            graph, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
    buffer = io.BytesIO()  # a path would have to end as it is to end in the end
    torch.export.save(program, buffer, extra_files={"linearizer": f"{part} {__version__}"})
    path.write_bytes(buffer.getvalue())
    run: Run = torch.export.load(io.BytesIO(path.read_bytes())).module()
    return run


def _write_onnx(graph: nn.Module, example: Tensor, path: Path, part: str) -> Run:
    with needs_extra("onnxruntime, onnx and onnxscript", "export"):
        import onnxruntime  # noqa: PLC0415  (an extra)
        import onnxscript  # noqa: F401, PLC0415
    names = _NAMES[part]
    with _failing_clearly():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
        assert program is not None, "dynamo returns one"
        program.model.metadata_props.update({"linearizer": __version__, "part": part})
        program.save(path, external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        (image,) = session.run(None, {names[0]: x.numpy()})
        return torch.from_numpy(image)

    return run


_NAMES: dict[str, tuple[str, str]] = {
    "sampler": ("noise", "image"),
    "encoder": ("image", "noise"),
    "projector": ("image", "projection"),
    "style": ("image", "stylized"),
    "map": ("x", "y"),
}
assert _NAMES.keys() == set(get_args(Part))


@contextlib.contextmanager
def _failing_clearly() -> Iterator[None]:
    """Without the exporters' own reports, and with one sentence where they fail."""
    noise = logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")
    levels = [logger.level for logger in noise]
    for logger in noise:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(
            f"expected a model that PyTorch can trace, got: {reason}; a bijection of your own "
            "must not branch on values"
        ) from error
    finally:
        for logger, level in zip(noise, levels, strict=True):
            logger.setLevel(level)


def _difference(f: nn.Module, run: Run, example: Tensor, batch: int) -> float:
    x = normal((batch, *example.shape[1:]), batch, example)
    expected: Tensor = f(x)
    return float((run(x) - expected).abs().max() / expected.abs().max())


def _timed(run: Run, f: Any, x: Tensor) -> tuple[float, float]:
    """Medians of both, taken in turns, so that a busy moment falls on both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPETITIONS):
        for function, taken in zip((run, f), times, strict=True):
            start = time.perf_counter()
            function(x)
            taken.append(time.perf_counter() - start)
    return median(times[0]), median(times[1])
