"""Running the command line in this process, as its entry point does."""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from types import SimpleNamespace
from unittest.mock import patch

from linearizer.cli.main import main

OF_THE_TERMINAL = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TERM")


def linearizer(*arguments, width=None):
    """What `linearizer ARGUMENTS` prints and returns; on a terminal if that has a width.

    Nothing depends on the terminal that the tests are run in.
    """
    out, err = StringIO(), StringIO()
    words = patch.object(sys, "argv", ["linearizer", *map(str, arguments)])
    outside = {k: v for k, v in os.environ.items() if k not in OF_THE_TERMINAL}
    terminal = {} if width is None else {"COLUMNS": str(width), "FORCE_COLOR": "1"}
    status = 0
    with (
        words,
        patch.dict(os.environ, {**outside, **terminal}, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
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
