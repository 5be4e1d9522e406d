"""Exported graphs compute what the models compute, for any batch, without this library."""

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

import linearizer as lz
from command_line import assert_one_clear_line, linearizer
from linearizer.applications import ConditionalFlow
from linearizer.errors import ExportError, RangeError
from linearizer.export import export
from linearizer.saving import known_types
from registry import BIJECTIONS, bijection
from test_verification import flow, projector, styles

KINDS = {
    "sampler": (flow, {}, lambda m, x: m.decode(x)),
    "encoder": (flow, {}, lambda m, x: m.encode(x)),
    "projector": (projector, {"rank": 2}, lambda m, x: m.project(x, 2)),
    "style": (
        styles,
        {"mix": {"one": 0.7}, "size": (12, 16)},
        lambda m, x: m.stylize(x, {"one": 0.7}),
    ),
    "map": (lambda: flow().collapse(), {}, lambda m, x: m(x)),
}
TARGETS = {"onnx": ".onnx", "torch-export": ".pt2"}


def run(path, x):
    if path.suffix == ".pt2":
        return torch.export.load(path).module()(x)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())
    return torch.from_numpy(session.run(None, {name: x.numpy()})[0])


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("part", KINDS)
@torch.no_grad()
def test_the_graph_is_equal_for_any_batch(part, to, tmp_path):
    torch.manual_seed(0)
    build, options, expected = KINDS[part]
    model = build()
    made = export(model, tmp_path / f"graph{TARGETS[to]}", to=to, part=part, **options)
    assert made.error <= 1e-4
    assert made.megabytes > 0
    for batch in (1, 2, 5, 17):
        x = torch.randn(batch, *made.in_shape)
        torch.testing.assert_close(run(made.path, x), expected(model, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("kernel", [(2, 1), (3, 4), (6, 6)])
@pytest.mark.parametrize("kind", [lz.CircularConvolution, lz.SymmetricConvolution])
@torch.no_grad()
def test_convolutions_become_padding(kind, kernel, to, tmp_path):
    """Those too that are computed by a transform, which few runtimes know."""
    A = kind(torch.randn(3, 2, *kernel), (6, 7))
    f = lz.Linearizer(lz.Identity((2, 6, 7)), A, lz.Identity((3, 6, 7)))
    made = export(f, tmp_path / f"graph{TARGETS[to]}", to=to)
    for batch in (1, 5):
        x = torch.randn(batch, 2, 6, 7)
        torch.testing.assert_close(run(made.path, x), f(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BIJECTIONS)
@torch.no_grad()
def test_every_bijection_is_traced_both_ways(name, tmp_path):
    g = bijection(name, torch.float32)
    for i, f in enumerate((g, g.inv)):
        assert export(f, tmp_path / f"{i}.pt2", to="torch-export").error <= 1e-4


@pytest.mark.parametrize("name", ["mnist", "projector"])
def test_what_is_shipped_is_exported(name, tmp_path):
    model = lz.load(name)
    one = model.at(3) if isinstance(model, ConditionalFlow) else model
    assert export(one, tmp_path / "graph.onnx").error <= 1e-4


def test_the_model_stays_as_it_is(tmp_path):
    model = styles()
    before = {k: t.clone() for k, t in model.state_dict().items()}
    export(model, tmp_path / "graph.pt2", to="torch-export", mix={"one": 1.0})
    assert before.keys() == model.state_dict().keys()
    x = torch.rand(1, 3, 12, 12)
    assert model.stylize(x, "one").shape == x.shape


def test_tracing_leaves_no_classes_behind(tmp_path):
    before = known_types(lz.Saveable)
    export(projector(), tmp_path / "graph.pt2", to="torch-export")  # g is on both sides of it
    assert known_types(lz.Saveable) == before


def test_doubles_stay_doubles(tmp_path):
    f = flow().double().collapse()
    made = export(f, tmp_path / "graph.onnx")
    assert run(made.path, torch.randn(2, 5).double()).dtype == torch.float64
    assert made.error <= 1e-10


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["linearizer"] = None     # importing them fails
import json, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
noise = numpy.random.default_rng(0).standard_normal((4, 64)).astype("float32")
(images,) = session.run(None, {"noise": noise})
print(json.dumps([images.shape, images.flatten()[:8].tolist()]))
"""


def test_the_sampler_needs_only_onnxruntime_and_numpy(tmp_path):
    threes = lz.load("digits").at(3)
    export(threes, tmp_path / "sampler.onnx")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, tmp_path / "sampler.onnx"],
        capture_output=True,
        text=True,
        check=True,
    )
    shape, numbers = json.loads(done.stdout)
    assert shape == [4, 1, 8, 8]
    noise = np.random.default_rng(0).standard_normal((4, 64)).astype("float32")
    expected = threes.decode(torch.from_numpy(noise)).detach().flatten()[:8]
    np.testing.assert_allclose(numbers, expected, atol=1e-4)


def test_a_part_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RangeError, match="expected a part of sampler, encoder"):
        export(flow(), tmp_path / "x.onnx", part="projector")
    with pytest.raises(RangeError, match="no rank for a sampler"):
        export(flow(), tmp_path / "x.onnx", rank=3)
    with pytest.raises(RangeError, match="mix of the styles one"):
        export(styles(), tmp_path / "x.onnx")
    with pytest.raises(RangeError, match="sides that 4 divides"):
        export(styles(), tmp_path / "x.onnx", mix={"one": 1.0}, size=(10, 12))
    with pytest.raises(RangeError, match="got a Dense"):
        export(lz.Dense(torch.eye(3)), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_traced_is_said(tmp_path):
    class Branching(lz.Identity):
        def _forward(self, x):
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(ExportError, match="must not branch on values"):
        export(Branching(3), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_differs_is_not_kept(tmp_path):
    class Random(lz.Identity):
        def _forward(self, x):
            return x + torch.rand_like(x)

    with pytest.raises(ExportError, match="equal to PyTorch"):
        export(Random(3), tmp_path / "x.pt2", to="torch-export")
    assert not list(tmp_path.iterdir())


# The command


def test_the_command_writes_and_reports(tmp_path):
    one = ("export", "digits", "--label", "3")
    done = linearizer(*one, "--out", tmp_path / "d.onnx")
    assert done.returncode == 0, done.stderr
    assert "times as fast" in done.stdout
    assert (tmp_path / "d.onnx").exists()
    again = linearizer(*one, "--out", tmp_path / "d.onnx")
    assert_one_clear_line(again, "--overwrite")
    encoder = ("--part", "encoder", "--to", "torch-export", "--out", tmp_path / "e.pt2")
    done = linearizer(*one, *encoder)
    assert done.returncode == 0, done.stderr


def test_the_command_refuses_clearly(tmp_path):
    out = ("--out", tmp_path / "x.onnx")
    style = linearizer("export", "digits", "--label", "3", "--part", "style", *out)
    assert_one_clear_line(style, "sampler, encoder")
    assert_one_clear_line(linearizer("export", "digits", *out), "--label")
    assert_one_clear_line(linearizer("export", "digits", "--size", "3by3", *out), "256x256")
    assert_one_clear_line(linearizer("export", tmp_path / "nothing", *out), "config.json")
