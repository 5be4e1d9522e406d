"""The part of a model card that `verify` writes: which laws hold on the weights."""

import re
from pathlib import Path

from linearizer._files import write_text
from linearizer.display.tables import Table
from linearizer.measurement import Measurement
from linearizer.saving import Saveable
from linearizer.saving.certificate import Certificate

CARD = "README.md"
BEGIN, END = "<!-- certificate -->", "<!-- end of certificate -->"
NEW = """---
library_name: linearizer
tags:
- linearizer
---

# {name}

A `{model}` of [linearizer](https://pypi.org/project/linearizer): `linearizer.load("{name}")`.

"""


def write_certificate(folder: Path, certificate: Certificate, model: Saveable) -> None:
    """Put the laws into the model card in a folder; one is begun if there is none."""
    path = folder / CARD
    name = folder.resolve().name
    text = (
        path.read_text(encoding="utf-8")
        if path.is_file()
        else NEW.format(name=name, model=type(model).__name__)
    )
    part = f"{BEGIN}\n{certificate_markdown(certificate, name)}{END}\n"
    if BEGIN in text:
        text = re.sub(f"{BEGIN}.*?{END}\n?", lambda _: part, text, flags=re.S)
    else:
        text = f"{text.rstrip()}\n\n{part}"
    write_text(path, text)


def certificate_markdown(certificate: Certificate, name: str) -> str:
    """The laws as a table."""
    return (
        "## Laws on these weights\n\n"
        f"By `linearizer verify {name}`, version {certificate.linearizer_version}, on a "
        "processor. Relative errors, and condition numbers.\n\n"
        f"{law_table(certificate.laws).markdown()}\n"
    )


def law_table(laws: tuple[Measurement, ...]) -> Table:
    """Laws, what was measured, and whether they hold."""
    return Table(["law", "measured", "threshold", ""], [law.row for law in laws])
