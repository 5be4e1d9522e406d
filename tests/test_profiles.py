"""The profiles of hypothesis: few examples by default, ten times as many by one option."""

import subprocess
import sys

import pytest

CODE = """
from hypothesis import settings


def test_it():
    print("drawn:", settings().max_examples)
"""


@pytest.mark.parametrize(("options", "drawn"), [([], 3), (["--hypothesis-profile=thorough"], 30)])
def test_the_option_decides(options, drawn, pytestconfig, tmp_path):
    (tmp_path / "test_it.py").write_text(CODE)
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", *options]
    place = ["--rootdir", str(pytestconfig.rootpath), "-c", str(pytestconfig.inipath)]
    conftest = ["--confcutdir", str(pytestconfig.rootpath), "-p", "conftest"]
    done = subprocess.run(
        [*command, *place, *conftest, str(tmp_path / "test_it.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=pytestconfig.rootpath,
    )
    assert f"drawn: {drawn}\n" in done.stdout, done.stdout + done.stderr
