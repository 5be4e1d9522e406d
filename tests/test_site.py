"""The documentation site builds without a warning, and needs nothing from anywhere else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app_page import CHROMIUM, OPTIONS

pytest.importorskip("mkdocs", reason="mkdocs, which builds the site, is missing")
pytest.importorskip("material", reason="mkdocs-material, the theme of the site, is missing")
pytest.importorskip("mkdocstrings", reason="mkdocstrings, which writes the reference, is missing")
pytest.importorskip("nbconvert", reason="nbconvert, which shows the notebooks, is missing")

SEARCHED = {
    "Koopman": "how-to/dynamics.html",
    "time series": "how-to/dynamics.html",
    "conditional": "how-to/classes.html",
}
"""Words that someone with a task looks for, and the page that is to be among the first found."""

sync = pytest.importorskip("playwright.sync_api", reason="playwright, to search with, is missing")
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
    found_by_words(tmp_path)


def found_by_words(site: Path) -> None:
    """Search for what a newcomer would, in a browser that opened the site as a file."""
    if CHROMIUM is None:
        return
    with sync.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        for word, place in SEARCHED.items():
            page = browser.new_page()
            page.goto((site / "index.html").as_uri())
            page.locator("input.md-search__input").fill(word)
            links = page.locator("a.md-search-result__link")
            links.first.wait_for(state="attached", timeout=60_000)
            found = links.evaluate_all("links => links.map(link => link.href)")
            assert any(place in link for link in found[:6]), (word, found)
            page.close()
        browser.close()
