"""Which classes a config can name: those of modules that are imported, and nothing is imported."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import linearizer as lz
from linearizer.errors import FileFormatError, NotSaveableError
from linearizer.saving import known_types

MODULE = """
import pathlib
import linearizer as lz
import torch

pathlib.Path(__file__).with_name("imported").touch()

class Negative(lz.bijections.VolumePreserving):
    def __init__(self, shape):
        super().__init__(shape)
        self.shape = self.in_shape

    def _forward(self, x):
        return -x

    def _inverse(self, z):
        return -z

class Outer:
    class Twice(lz.LinearOperator):
        def __init__(self, shape):
            super().__init__(shape)
            self.shape = self.in_shape

        def _forward(self, z):
            return 2 * z

        def _adjoint(self, y):
            return 2 * y

def __getattr__(name):
    pathlib.Path(__file__).with_name("asked").touch()
    raise AttributeError(name)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a user's module, which leaves the file `imported` where it is imported."""
    name = f"users_own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def named(folder: Path, kind: str) -> Path:
    """A saved identity, whose config says that it is of another type."""
    lz.Identity(3).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["objects"][0]["type"] = kind
    path.write_text(json.dumps(config))
    return folder


def test_classes_of_an_imported_module(module: str, tmp_path: Path) -> None:
    own = importlib.import_module(module)
    for kind, made in (("Negative", own.Negative), ("Outer.Twice", own.Outer.Twice)):
        folder = tmp_path / kind
        made(3).save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        assert config["objects"][-1]["type"] == f"{module}.{kind}"
        assert type(lz.load(folder)) is made
    lz.save(lz.Chain(own.Negative(3), own.Negative(3)), tmp_path / "chain")
    assert lz.load(tmp_path / "chain")(torch.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_nothing_is_imported(module: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=f"known here, got '{module}.Negative'; import the"):
        lz.load(named(tmp_path / "model", f"{module}.Negative"))
    assert module not in sys.modules
    assert not (tmp_path / "imported").exists()


def test_no_attribute_is_computed(module: str, tmp_path: Path) -> None:
    importlib.import_module(module)
    for i, kind in enumerate(
        ("Missing", "lz.Identity", "Outer", "torch.nn.Linear", "pathlib.Path")
    ):
        with pytest.raises(FileFormatError, match="known here"):
            lz.load(named(tmp_path / str(i), f"{module}.{kind}"))
    assert not (tmp_path / "asked").exists()


def test_a_class_is_the_newest_of_its_name(module: str, tmp_path: Path) -> None:
    old = importlib.import_module(module).Negative
    old(3).save_pretrained(tmp_path / "model")
    new = importlib.reload(sys.modules[module]).Negative
    assert old is not new
    assert type(lz.load(tmp_path / "model")) is new


def test_a_class_inside_a_function_is_not_saved(tmp_path: Path) -> None:
    class Local(lz.Identity):
        pass

    with pytest.raises(NotSaveableError, match="top of a module"):
        Local(3).save_pretrained(tmp_path / "model")
    assert Local not in known_types(lz.Saveable).values()


def test_ours_have_short_names() -> None:
    known = known_types(lz.Saveable)
    for kind in ("AffineCoupling", "Dense", "Linearizer", "OneStepFlow", "Style", "MLP"):
        assert known[kind].__name__ == kind
    ours = [cls for cls in known.values() if cls.__module__.startswith("linearizer.")]
    assert len({cls.__name__ for cls in ours}) == len(ours)
