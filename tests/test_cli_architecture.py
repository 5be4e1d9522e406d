"""The command line is thin: few files, apart from each other, and nothing is measured in them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from command_line import linearizer

pytest.importorskip("lightning")

from linearizer import errors, runs
from linearizer.cli import train as train_commands
from linearizer.cli.groups import Place
from linearizer.cli.main import SECTIONS
from linearizer.cli.options import takes
from test_architecture import ROOT, imports

CLI = ROOT / "cli"
FILES = sorted(CLI.glob("*.py"))
SHARED = {"__init__", "groups", "options"}
COMMANDS = [path for path in FILES if path.stem not in SHARED | {"main"}]
RUNS = [runs.DemoRun, runs.DynamicsRun, runs.OneStepRun, runs.ProjectorRun, runs.StyleRun]
MEASURING = ("torchmetrics", "linearizer.metrics", "linearizer.laws", "linearizer.testing")


def measured(source: str) -> set[str]:
    """What a source imports to measure with."""
    return {name for name in imports(source) if name.startswith(MEASURING)}


def of_other_commands(path: Path, source: str) -> set[str]:
    """The files of commands that a source imports, other than its own and the options."""
    named = set(imports(source)) | {
        f"linearizer.cli.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == "linearizer.cli"
        for alias in node.names
    }
    others = {f"linearizer.cli.{other.stem}" for other in FILES if other.stem not in SHARED}
    return named & (others - {f"linearizer.cli.{path.stem}"})


def test_the_command_line_has_at_most_twelve_files() -> None:
    assert len(FILES) <= 12


@pytest.mark.parametrize(
    ("name", "place"), [pair for part in SECTIONS.values() for pair in part.items()]
)
def test_the_list_of_commands_says_of_each_what_its_help_begins_with(
    name: str, place: Place
) -> None:
    thing = place.load()
    whole = thing.info.help if hasattr(thing, "info") else thing.__doc__
    assert " ".join(whole.partition("\n\n")[0].split()) == place.summary


def test_every_command_is_in_one_section() -> None:
    names = [name for part in SECTIONS.values() for name in part]
    assert len(names) == len(set(names))
    lists = linearizer("--help", width=200).stdout.partition(f"{next(iter(SECTIONS))}:")[2]
    assert re.findall(r"^  (\w+) ", lists, re.MULTILINE) == names


def test_help_waits_for_nothing_that_is_slow_to_import() -> None:
    """Torch is most of the seconds that help would take; it says all without it."""
    code = (
        "import sys; sys.argv = ['linearizer', '--help']\nfrom linearizer.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print({'torch', 'lightning', 'numpy', 'PIL'} & sys.modules.keys() or 'light')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "light"


def test_a_command_that_is_mistyped_is_guessed() -> None:
    done = linearizer("smaple", "mnist")
    assert done.returncode == 2
    assert "Did you mean 'sample'?" in done.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=lambda p: p.stem)
def test_no_file_of_commands_imports_another(path: Path) -> None:
    assert not of_other_commands(path, path.read_text(encoding="utf-8"))


def test_an_import_of_other_commands_is_seen() -> None:
    flow = CLI / "flow.py"
    assert of_other_commands(flow, "from linearizer.cli.style import add")
    assert of_other_commands(flow, "from linearizer.cli import style")
    assert not of_other_commands(flow, "from linearizer.cli.options import whole")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nothing_is_measured_in_the_command_line(path: Path) -> None:
    assert not measured(path.read_text(encoding="utf-8"))


def test_an_import_to_measure_with_is_seen() -> None:
    assert measured("from linearizer.metrics import psnr_db")
    assert measured("import torchmetrics")


@pytest.mark.parametrize("kind", RUNS, ids=lambda k: k.__name__)
def test_every_field_of_a_run_is_an_option_with_its_default(kind: type[runs.Run]) -> None:
    made = []
    command = takes(kind)(made.append)
    hints = get_type_hints(command, include_extras=True)
    assert hints.keys() == {f.name for f in fields(kind)}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in hints:
            (of_field, ours), (of_option, typers) = get_args(hint), get_args(hints[name])
            assert of_field == of_option
            assert ours.help == typers.help
    required = {f.name: "x" for f in fields(kind) if name_is_required(kind, f.name)}
    command(**required)
    assert made == [kind(**required)]


def name_is_required(kind: type[runs.Run], name: str) -> bool:
    return not hasattr(kind, name)  # a default is an attribute of the class


def values(kind: type[runs.Run]) -> Iterator[str]:
    """The fields that a run notes down."""
    yield from kind(**{f.name: "x" for f in fields(kind) if name_is_required(kind, f.name)}).noted()


@pytest.mark.parametrize(
    "kind", [runs.DynamicsRun, runs.OneStepRun, runs.ProjectorRun], ids=lambda k: k.__name__
)
def test_a_run_notes_down_every_option_that_decides_the_result(kind: type[runs.Run]) -> None:
    silent = {"out", "overwrite", "tensorboard"}
    assert set(values(kind)) == {f.name for f in fields(kind)} - silent | {"application"}


def test_an_option_that_is_given_reaches_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("linearizer.training.projector_run.train_projector", seen.append)
    given = ["--data", "digits", "--out", "x", "--projection", "oblique", "--damaged", "0.25"]
    assert linearizer("train", "projector", *given).returncode == 0
    assert seen == [
        runs.ProjectorRun(data="digits", out=Path("x"), projection="oblique", damaged=0.25)
    ]
    assert train_commands.projector.__doc__


@pytest.mark.parametrize(
    "command",
    [
        ["sample", "mnist", "-n", "2", "--denoise"],
        ["export", "mnist", "--label", "3"],
        ["verify", "mnist"],
    ],
)
def test_a_command_resolves_its_model_once(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linearizer.cli import model
    from linearizer.saving import run_information, saveable

    resolve, resolved = saveable.find_model, []

    def counted(name: str | Path) -> Path:
        resolved.append(name)
        return resolve(name)

    for module in (saveable, run_information, model):
        monkeypatch.setattr(module, "find_model", counted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("linearizer.export.export", _stopped)
    monkeypatch.setattr("linearizer.verification.verify", _stopped)
    done = linearizer(*command)
    assert done.returncode == 0 or "stopped on purpose" in done.stderr, done.stderr
    assert resolved == ["mnist"]


def _stopped(*_: object, **__: object) -> None:
    raise errors.RangeError("stopped on purpose")
