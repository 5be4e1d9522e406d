"""Pages of the site that are made when it is built, and links between docs and repository.

The README is the home page, the notebooks of `examples/`, the cards of the models that come with
the library, CONTRIBUTING and CHANGELOG are pages too; the command line and the list of public names
describe themselves. Links
are written so that they work in the repository; here they are turned to the site's pages.
"""

import inspect
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter
from typer.cli import get_docs_for_click
from typer.main import get_command

import linearizer
from linearizer.cli.main import app

ROOT = Path(__file__).parent.parent
COMMANDS, NAMES = "<!-- commands -->", "<!-- names -->"
CELL = re.compile(r"<td>([^<]{1,24})</td>")
HOME = "---\nhide: [navigation]\n---\n"
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
SOURCES = {page: source for source, page in PAGES.items()}
FOLDERS = {"examples": "examples/index.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and the pictures in notebooks."""
    for source, page in PAGES.items():
        if source.endswith(".ipynb"):
            text, resources = MarkdownExporter().from_filename(ROOT / source)
            for name, content in resources["outputs"].items():
                picture = f"examples/{Path(source).stem}-{name}"
                files.append(File.generated(config, picture, content=content))
                text = text.replace(f"]({name})", f"]({posixpath.basename(picture)})")
        else:
            text = (ROOT / source).read_text(encoding="utf-8")
            text = HOME + text if page == "index.md" else text
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Describe the command line, turn links to files into links to pages, enlarge pictures."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[0]))
        place = (PAGES | FOLDERS).get(target, target.removeprefix("docs/"))
        is_ours = place != target and ":" not in link[0]
        return posixpath.relpath(place, posixpath.dirname(here) or ".") if is_ours else link[0]

    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    if NAMES in markdown:
        markdown = markdown.replace(NAMES, public_names())
    if not source.endswith(".ipynb"):
        markdown = PICTURE.sub(r"[![\1](\2)](\2)", markdown)  # a click shows it in full size
    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: object) -> str:
    """Keep short cells of tables on one line."""
    return CELL.sub(r'<td class="short">\1</td>', html)


def commands() -> str:
    """All commands with their options, as Markdown below a title."""
    root = get_command(app)
    _say_all(root)
    context = root.make_context("linearizer", [], resilient_parsing=True)
    text = get_docs_for_click(obj=root, ctx=context, name="linearizer")
    return text.partition("\n")[2]


def public_names() -> str:
    """What `import linearizer` gives, as a table with links to the reference."""
    rows = ["| name | |", "|---|---|"]
    for name in linearizer.__all__:
        thing = getattr(linearizer, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            what = inspect.getdoc(thing).partition("\n\n")[0].replace("\n", " ")
            place = f"{thing.__module__}.{thing.__qualname__}"
            rows.append(f"| [`{name}`][{place}] | {what.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def _say_all(command: object) -> None:
    """Keep the first sentence of every help whole, where a list of commands shows it."""
    help_ = getattr(command, "help", None) or ""
    command.short_help = " ".join(help_.split("\n\n")[0].split())  # type: ignore[attr-defined]
    for part in getattr(command, "commands", {}).values():
        _say_all(part)
