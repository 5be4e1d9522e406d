"""A self-contained HTML report: pictures inside, numbers in tables."""

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from linearizer._files import write_text


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


@dataclass(frozen=True)
class Row:
    """A number of the report, and the threshold that it has to reach."""

    name: str
    value: str
    threshold: str
    holds: bool | None


def write_report(
    path: Path, *, title: str, lead: str, rows: list[Row], sections: list[Section], code: str
) -> None:
    """Write the report to `path`."""
    environment = Environment(
        loader=PackageLoader("linearizer", "display"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=title, lead=lead, rows=rows, sections=sections, code=code
    )
    write_text(path, page)
