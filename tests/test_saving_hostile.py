"""Files of unknown origin load as what was saved, or are refused at once and in one sentence."""

import copy
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

import linearizer as lz
from linearizer._files import sha256
from linearizer.applications import IdempotentGenerator, OneStepFlow, StyleTransfer
from linearizer.conditioners import MLP, ConvNet, PatchTransformer
from linearizer.errors import FileFormatError
from linearizer.saving import known_types
from linearizer.saving.certificate import Certificate
from linearizer.verification import certify

SECONDS = 2.0
MEGABYTES = 300


def models() -> dict[str, lz.Saveable]:
    torch.manual_seed(0)
    g = lz.vector_bijection(4, depth=1, width=4)
    image = lz.image_bijection((1, 4, 4), layout="wavelet", depth=1, width=4, levels=1)
    style = lz.style_bijection((1, 4, 4), factor=2, depth=1, width=2)
    eye = torch.eye(4)[..., None, None]
    rows = torch.randn(50, 4)
    return {
        "linearizer": lz.Linearizer(g, lz.Dense(torch.randn(4, 4)) + lz.ScaledIdentity(4)),
        "wavelets": image,
        "couplings": lz.Chain(
            lz.bijections.Patches((2, 4, 4), 2),
            lz.AffineCoupling((4, 8), PatchTransformer(width=4, depth=1, heads=2), axis=1),
            lz.Permute((4, 8), axis=1),
        ),
        "channels": lz.Chain(
            lz.Squeeze((1, 4, 4)),
            lz.ActNorm((4, 2, 2)),
            lz.Conv1x1((4, 2, 2), lz.bijections.Orthogonal(4)),
            lz.AdditiveCoupling((4, 2, 2), ConvNet(width=2)),
            lz.Flatten((4, 2, 2)),
            lz.bijections.PartialBijection(lz.AdditiveCoupling(4, MLP(width=2)), 16),
        ),
        "flow": OneStepFlow.fit(g, [rows]),
        "flow of the paper": OneStepFlow(
            g, lz.flows.LowRankHypernetwork(4, rank=2, width=4), steps=3
        ),
        "projector": IdempotentGenerator.fit(g, [rows], rank=2),
        "styles": StyleTransfer(style, style, {"a": lz.CircularConvolution(eye, (2, 2))}),
        "mask": lz.operators.LearnedDiagonalProjection(lz.operators.BinaryMask(4, rank=2)),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, model in models().items():
        folders[name] = tmp_path_factory.mktemp("saved") / "model"
        model.save_pretrained(folders[name])
    return folders


def load_or_refuse(folder: Path) -> Any:
    """The model, or None if it is refused: soon, and with nothing but our own error."""
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = lz.load(folder)
    except FileFormatError as error:
        words = str(error)
        assert words.startswith("expected ")
        assert ", got " in words
        assert len(words) < 1000
        model = None
    assert time.process_time() - start < SECONDS
    return model


def refused(folder: Path, *words: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileFormatError) as caught:
        lz.load(folder)
    for word in words:
        assert word in str(caught.value)
    assert load_or_refuse(folder) is None
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * (2**20 if sys.platform == "darwin" else 2**10)


def described(kind: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "args": list(args), "kwargs": kwargs}


def ref(index: Any) -> dict[str, Any]:
    return {"$object": index}


def write(
    folder: Path, objects: Any, root: Any = None, tensors: dict | None = None, **changes: Any
) -> Path:
    """A model of the given objects, the last of which it is."""
    tensors = tensors or {}
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    config = {
        "format": "linearizer",
        "format_version": 1,
        "sha256": sha256(folder / "model.safetensors"),
        "dtypes": {k: str(t.dtype).removeprefix("torch.") for k, t in tensors.items()},
        "frozen": [],
        "root": root or ref(len(objects) - 1),
        "objects": objects,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


HUGE = 10**9
MLP_ = described("MLP", width=8)
TOO_LARGE: dict[str, list[dict[str, Any]]] = {
    "Haar": [described("Haar", shape=[1, 4, 4], levels=10**6)],
    "Haar of a side without end": [described("Haar", shape=[1, 2**40, 2**40], levels=39)],
    "LULinear": [described("LULinear", features=HUGE)],
    "LULinear beyond 64 bits": [described("LULinear", features=10**30)],
    "Orthogonal": [described("Orthogonal", features=10**5)],
    "Permute": [described("Permute", shape=HUGE)],
    "ActNorm": [described("ActNorm", shape=[HUGE, 1, 1])],
    "Conv1x1": [described("Conv1x1", shape=[10**5, 2, 2])],
    "wide MLP": [
        described("MLP", width=10**7, depth=3),
        described("AffineCoupling", shape=4, conditioner=ref(0)),
    ],
    "deep MLP": [
        described("MLP", width=1, depth=10**6),
        described("AffineCoupling", shape=4, conditioner=ref(0)),
    ],
    "MLP deeper than memory": [
        described("MLP", width=1, depth=10**12),
        described("AffineCoupling", shape=4, conditioner=ref(0)),
    ],
    "deep ConvNet": [
        described("ConvNet", width=1, depth=10**6),
        described("AffineCoupling", shape=[2, 2, 2], conditioner=ref(0)),
    ],
    "deep transformer": [
        described("PatchTransformer", width=2, depth=10**6, heads=1),
        described("AffineCoupling", shape=[2, 2], conditioner=ref(0)),
    ],
    "coupling of an image": [MLP_, described("AffineCoupling", shape=[HUGE], conditioner=ref(0))],
    "mask": [described("BinaryMask", shape=HUGE, rank=3)],
    "hyper low rank": [described("LowRankHypernetwork", n=10**6, rank=10**6)],
    "frequencies": [described("LowRankHypernetwork", n=2, rank=1, frequencies=HUGE)],
    "classifier": [described("Classifier", shape=[1, 10**5, 10**5])],
    "negative": [described("Permute", shape=-5)],
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_sizes_beyond_the_weights(name: str, tmp_path: Path) -> None:
    import linearizer.metrics  # noqa: F401  (makes its classes known)

    refused(write(tmp_path, TOO_LARGE[name]))


def test_objects_that_multiply(tmp_path: Path) -> None:
    """Each names the one before it twice: sixty lines are 2^60 objects."""
    objects = [described("Identity", shape=4)]
    for i in range(30):
        objects += [described("Inverse", bijection=ref(2 * i))]
        objects += [described("Chain", ref(2 * i), ref(2 * i + 1))]
    refused(write(tmp_path, objects))
    halves = [described("ScaledIdentity", shape=4, scale=2.0)]
    halves += [described("Sum", left=ref(i), right=ref(i)) for i in range(60)]
    refused(write(tmp_path, halves))


@pytest.mark.parametrize("name", ["wavelets", "channels"])
def test_objects_that_are_repeated(saved: dict[str, Path], name: str, tmp_path: Path) -> None:
    """Each object of a model three thousand times, for nothing."""
    config = json.loads((saved[name] / "config.json").read_text())
    tensors = load_file(saved[name] / "model.safetensors")
    for i in range(len(config["objects"])):
        objects = config["objects"][: i + 1] + [config["objects"][i]] * 3000
        load_or_refuse(write(tmp_path, objects, ref(i), tensors))


def test_objects_that_are_nested_deeply(tmp_path: Path) -> None:
    objects = [described("Identity", shape=4)]
    objects += [described("Inverse", bijection=ref(i)) for i in range(5000)]
    refused(write(tmp_path, objects))


STRANGE: dict[str, list[Any]] = {
    "a later object": [described("Chain", ref(1)), described("Identity", shape=4)],
    "itself": [described("Inverse", bijection=ref(0))],
    "a negative index": [described("Identity", shape=4), described("Chain", ref(-1))],
    "a true index": [described("Identity", shape=4)] * 2 + [described("Chain", ref(True))],
    "an index of text": [described("Identity", shape=4), described("Chain", ref("0"))],
    "an abstract type": [described("Bijection", in_shape=4)],
    "an abstract operator": [described("LinearOperator", in_shape=4)],
    "a type that is a list": [described(["Permute"])],  # type: ignore[arg-type]
    "positions": [described("Identity", 4)],
    "more keys": [described("Identity", shape=4) | {"code": "x"}],
    "two references in one": [described("Inverse", bijection={"$object": 0, "$dict": {}})],
    "an empty reference": [described("Inverse", bijection={})],
    "an unknown tensor": [described("Diagonal", diagonal={"$tensor": "a", "trainable": False})],
    "a matrix of text": [described("Dense", matrix="abc")],
    "arguments that are numbers": [described("Identity") | {"args": 3}],
    "arguments that are text": [described("Chain") | {"args": "abc"}],
    "a deep argument": [described("Identity", shape=json.loads("[" * 400 + "4" + "]" * 400))],
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_objects(name: str, tmp_path: Path) -> None:
    refused(write(tmp_path, STRANGE[name]))


@pytest.mark.parametrize("shape", ["4", [2] * 10**5, 10**30])
def test_shapes_that_are_only_odd(shape: object, tmp_path: Path) -> None:
    load_or_refuse(write(tmp_path, [described("Identity", shape=shape)]))


DIAGONAL = [described("Diagonal", diagonal={"$tensor": "diagonal", "trainable": False})]
CHANGES: dict[str, dict[str, Any]] = {
    "a dtype that is whole": {"dtypes": {"diagonal": "int32"}},
    "a dtype of another width": {"dtypes": {"diagonal": "float64"}},
    "a dtype that is none": {"dtypes": {"diagonal": "load"}},
    "a dtype that is a number": {"dtypes": {"diagonal": 3}},
    "a dtype that is a list": {"dtypes": {"diagonal": ["float32"]}},
    "no dtypes": {"dtypes": {}},
    "a list of dtypes": {"dtypes": ["diagonal"]},
    "a dtype of nothing": {"dtypes": {"diagonal": "float32", "other": "float32"}},
    "frozen that is unknown": {"frozen": ["other"]},
    "frozen that is a number": {"frozen": [3]},
    "frozen that is a list": {"frozen": [["diagonal"]]},
    "frozen that is text": {"frozen": "diagonal"},
    "a buffer that is frozen": {"frozen": ["diagonal"]},
    "a hash that is none": {"sha256": None},
    "version 0": {"format_version": 0},
    "version -1": {"format_version": -1},
    "version true": {"format_version": True},
    "version 1.5": {"format_version": 1.5},
    "version 1.0": {"format_version": 1.0},
    "version of any length": {"format_version": "9" * 10**5},
    "a root that is text": {"root": "Diagonal"},
    "a root that is unknown": {"root": ref(7)},
    "a root that is a list": {"root": [ref(0)]},
    "trainable that is a number": {
        "objects": [described("Diagonal", diagonal={"$tensor": "diagonal", "trainable": 1})]
    },
    "trainable that is missing": {"objects": [described("Diagonal", diagonal={"$tensor": "a"})]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_strange_configs(name: str, tmp_path: Path) -> None:
    diagonal = {"diagonal": torch.ones(3)}
    assert lz.load(write(tmp_path, DIAGONAL, tensors=diagonal)).in_shape == (3,)
    refused(write(tmp_path, **{"objects": DIAGONAL, "tensors": diagonal, **CHANGES[name]}))


def test_weights_of_other_kinds(tmp_path: Path) -> None:
    permute = [described("Permute", shape=3, axis=0, permutation=None)]
    good = {"permutation": torch.tensor([1, 0, 2]), "_back": torch.tensor([1, 0, 2])}
    assert lz.load(write(tmp_path, permute, tensors=good)).in_shape == (3,)
    refused(write(tmp_path, permute, tensors=good | {"_back": torch.ones(3)}))
    refused(write(tmp_path, permute, tensors=good | {"_back": torch.ones(4, dtype=torch.long)}))
    refused(write(tmp_path, permute, tensors=good | {"more": torch.ones(4)}))


TEXTS = {
    "deep JSON": "[" * 10**5 + "]" * 10**5,
    "deep objects": '{"a":' * 10**5 + "1" + "}" * 10**5,
    "NaN": '{"format": "linearizer", "format_version": NaN}',
    "infinity": '{"format": "linearizer", "format_version": -Infinity}',
    "infinity in disguise": '{"format": "linearizer", "format_version": 1e999}',
    "a key twice": '{"format": "linearizer", "format": "linearizer", "format_version": 1}',
    "a number without end": '{"format": "linearizer", "format_version": ' + "9" * 10**5 + "}",
}


@pytest.mark.parametrize("name", TEXTS)
def test_strange_texts(name: str, tmp_path: Path) -> None:
    write(tmp_path, DIAGONAL, tensors={"diagonal": torch.ones(3)})
    (tmp_path / "config.json").write_text(TEXTS[name])
    refused(tmp_path, "JSON")


def test_files_without_end(tmp_path: Path) -> None:
    write(tmp_path, DIAGONAL, tensors={"diagonal": torch.ones(3)})
    for name in ("config.json", "model.safetensors"):
        kept = (tmp_path / name).read_bytes()
        with (tmp_path / name).open("r+b") as file:
            file.truncate(10**11)  # takes no room on the disk
        refused(tmp_path)
        (tmp_path / name).write_bytes(kept)
    assert lz.load(tmp_path).in_shape == (3,)


def test_folders_in_place_of_files(tmp_path: Path) -> None:
    write(tmp_path, DIAGONAL, tensors={"diagonal": torch.ones(3)})
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        refused(tmp_path, name)


# Fuzzed

TYPES = sorted(known_types(lz.Saveable))  # as they are now: others may become known later
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    1000,
    10**6,
    10**9,
    2**31,
    2**63,
    10**30,
    -(10**9),
    0.5,
    1e308,
    1e-320,
)
VALUES: tuple[Any, ...] = (*NUMBERS, True, False, None, "", "x", "float16", [], {}, [[]], [1, 2])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a JSON value."""
    items = {list: enumerate, dict: dict.items}.get(type(value), lambda value: ())(value)
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def mutated(config: Any, draw: Callable[..., Any]) -> Any:
    """A config with one thing in it changed, removed, or put in place of another."""
    path = draw(st.sampled_from(places(config)[1:]))
    inside = config
    for key in path[:-1]:
        inside = inside[key]
    key = path[-1]
    how = draw(st.sampled_from(["replace", "replace", "delete", "copy", "type", "index", "repeat"]))
    if how == "delete":
        del inside[key]
    elif how == "repeat" and isinstance(inside, list):
        inside.extend([copy.deepcopy(inside[key])] * draw(st.sampled_from([1, 50, 5000])))
    elif how == "copy":
        other = config
        for step in draw(st.sampled_from(places(config))):
            other = other[step]
        inside[key] = copy.deepcopy(other)
    elif how == "type":
        inside[key] = draw(st.sampled_from(TYPES))
    elif how == "index":
        inside[key] = {"$object": draw(st.integers(-3, 30))}
    else:
        inside[key] = draw(st.sampled_from(VALUES))
    return config


NAMES = [
    "channels",
    "couplings",
    "flow",
    "flow of the paper",
    "linearizer",
    "mask",
    "projector",
    "styles",
    "wavelets",
]
fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def of_these_weights(model: Any, folder: Path) -> None:
    """Whatever was loaded, its numbers are those of the file."""
    if isinstance(model, nn.Module):
        stored = load_file(folder / "model.safetensors")
        state = model.state_dict()
        for name, tensor in stored.items():
            assert torch.equal(state[name].to(tensor.dtype), tensor)


@fuzzed
@given(data=st.data(), name=st.sampled_from(NAMES), times=st.integers(1, 3))
def test_mutated_configs(saved: dict[str, Path], data: Any, name: str, times: int) -> None:
    path = saved[name] / "config.json"
    kept = path.read_text()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    config = json.loads(kept)
    for _ in range(times):
        config = mutated(config, data.draw)
    try:
        path.write_text(json.dumps(config))
        of_these_weights(load_or_refuse(saved[name]), saved[name])
    finally:
        path.write_text(kept)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * (2**20 if sys.platform == "darwin" else 2**10)


@fuzzed
@given(
    data=st.data(),
    name=st.sampled_from(NAMES),
    file=st.sampled_from(["config.json", "model.safetensors"]),
)
def test_damaged_bytes(saved: dict[str, Path], data: Any, name: str, file: str) -> None:
    path = saved[name] / file
    kept = path.read_bytes()
    changed = bytearray(kept)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(kept) - 1))
        changed[place] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.one_of(st.none(), st.integers(0, len(kept))))
    try:
        path.write_bytes(changed[:end])
        model = load_or_refuse(saved[name])
        assert model is None or file == "config.json" or bytes(changed[:end]) == kept
        of_these_weights(model, saved[name])
    finally:
        path.write_bytes(kept)


@fuzzed
@given(data=st.data(), times=st.integers(1, 3))
def test_mutated_certificates(tmp_path_factory: Any, data: Any, times: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "certified"
    if not (folder / "certificate.json").exists():
        f = lz.Linearizer(lz.vector_bijection(3, depth=1, width=2), torch.eye(3))
        f.save_pretrained(folder)
        certify(folder, f)
    path = folder / "certificate.json"
    kept = path.read_text()
    config = json.loads(kept)
    for _ in range(times):
        config = mutated(config, data.draw)
    try:
        path.write_text(json.dumps(config))
        assert load_or_refuse(folder) is not None  # a bad certificate is a warning
        with suppress(FileFormatError):
            certificate = Certificate.read(folder)
            assert certificate is not None
            assert certificate.holds in (True, False)
            assert all(len(law.figures) == 2 for law in certificate.laws)
            certificate.changed(folder, [folder])
    finally:
        path.write_text(kept)
