"""The commands together, their errors in one line, and the exit status."""

import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from traceback import print_exception
from typing import Annotated

from linearizer._version import __version__
from linearizer.errors import LinearizerError, LinearizerWarning

try:
    import typer

    from linearizer.cli import demo, flow, model, projector
    from linearizer.cli.classes import classes, translate
    from linearizer.cli.dynamics import dynamics
    from linearizer.cli.options import CommandGroup
    from linearizer.cli.style import style
    from linearizer.cli.train import train
    from linearizer.display.console import complain
except ModuleNotFoundError as error:
    sys.exit(
        f"linearizer: the command line needs '{error.name}', which is not installed; "
        "run: pip install 'linearizer[train]'"
    )

TRACEBACK = "LINEARIZER_TRACEBACK"
FAILED, BUG, STOPPED = 1, 70, 130
"""The exit statuses; 2 is that of options which cannot be read."""

NO_MEMORY: Sequence[str] = ("can't allocate memory", "not enough memory", "out of memory")
"""Parts of messages of torch's errors about memory, which have no class of their own."""

app = typer.Typer(
    cls=CommandGroup,
    help="Neural networks that are exactly linear: train g once, the rest is linear algebra.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # its boxes cut names of options where the terminal is narrow
)
for command in (
    demo.demo,
    model.verify,
    model.export,
    model.push,
    flow.sample,
    flow.invert,
    flow.reconstruct,
    flow.interpolate,
    flow.likelihood,
    flow.directions,
    translate,
    model.evaluate,
    projector.project,
    projector.generate,
    demo.app,
):
    app.command()(command)
app.add_typer(train, name="train")
app.add_typer(style, name="style")
app.add_typer(classes, name="classes")
app.add_typer(dynamics, name="dynamics")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linearizer {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it and stop."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that the arguments name; expected errors are one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", LinearizerWarning)
            app()
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get(TRACEBACK):
            print_exception(error)
        message, status = _explained(error)
        complain("", message, "red")
        sys.exit(status)


def _show_warning(
    message: Warning | str, category: type[Warning], *where: object, **more: object
) -> None:
    """A warning as one line, ours without the line of code that gave it."""
    name = "" if issubclass(category, LinearizerWarning) else f"{category.__name__}: "
    complain("warning:", f"{name}{message}", "yellow")


def _explained(error: BaseException) -> tuple[str, int]:
    """What went wrong: an expected error, a lack of memory or disk, or a bug; and the status."""
    match error:
        case LinearizerError():
            return str(error), FAILED
        case KeyboardInterrupt():
            return "stopped; the same command goes on where it stopped", STOPPED
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return (
                f"could not read or write: {error.strerror or error}{where}; check the path, that "
                "the folder can be written to and has space, or choose another --out",
                FAILED,
            )
        case MemoryError():
            return _NO_MEMORY_MESSAGE, FAILED
        case RuntimeError() if any(words in str(error).lower() for words in NO_MEMORY):
            return _NO_MEMORY_MESSAGE, FAILED
        case _:
            return (
                f"stopped at a bug of linearizer, {type(error).__name__}: {error}; please report "
                f"it with the traceback, which the same command shows with {TRACEBACK}=1 set",
                BUG,
            )


_NO_MEMORY_MESSAGE = "expected enough memory, got too little; ask for fewer, smaller or shorter"
