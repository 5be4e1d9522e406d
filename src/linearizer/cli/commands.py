"""The commands, their options and their errors; the work is in modules of their own."""

import sys
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from linearizer._version import __version__
from linearizer.cli.app_command import add_app_command
from linearizer.cli.command_group import CommandGroup
from linearizer.cli.failures import report
from linearizer.cli.flow_commands import add_flow_commands
from linearizer.cli.model_commands import add_model_commands
from linearizer.cli.options import MOST_STEPS, real, seed_option, whole
from linearizer.cli.projector_commands import add_projector_commands
from linearizer.cli.style_commands import add_style_commands
from linearizer.cli.train_commands import train
from linearizer.display.console import complain
from linearizer.errors import LinearizerWarning

app = typer.Typer(
    cls=CommandGroup,
    help="Neural networks that are exactly linear: train g once, the rest is linear algebra.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # its boxes cut names of options where the terminal is narrow
)
app.add_typer(train, name="train")


def run() -> int:
    """Run the command that the arguments name, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", LinearizerWarning)
            app()
    except (Exception, KeyboardInterrupt) as error:
        return report(error)
    return 0


def _show_warning(
    message: Warning | str, category: type[Warning], *where: object, **more: object
) -> None:
    """A warning as one line, ours without the line of code that gave it."""
    name = "" if issubclass(category, LinearizerWarning) else f"{category.__name__}: "
    complain("warning:", f"{name}{message}", "yellow")


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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for model, numbers and pictures.")] = Path(
        "runs/demo"
    ),
    steps: Annotated[
        int, whole(min=1, max=MOST_STEPS, help="Training steps of 256 digits.")
    ] = 7000,
    max_minutes: Annotated[
        float, real(min=0.01, help="Train no longer than this, even if steps are left.")
    ] = 5.0,
    seed: Annotated[int, seed_option(help="Seed of everything random.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace a finished run in the folder.")] = False,
) -> None:
    """Train a linear one-step generator of handwritten digits, and use it as a linear map.

    Takes the 1,797 real 8x8 digits that scikit-learn ships. An interrupted run goes on where
    it stopped when it is started again.
    """
    from linearizer.cli.demo import run_demo  # noqa: PLC0415  (Lightning is slow to import)

    run_demo(out, steps=steps, max_minutes=max_minutes, seed=seed, overwrite=overwrite)


add_model_commands(app)
add_flow_commands(app)
add_projector_commands(app)
add_style_commands(app)
add_app_command(app)
