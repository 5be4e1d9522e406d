"""A self-contained HTML report: pictures inside, numbers in tables."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from linearizer._files import write_text
from linearizer.measurement import MISSED


@dataclass(frozen=True)
class Section:
    """A picture of the report and what it shows."""

    title: str
    text: str
    picture: Path

    @property
    def data_uri(self) -> str:
        """The picture as text, so that the report is one file."""
        return "data:image/png;base64," + base64.b64encode(self.picture.read_bytes()).decode()


def write_report(
    path: Path,
    *,
    title: str,
    lead: str,
    rows: Sequence[Sequence[str]],
    sections: list[Section],
    code: str,
) -> None:
    """Write the report to `path`; rows are name, value, threshold and verdict."""
    environment = Environment(
        loader=PackageLoader("linearizer", "display"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=title, lead=lead, rows=rows, missed=MISSED, sections=sections, code=code
    )
    write_text(path, page)
