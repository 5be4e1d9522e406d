"""The documentation site builds without a warning, and needs nothing from anywhere else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs, which builds the site, is missing")
pytest.importorskip("material", reason="mkdocs-material, the theme of the site, is missing")
pytest.importorskip("mkdocstrings", reason="mkdocstrings, which writes the reference, is missing")
pytest.importorskip("nbconvert", reason="nbconvert, which shows the notebooks, is missing")

ROOT = Path(__file__).parent.parent


def run(*arguments: str) -> None:
    """Run Python with these arguments in the repository, and fail with all that it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_builds_strictly_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    run("docs/build_pages.py")
    run("-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path))
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r'<(?:script|img|link|iframe)[^>]+(?:src|href)="?(https?:[^"> ]+)', text
        )
        assert not loaded, (page.name, loaded)
