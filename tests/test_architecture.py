"""Who may import whom, which classes may have subclasses, and what the import costs."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import linearizer

ROOT = Path(__file__).parent.parent / "src" / "linearizer"

LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "_version"),
    ("_checks", "_extras", "_files", "_names", "_random", "measurement"),
    ("_modes", "_differentiable", "_arrays", "_gate", "_brief"),
    ("_rotation",),
    ("saving",),
    ("bijections", "operators", "conditioners"),
    ("linalg", "spaces", "presets", "adapters"),
    ("estimation", "flows"),
    ("linearizer", "spectral"),
    ("laws",),
    ("testing",),
    ("applications", "data", "display", "metrics", "runs"),
    ("training", "verification", "export", "loading"),
    ("_public",),
    ("evaluation", "sklearn"),
    ("app",),
    ("cli",),
    ("__main__",),
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
CORE = {part for part, level in LEVEL.items() if level <= LEVEL["testing"]}
CORE |= {"__init__", "_public", "loading"}
BUILT_ON = {"conditional_flow": {"one_step_flow"}}
"""A component of the one is the other."""
APART = {"bijections", "operators", "conditioners"}
OF_CORE = {"scipy", "sklearn", "huggingface_hub"}
"""Extras that the core uses, where they are installed, and imports only then."""
OPTIONAL = {"lightning", "torchmetrics", "sklearn", "matplotlib", "typer", "rich", "PIL", "gradio"}
OPTIONAL |= OF_CORE
CORE_MAY_IMPORT = {"torch", "numpy", "safetensors", "linearizer", *sys.stdlib_module_names}


def part_of(path: Path) -> str:
    """The part of the library that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(source: str) -> Iterator[str]:
    """Every module that a source names in an import, wherever in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            if node.module == "linearizer":
                yield from (f"linearizer.{alias.name}" for alias in node.names)


def parts_imported(source: str) -> set[str]:
    names = (name.split(".") for name in imports(source))
    return {name[1] for name in names if name[0] == "linearizer" and name[1:] and name[1] in LEVEL}


def violations(part: str, source: str) -> set[str]:
    """The parts that a file of `part` imports although it must not."""
    wrong = {other for other in parts_imported(source) if LEVEL[other] > LEVEL[part]}
    if part in APART:
        wrong |= parts_imported(source) & (APART - {part})
    return wrong


SOURCES = sorted(p for p in ROOT.rglob("*.py") if part_of(p) != "__init__")


def levels_of_contributing() -> tuple[tuple[str, ...], ...]:
    """The levels as CONTRIBUTING draws them: a row each, the names in its first cell."""
    text = (ROOT.parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| level |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    return tuple(tuple(re.findall(r"`(\w+)`", row.split("|")[1])) for row in rows)


def test_contributing_draws_these_levels() -> None:
    assert levels_of_contributing() == LEVELS


def test_every_part_has_a_level() -> None:
    assert {part_of(path) for path in SOURCES} <= LEVEL.keys()


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_upward(path: Path) -> None:
    assert not violations(part_of(path), path.read_text(encoding="utf-8"))


def test_an_upward_import_is_seen() -> None:
    assert violations("operators", "from linearizer.spaces import InducedSpace") == {"spaces"}
    assert violations("operators", "from linearizer import spaces") == {"spaces"}
    assert violations("operators", "import linearizer.bijections.base") == {"bijections"}
    assert violations("spaces", "def f():\n  from linearizer.cli import main") == {"cli"}
    assert not violations("spaces", "from linearizer.bijections import Bijection")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_application_imports_another(path: Path) -> None:
    if part_of(path) == "applications" and path.name != "__init__.py":
        others = {p.stem for p in path.parent.glob("*.py")} - {"__init__", path.stem}
        others -= BUILT_ON.get(path.stem, set())
        named = set(imports(path.read_text(encoding="utf-8")))
        assert not named & {f"linearizer.applications.{other}" for other in others}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_tests_import_the_law_checkers(path: Path) -> None:
    if part_of(path) != "testing":
        assert "testing" not in parts_imported(path.read_text(encoding="utf-8"))


BASES = {
    *("CosineTraining", "EventMap", "HasNumbers", "ImageRun", "LinearizerError"),
    *("LinearizerWarning", "Run", "Saveable", "_Decomposition"),
}
"""Classes that have no abstract method, and are there to be derived from."""


def classes_of(package: str) -> set[type]:
    """All classes that the modules of a package define, where their extras are installed."""
    root, found = importlib.import_module(package), set()
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            try:
                members = vars(importlib.import_module(module.name))
            except ImportError:
                continue
            found |= {c for c in members.values() if inspect.isclass(c)}
    return {c for c in found if c.__module__.startswith(package)}


def concrete_bases(classes: set[type]) -> set[str]:
    """The classes that others derive from although they are not abstract."""
    bases = {base for cls in classes for base in cls.__bases__} & classes
    return {base.__name__ for base in bases if not inspect.isabstract(base)}


def test_every_class_is_abstract_or_final() -> None:
    assert concrete_bases(classes_of("linearizer")) <= BASES


def test_a_class_that_is_neither_abstract_nor_final_is_seen() -> None:
    class Derived(linearizer.Dense):
        pass

    assert concrete_bases({linearizer.LinearOperator, linearizer.Dense, Derived}) == {"Dense"}


def test_core_needs_torch_alone() -> None:
    for path in ROOT.rglob("*.py"):
        if part_of(path) in CORE:
            packages = {n.split(".")[0] for n in imports(path.read_text(encoding="utf-8"))}
            assert packages <= CORE_MAY_IMPORT | OF_CORE, path


def test_import_is_light() -> None:
    """`import linearizer` takes 0.3 s of processor beyond torch and loads no optional package."""
    code = (
        "import torch, sys, time; start = time.process_time(); "
        "import linearizer; linearizer.Linearizer; "
        "print(time.process_time() - start, *{name.split('.')[0] for name in sys.modules})"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    extra = min(float(seconds) for seconds, *_ in runs)  # other programs can only add to it
    assert extra <= 0.3, f"{extra:.2f} s beyond torch"
    assert not OPTIONAL & set(runs[0])


def test_what_needs_no_names_does_not_wait_for_torch() -> None:
    code = "import linearizer.errors, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
