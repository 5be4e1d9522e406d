"""Every Python block of README and docs runs, no link is dead, and the citation is complete."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from linearizer import Chain, Linearizer, __version__, vector_bijection
from linearizer.laws.relative import relative_error
from linearizer.testing import perturb_, superposition_errors

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


NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
CLAIM = re.compile(r"nonlinear|exactly\W+linear")
"""Words by which a page that shows Linearizers says that a network is linear although it is not."""
ERRORS = re.compile(r"^induced (\S+), plain (\S+)$", re.MULTILINE)
"""A line that `print(superposition_errors(...))` prints."""


def without_results(page: Path) -> str:
    return re.sub(r"<!-- results -->.*<!-- end of results -->", "", prose(page), flags=re.S)


def claims(page: Path) -> bool:
    """Whether a page builds a Linearizer and says of it what a matrix would not be."""
    code = "".join(blocks(page))
    return "lz.Linearizer(" in code and bool(CLAIM.search(without_results(page)))


def assert_linear_and_not(printed: str, where: Path) -> None:
    """Assert that both errors are printed, and that they are as linear and nonlinear as claimed."""
    found = ERRORS.findall(printed)
    assert found, f"{where.name} claims to be linear and nonlinear: print superposition_errors"
    for induced, plain in found:
        assert float(induced) < 2e-5, printed
        assert float(plain) > 0.2, printed


def trained_spaces(names: dict[str, object]) -> Iterator[tuple[str, Chain]]:
    """The g of all Linearizers that a page has made of the layers that ours are made of."""
    for key, thing in names.items():
        if isinstance(thing, Linearizer) and isinstance(thing.g_x, Chain):
            yield key, thing.g_x


def nonlinearity(g: Chain) -> float:
    """How far g is from linear, on points of its own shape: an identity is not at all."""
    x, y = torch.randn(2, 20, *g.in_shape).to(next(g.parameters()))
    with torch.no_grad():
        return relative_error(g(x + y), g(x) + g(y))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=name)
def test_blocks_run_and_what_is_said_to_be_nonlinear_is(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # a page may write files, as its reader would
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)
    if claims(page):
        assert_linear_and_not(capsys.readouterr().out, page)
    for key, g in trained_spaces(names):
        assert nonlinearity(g) > 0.1, f"the g of {key} of {page.name} is a matrix"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_that_says_nonlinear_shows_both_errors(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    if CLAIM.search(text) and "lz.Linearizer(" in code:
        outputs = (o for c in cells for o in c.get("outputs", ()))
        assert_linear_and_not("".join("".join(o.get("text", "")) for o in outputs), path)


def test_the_pages_that_claim_are_known() -> None:
    assert {name(page) for page in PAGES if claims(page)} >= {"README.md", "docs/tour.md"}


def test_a_matrix_that_is_said_to_be_nonlinear_is_seen() -> None:
    g = vector_bijection(8)
    x, y, A = torch.randn(5, 8), torch.randn(5, 8), torch.randn(8, 8)
    fresh = str(superposition_errors(Linearizer(g, A), x, y))
    assert nonlinearity(g) < 0.1
    with pytest.raises(AssertionError):
        assert_linear_and_not(fresh, ROOT / "README.md")
    with pytest.raises(AssertionError):
        assert_linear_and_not("nothing", ROOT / "README.md")
    assert_linear_and_not(str(superposition_errors(Linearizer(perturb_(g), A), x, y)), ROOT)


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
