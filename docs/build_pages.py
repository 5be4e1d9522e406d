"""Write all pages of the site into a folder of plain Markdown, which a site builder then renders.

    python docs/build_pages.py [FOLDER]        # build/pages, unless another folder is named

The README is the home page; the notebooks of `examples/`, the cards of the models that come with
the library, CONTRIBUTING and CHANGELOG are pages too; the command line and the list of public names
are read from the library. Links are written so that they work in the repository; here they are
turned to the pages of the site. Nothing here depends on the builder, so that it can be replaced.
"""

import inspect
import posixpath
import re
import shutil
import sys
from html import escape
from itertools import chain, zip_longest
from pathlib import Path

from nbconvert import MarkdownExporter
from typer.cli import get_docs_for_click
from typer.main import get_command

import linearizer
from linearizer.cli.main import app

ROOT = Path(__file__).parent.parent
COMMANDS, NAMES = "<!-- commands -->", "<!-- names -->"
SHORT_CELL = re.compile(r"(?<=(?<!\\)\| )([^\s|<`\[!\\{}*][^|<`\[!\\{}*]{0,23})(?= \|)")
HOME = "---\nhide: [navigation]\n---\n"
TASK = "---\nsearch: {boost: 3}\n---\n"  # who searches has a task, before a name of the reference
LINK = re.compile(r"(?<=\]\()([^)#\s]+)(?=[)#])")
PICTURE = re.compile(r"^!\[([^\]]*)\]\(([^)]+)\)$", re.MULTILINE)

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples/index.md",
    **{f"examples/{p.name}": f"examples/{p.stem}.md" for p in (ROOT / "examples").glob("*.ipynb")},
    **{
        p.relative_to(ROOT).as_posix(): f"models/{p.parent.name}.md"
        for p in (ROOT / "src" / "linearizer" / "pretrained").glob("*/README.md")
    },
}
"""Files of the repository outside docs/, and the pages that they become."""
FOLDERS = {"examples": "examples/index.md"}


def build(folder: Path) -> None:
    """Write every page, picture and style sheet below `folder`, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(ROOT / "CITATION.cff", folder)  # which the home page links to
    pages = PAGES | {
        f"docs/{page}": page
        for page in (p.relative_to(folder).as_posix() for p in folder.rglob("*.md"))
    }
    for source, page in pages.items():
        if source.endswith(".ipynb"):
            text = notebook(source, folder / "examples")
        else:  # a click shows a picture in full size
            text = PICTURE.sub(r"[![\1](\2)](\2)", (ROOT / source).read_text(encoding="utf-8"))
        text = text.replace(COMMANDS, commands()) if COMMANDS in text else text
        text = text.replace(NAMES, public_names()) if NAMES in text else text
        text = short_cells_on_one_line(with_links_turned(text, source, page))
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        head = HOME if page == "index.md" else TASK if page.startswith("how-to/") else ""
        target.write_text(head + text, encoding="utf-8")


def notebook(source: str, folder: Path) -> str:
    """A notebook as Markdown, with its pictures as files of `folder`."""
    text, resources = MarkdownExporter().from_filename(ROOT / source)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in resources["outputs"].items():
        picture = f"{Path(source).stem}-{name}"
        (folder / picture).write_bytes(content)
        text = text.replace(f"]({name})", f"]({picture})")
    return text


def with_links_turned(text: str, source: str, page: str) -> str:
    """Links to files of the repository, turned to the pages that those files become."""

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[0]))
        place = (PAGES | FOLDERS).get(target, target.removeprefix("docs/"))
        is_ours = place != target and ":" not in link[0]
        return posixpath.relpath(place, posixpath.dirname(page) or ".") if is_ours else link[0]

    return LINK.sub(turned, text)


def short_cells_on_one_line(text: str) -> str:
    """Mark the short cells in the bodies of tables, which the style sheet does not wrap."""
    lines = text.split("\n")
    is_in_body = False
    for i, line in enumerate(lines):
        if is_in_body and line.startswith("|"):
            lines[i] = SHORT_CELL.sub(r"\1 {.short}", line)
        is_in_body = line.startswith("|") and (is_in_body or line.startswith("|--"))
    return "\n".join(lines)


def commands() -> str:
    """All commands with their options, as Markdown below a title."""
    root = get_command(app)
    context = root.make_context("linearizer", [], resilient_parsing=True)
    text = get_docs_for_click(obj=root, ctx=context, name="linearizer")
    return text.partition("\n")[2]


def public_names() -> str:
    """What `import linearizer` gives, as a table with links into the pages of `api/`."""
    rows = ["| name | |", "|---|---|"]
    for name in linearizer.__all__:
        thing = getattr(linearizer, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            link = f"[{thing.__module__}.{thing.__qualname__}]"
        elif inspect.ismodule(thing):
            link = f"({name}.md)"
        else:
            continue
        what = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
        rows.append(f"| [`{name}`]{link} | {as_cell(what)} |")
    return "\n".join(rows)


def as_cell(text: str) -> str:
    """Text for a cell of a table: asterisks outside of code, and bars, stand for themselves."""
    parts = text.split("`")
    plain = (part.replace("*", r"\*").replace("|", r"\|") for part in parts[::2])
    codes = (f"<code>{escape(part).replace('|', '&#124;')}</code>" for part in parts[1::2])
    return "".join(chain.from_iterable(zip_longest(plain, codes, fillvalue="")))


if __name__ == "__main__":
    build(Path(*sys.argv[1:]) if sys.argv[1:] else ROOT / "build" / "pages")
