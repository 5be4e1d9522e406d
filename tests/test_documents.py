"""Every Python block of README and docs runs, no link is dead, and the citation is complete."""

import re
from pathlib import Path

import pytest

from linearizer import __version__

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "src").rglob("README.md")),
]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def prose(page: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.sub(r"^    .*$|`[^`\n]*`", "", text, flags=re.M)


def anchors(page: Path) -> set[str]:
    """What links can point to on a page: its headings, as the site and repositories name them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=name)
def test_blocks_run(page: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_link_is_dead(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target, _, anchor = link.partition("#")
        if not link.startswith(("http:", "https:")):
            place = page.parent / target if target else page
            assert place.exists(), link
            if anchor:
                assert anchor in anchors(place), link


def test_the_citation_is_complete() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML, which reads CITATION.cff, is missing")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # CFF requires these
    assert citation["version"] == __version__
    assert all(reference["authors"] for reference in citation["references"])
