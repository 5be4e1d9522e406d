"""Every command with one value at a time that it cannot have meant: one clear line, no traceback.

The commands and the types of their options are read from the command line itself, so that a new
command is refused here until it has values that work. How many values each option is tried with
is drawn, the same in every run; `--hypothesis-profile=thorough` tries them all.
"""

import inspect
import os
import random
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import hypothesis
import pytest
import torch

from command_line import linearizer

pytest.importorskip("lightning")
from PIL import Image

from linearizer.applications import ConditionalFlow, LinearDynamics, OneStepFlow, StyleTransfer
from linearizer.bijections import Identity
from linearizer.cli.main import SECTIONS
from linearizer.data import load_digits
from linearizer.flows import StableGenerator
from linearizer.training import PRESETS
from linearizer.training.style_run import style_bijection
from linearizer.training.teachers import FastNeuralStyle

SMALL = {"--steps": 1, "--depth": 1, "--width": 4, "--out": "{new}"}
TRAINED = {"--data": "digits", "--preset": "quick", "--batch-size": 4, **SMALL}
PICTURE = {"--out": "{new}.png"}
STYLE = {"run": "{styles}", "photo": "{photo}", **PICTURE}
VALID = {
    "demo": {"--steps": 1, "--out": "{new}"},
    "verify": {"run": "{flow}"},  # --overwrite writes there
    "export": {"run": "{flow}", "--to": "torch-export", "--out": "{new}.pt2"},
    "push": {"run": "digits", "repo": "me/digits"},
    "sample": {"run": "digits", "--count": 2, **PICTURE},
    "invert": {"run": "digits", "images": "{digit}", **PICTURE},
    "reconstruct": {"run": "digits", "images": "{digit}", **PICTURE},
    "interpolate": {"run": "digits", "a": "{digit}", "b": "{digit}", "--count": 2, **PICTURE},
    "likelihood": {"run": "digits", "images": "{digit}"},
    "directions": {"run": "digits", "--count": 1, **PICTURE},
    "evaluate": {"run": "digits", "--count": 4, "--steps": 1, "--out": "{new}"},
    "project": {"run": "projector", "--noise": 2, **PICTURE},
    "generate": {"run": "projector", "--count": 2, **PICTURE},
    "app": {},
    "translate": {"run": "{classes}", "images": "{digit}", "--to": 8, **PICTURE},
    "classes add": {"run": "{flow}", "--data": "digits", "--out": "{new}"},
    "train one-step": TRAINED,
    "train projector": TRAINED,
    "train style": {
        "--content": "{contents}",
        "--teacher": "calm={teacher}",
        "--size": 16,
        "--kernel": 1,
        **SMALL,
    },
    "dynamics fit": {"files": "{series}", "--polish": 0, **SMALL},
    "dynamics forecast": {
        "run": "{dynamics}",
        "--start": "1,2",
        "--times": "0:1:0.5",
        "--out": "{new}.csv",
    },
    "dynamics modes": {"run": "{dynamics}", **PICTURE},
    "dynamics portrait": {"run": "{dynamics}", "files": "{series}", **PICTURE},
    "style add": {"run": "{styles}", "name": "new{i}", "--picture": "{photo}", "--contents": 16},
    "style apply": {
        "run": "{styles}",
        "pictures": "{photo}",
        "--mix": "calm",
        "--out": "{new}.png",
    },
    "style interpolate": {**STYLE, "a": "calm", "b": "wild", "--steps": 2},
    "style undo": {**STYLE, "--mix": "calm"},
    "style compose": {**STYLE, "a": "calm", "b": "wild"},
    "style directions": {**STYLE, "name": "calm", "--count": 1},
    "style compare": {"run": "{styles}", **PICTURE},
    "style evaluate": {
        "run": "{styles}",
        "--teacher": "calm={teacher}",
        "--picture": "wild={photo}",
        "--held-out": "{contents}",
        "--size": 16,
        "--count": 2,
        "--out": "{new}",
    },
}
NUMBERS = ["-1", "0", "1", "1000000000000", str(2**63), str(2**64), "9" * 5000, "1.5", "", "x", "²"]
REALS = ["nan", "inf", "-inf", "-1", "0", "1e308", "1e-308", "", "x"]
PATHS = [
    "{root}/missing",
    "{root}",
    "{root}/empty.png",
    "{root}/text.png",
    "{root}/cut.png",
    "{root}/locked",
    "{root}/locked/new.png",
    "{root}/text.png/below.png",
    "{root}/missing/folder/new.png",
    "{root}/" + "n" * 300 + ".png",
    "{root}/[/b].png",
    "{root}/\udcff.png",
    "{root}/x.xyz",
    "{root}/no_suffix",
    "/proc/nowhere/x.png",
    ".",
    "",
]
TEXTS = ["", " ", "x", "[/x]", "a=b", "=1", "calm=nan", "calm=inf", "a/b", "n" * 300, "\udcff"]
MODELS = ["digits", "projector", "style", "hf:none/none", "hf:", "{root}/damaged", "{root}/noted"]


def commands():
    """The functions of all commands by their names."""
    found = {}
    for section in SECTIONS.values():
        for name, place in section.items():
            thing = place.load()
            for command in getattr(thing, "registered_commands", ()):
                below = command.name or command.callback.__name__.replace("_", "-")
                found[f"{name} {below}"] = command.callback
            if not hasattr(thing, "registered_commands"):
                found[name] = thing
    return found


COMMANDS = commands()


def parameters(function):
    """The option or the name of the argument, and the type, of each parameter."""
    for name, annotated in get_type_hints(function, include_extras=True).items():
        if name != "return":
            kind, info = get_args(annotated)
            long = f"--{name.replace('_', '-')}"
            is_option = type(info).__name__ == "OptionInfo"
            names = [n for n in getattr(info, "param_decls", None) or () if n.startswith("--")]
            yield (names[0] if names else long) if is_option else name, plain(kind)


def plain(kind):
    """`X` of `X | None` and of `list[X]`."""
    if get_origin(kind) is Literal:
        return kind
    inside = [part for part in get_args(kind) if part is not type(None)]
    return plain(inside[0]) if inside else kind


def values(name, kind):
    """What to try."""
    if get_origin(kind) is Literal:
        return [*get_args(kind), "other", ""]
    if kind is bool:
        return [True]
    text = [*MODELS, *TEXTS, *PATHS] if name in {"run", "--init", "--data"} else [*TEXTS, *PATHS]
    return {int: NUMBERS, float: REALS, Path: PATHS, str: text}[kind]


def trials(command):
    """Some deviations of a command, drawn from all of them."""
    every = hypothesis.settings().max_examples
    for name, kind in parameters(COMMANDS[command]):
        tried = values(name, kind)
        for value in random.Random(f"{command} {name}").sample(tried, min(every, len(tried))):
            yield name, value


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Files of all kinds, a damaged model, a small model of styles, its teacher and contents."""
    folder = tmp_path_factory.mktemp("fuzz")
    digits = load_digits()
    pixels = ((digits.images[0, 0] + 1) * 127.5).byte().numpy()
    Image.fromarray(pixels).save(folder / "digit.png")
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "digit.png").read_bytes()[:60])
    (folder / "locked").mkdir()
    (folder / "locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "config.json").write_text("{")
    (folder / "contents").mkdir()
    for i in range(20):
        image = torch.randint(256, (16, 16, 3), dtype=torch.uint8).numpy()
        Image.fromarray(image).save(folder / "contents" / f"{i}.png")
    torch.save(FastNeuralStyle().network.state_dict(), folder / "teacher.pth")
    g = replace(PRESETS["quick"], depth=1, width=4).bijection(digits.shape)
    OneStepFlow.fit(g, [digits.images[:200]]).save_pretrained(folder / "flow")
    classes = ConditionalFlow.fit(g, digits.images[:500], digits.labels[:500])
    classes.save_pretrained(folder / "classes")
    g_x, g_y = (style_bijection((3, 16, 16), depth=1, width=4) for _ in range(2))
    model = StyleTransfer(g_x, g_y)
    images = torch.rand(4, 3, 16, 16)
    for name in ("calm", "wild"):
        model.add(name, model.fit([(images, images)], ridge=1e-2, kernel_size=1))
    model.save_pretrained(folder / "styles")
    (folder / "styles" / "run.json").write_text(f'{{"content": "{folder / "contents"}"}}')
    shutil.copytree(folder / "styles", folder / "noted")
    (folder / "noted" / "run.json").write_text("[")
    rows = "".join(f"{t},{0.9**t},{(-0.8) ** t}\n" for t in range(8))
    (folder / "series.csv").write_text(f"t,x,y\n{rows}")
    stable = StableGenerator(torch.eye(2), torch.zeros(2, 2))
    LinearDynamics(Identity(2), stable).save_pretrained(folder / "dynamics")
    (folder / "dynamics" / "run.json").write_text('{"coordinates": ["x", "y"]}')
    yield folder
    (folder / "locked").chmod(stat.S_IRWXU)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No hub, no server that stays, no slow judge; outputs without a name go to a new folder."""
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("linearizer.app.server.serve", lambda *_, **__: None)
    monkeypatch.setattr("linearizer.evaluation.model.CLASSIFIER_STEPS", 4)
    for module in ("demo", "demo_pictures"):
        monkeypatch.setattr(f"linearizer.evaluation.{module}.N_STEPS", 2)
    monkeypatch.setattr("linearizer.evaluation.demo.SAMPLES", 20)


def arguments(command, given):
    words = command.split()
    for name, value in given.items():
        if not name.startswith("--"):
            words += [value]
        elif value is True:
            words += [name]
        else:
            words += [f"{name}={value}"]
    return words


def test_every_command_is_tried():
    assert set(VALID) == set(COMMANDS)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("command", COMMANDS)
def test_no_value_of_an_option_ends_in_a_traceback(command, root, tmp_path):
    names = dict.fromkeys(name for name, _ in parameters(COMMANDS[command]))
    places = {
        name: root / file
        for name, file in {
            "root": "",
            "digit": "digit.png",
            "photo": "contents/0.png",
            "contents": "contents",
            "teacher": "teacher.pth",
            "flow": "flow",
            "classes": "classes",
            "styles": "styles",
            "series": "series.csv",
            "dynamics": "dynamics",
        }.items()
    }
    works = {n: VALID[command][n] for n in names if n in VALID[command]}
    tried = [(None, None), *trials(command)]
    for i, (name, value) in enumerate(tried):
        given = {**works, **({} if name is None else {name: value})}
        given = {n: given[n] for n in names if n in given}
        filled = {
            n: v if v is True else str(v).format(**places, new=tmp_path / f"{i}", i=i)
            for n, v in given.items()
        }
        done = linearizer(*arguments(command, filled))
        told = f"{command} {name}={value!r}: {done.stderr}"
        check_told(done, told)
        if name is None and command != "push":
            assert done.returncode == 0, told


def check_told(done, told):
    assert "Traceback" not in done.stderr, told
    assert "\x1b" not in done.stdout + done.stderr, told
    lines = [line for line in done.stderr.splitlines() if "linearizer: warning: " not in line]
    match done.returncode:
        case 0:
            assert not lines, told
        case 1:
            (line,) = lines
            assert line.startswith(("linearizer: expected ", "linearizer: could not ")), told
            assert "got" in line or "could not" in line, told
        case 2:
            assert sum(line.startswith("Error: ") for line in lines) == 1, told
        case other:
            pytest.fail(f"{other}: {told}")


def test_push_without_a_connection_is_one_clear_line(monkeypatch):
    pytest.importorskip("huggingface_hub")

    def unreachable(*_, **__):
        raise HttpLibraryError("[Errno 111] Connection refused\nand more")

    monkeypatch.setattr("huggingface_hub.ModelHubMixin.push_to_hub", unreachable)
    done = linearizer("push", "digits", "me/digits")
    check_told(done, done.stderr)
    assert done.returncode == 1
    assert "refused ([Errno 111] Connection refused)" in done.stderr


class HttpLibraryError(Exception):
    """As those of httpx, which are no OSError."""


def test_a_bug_is_called_one_and_says_how_to_see_the_traceback(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("linearizer.verification.verify", broken)
    done = linearizer("verify", "digits")
    assert done.returncode == 70
    (line,) = done.stderr.splitlines()
    assert line.startswith("linearizer: stopped at a bug of linearizer, ZeroDivisionError: a b; ")
    assert "LINEARIZER_TRACEBACK=1" in line
    monkeypatch.setenv("LINEARIZER_TRACEBACK", "1")
    done = linearizer("verify", "digits")
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == line


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")]
)
def test_too_little_memory_is_one_clear_line(error, monkeypatch):
    def large(*_, **__):
        raise error

    monkeypatch.setattr("linearizer.verification.verify", large)
    done = linearizer("verify", "digits")
    check_told(done, done.stderr)
    assert done.returncode == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is locked for root")
def test_a_locked_folder_is_told_before_the_work(root):
    done = linearizer("sample", "digits", "--out", root / "locked" / "x.png")
    check_told(done, done.stderr)
    assert "Permission denied" in done.stderr


def test_signatures_are_read():
    inside = dict(parameters(COMMANDS["sample"]))
    assert inside["--count"] is int
    assert inside["--temperature"] is float
    assert inside["run"] is str
    assert len(inside) == len(inspect.signature(COMMANDS["sample"]).parameters)
