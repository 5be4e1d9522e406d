"""README and tour, followed line by line in a clean environment that is made of the wheels."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
import torch

import linearizer as lz
from linearizer.data.pixels import write_picture

ROOT = Path(__file__).parent.parent
NOT_IN_A_COPY = shutil.ignore_patterns(
    ".venv", ".git", ".nox", "build", "dist", "site", "runs", "*.egg-info", ".*_cache", "benchmarks"
)
LONG = ("linearizer app", "linearizer train", "linearizer dynamics", "linearizer export runs/")
"""Commands of the README that serve, that train for minutes, or that need what training made."""

pytest.importorskip("setuptools", "77", reason="a setuptools that reads pyproject.toml is missing")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels by the names of their projects, built of a copy: an old build/ would leak in."""
    copy, out = (tmp_path_factory.mktemp(name) for name in ("copy", "dist"))
    shutil.copytree(ROOT, copy, ignore=NOT_IN_A_COPY, dirs_exist_ok=True)
    for project in (".", "./weights"):
        pip(
            "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), project, cwd=copy
        )
    return {wheel.name.partition("-")[0]: wheel for wheel in out.glob("*.whl")}


@pytest.fixture(scope="module")
def clean(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the core alone, beside the packages that are installed here."""
    environment = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install(python, wheels["linearizer"])
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    where = run(python, "-c", "import linearizer; print(linearizer.__file__)")
    assert str(environment) in where, "the wheel, and not the checkout, is what is tried"
    return python


def pip(*arguments: str, cwd: Path | None = None) -> None:
    outside = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # of a checkout, perhaps
    command = [sys.executable, "-m", "pip", *arguments, "--quiet"]
    subprocess.run(command, cwd=cwd, env=outside, check=True)


def install(python: Path, wheel: Path) -> None:
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))


def run(*command: str | Path, cwd: Path | None = None, status: int = 0) -> str:
    """What a command prints, in an environment that knows nothing of the checkout."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd or "/"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_the_core_is_small_and_the_weights_are_in_the_other_wheel(
    wheels: dict[str, Path],
) -> None:
    assert wheels["linearizer"].stat().st_size < 2e6
    assert 10e6 < wheels["linearizer_weights"].stat().st_size < 100e6


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md"])
def test_a_page_is_followed_line_by_line(clean: Path, page: str, tmp_path: Path) -> None:
    claims = run(clean, ROOT / "tests" / "first_hour.py", ROOT / page, cwd=tmp_path).splitlines()
    assert len([claim for claim in claims if "plain < 3" in claim]) >= 1
    assert len(claims) >= 12


def test_the_readmes_commands_run_once_the_weights_are_there(
    clean: Path, wheels: dict[str, Path], tmp_path: Path
) -> None:
    linearizer = clean.parent / "linearizer"
    start = time.perf_counter()
    run(linearizer, "--help", cwd=tmp_path)
    print(f"linearizer --help: {time.perf_counter() - start:.2f} s")
    refused = run(linearizer, "sample", "mnist", cwd=tmp_path, status=1)
    assert "pip install 'linearizer[weights]'" in refused
    install(clean, wheels["linearizer_weights"])
    write_picture(tmp_path / "digit.png", lz.load("mnist").sample(1, label=3, seed=0)[0])
    write_picture(tmp_path / "photo.jpg", torch.rand(3, 64, 64) * 2 - 1)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (linearizer [^#\n]*)", text, re.MULTILINE)
    tried = [command.strip() for command in commands if not command.startswith(LONG)]
    assert len(tried) >= 4
    for command in tried:
        said = run(linearizer, *shlex.split(command)[1:], cwd=tmp_path)
        assert said.strip(), command
