"""The ends of the supported range, tested: `nox` runs both, in environments of their own.

`oldest` is Python 3.11 with the oldest torch that pyproject.toml allows, `newest` is Python 3.13
with the pinned one. Everything else is as in constraints.txt. Arguments after `--` go to pytest.
"""

import re
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
PINS = Path("constraints.txt").read_text(encoding="utf-8")


def oldest_torch() -> str:
    """The lower end of the range of torch that the package declares."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    (bound,) = (d for d in project["dependencies"] if re.match(r"torch\b", d))
    return bound.removeprefix("torch>=")


def install_and_test(session: nox.Session, pins: str) -> None:
    """Everything that the tests need, in these versions, and the tests."""
    constraints = Path(session.create_tmp()) / "constraints.txt"
    constraints.write_text(pins, encoding="utf-8")
    session.install("--constraint", str(constraints), "--editable", ".[dev]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Python 3.11, and the oldest torch that pyproject.toml allows, with its sympy."""
    pins = re.sub(r"^(torch|sympy)==.*\n", "", PINS, flags=re.MULTILINE)
    pins += f"torch=={oldest_torch()}.*\n"
    install_and_test(session, pins)


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """Python 3.13, and the pinned torch."""
    install_and_test(session, PINS)
