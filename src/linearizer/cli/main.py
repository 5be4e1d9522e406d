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

    from linearizer.cli.groups import Place, sectioned
    from linearizer.display.console import complain
except ModuleNotFoundError as error:
    extra = "app" if sys.argv[1:2] == ["app"] else "train"
    sys.exit(
        f"linearizer: the command line needs '{error.name}', which is not installed; "
        f"run: pip install 'linearizer[{extra}]'"
    )

TRACEBACK = "LINEARIZER_TRACEBACK"
FAILED, BUG, STOPPED = 1, 70, 130
"""The exit statuses; 2 is that of options which cannot be read."""

NO_MEMORY: Sequence[str] = ("can't allocate memory", "not enough memory", "out of memory")
"""Parts of messages of torch's errors about memory, which have no class of their own."""

CLI = "linearizer.cli"
SECTIONS: dict[str, dict[str, Place]] = {
    "Begin": {
        "demo": Place(
            f"{CLI}.demo:demo",
            "Train a one-step generator of ten classes of digits, each a linear map, and use the "
            "maps.",
        ),
        "app": Place(
            f"{CLI}.demo:app",
            "Show what linear networks do, on a page in the browser.",
            extra="app",
        ),
    },
    "Train on your own data": {
        "train": Place(
            f"{CLI}.train:train",
            "Train a model on images: a generator, a projector or styles.",
        ),
        "classes": Place(
            f"{CLI}.classes:classes",
            "Add classes to a trained flow, each of which is a linear operator.",
        ),
    },
    "Sample, invert and change images, with a one-step flow": {
        "sample": Place(f"{CLI}.flow:sample", "Generate images in one step."),
        "invert": Place(
            f"{CLI}.flow:invert",
            "Find the noise that images come from, each as its likeliest class if there are any.",
        ),
        "translate": Place(
            f"{CLI}.classes:translate",
            "Draw images as images of another class, in the same hand.",
        ),
        "interpolate": Place(
            f"{CLI}.flow:interpolate",
            "Draw the way from one image to another, a straight line of the induced space.",
        ),
        "reconstruct": Place(
            f"{CLI}.flow:reconstruct",
            "Map images to noise and back in one step each, and show what is lost on the way.",
        ),
        "directions": Place(
            f"{CLI}.flow:directions",
            "Draw what images differ in most: walks along singular directions of the sampler.",
        ),
        "likelihood": Place(
            f"{CLI}.flow:likelihood",
            "Print the exact log-density of images, and their likeliest class if there are any.",
        ),
    },
    "Project anything onto what data look like, with a projector": {
        "project": Place(
            f"{CLI}.projector:project",
            "Project images, damaged images or noise onto what data look like.",
        ),
        "generate": Place(
            f"{CLI}.projector:generate", "Draw new images from the range of a projector."
        ),
    },
    "Style pictures and films, and take the style off again": {
        "style": Place(
            f"{CLI}.style:style",
            "Put pictures and films into a style, mix styles, and take them off again.",
        ),
    },
    "Forecast time series": {
        "dynamics": Place(
            f"{CLI}.dynamics:dynamics",
            "Forecast time series, forwards and back, and see their modes and their stability.",
        ),
    },
    "Check, measure and share any model": {
        "verify": Place(
            f"{CLI}.model:verify",
            "Check the laws on trained weights, and write the certificate that loading looks for.",
        ),
        "evaluate": Place(
            f"{CLI}.model:evaluate",
            "Measure a flow, with classes or without, or a projector against held-out images.",
        ),
        "export": Place(
            f"{CLI}.model:export",
            "Write one map of a model as one static graph, which runs without this library.",
        ),
        "push": Place(
            f"{CLI}.model:push",
            "Push a model to the Hugging Face hub, with its card and its certificate.",
        ),
    },
}
"""The commands by what one wants to do. Help is shown without importing them, so it waits for
nothing; a test compares what it says of each with the command itself."""

app = typer.Typer(
    cls=sectioned(SECTIONS),
    help="Neural networks that are exactly linear: train g once, the rest is linear algebra.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # its boxes cut names of options where the terminal is narrow
)


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
