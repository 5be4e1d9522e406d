"""Running the command line in this process, as its entry point does."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from types import SimpleNamespace
from unittest.mock import patch

from linearizer.cli import main


def linearizer(*arguments):
    """What `linearizer ARGUMENTS` prints and returns."""
    out, err = StringIO(), StringIO()
    words = patch.object(sys, "argv", ["linearizer", *map(str, arguments)])
    status = 0
    with words, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
    return SimpleNamespace(returncode=status, stdout=out.getvalue(), stderr=err.getvalue())


def assert_one_clear_line(done, *words):
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len([line for line in lines if "linearizer: warning: " not in line]) == 1, done.stderr
    for word in words:
        assert word in done.stderr
