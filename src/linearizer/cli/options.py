"""What commands share: kinds of options, common options, and commands made of a run's fields."""

import functools
import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from linearizer.applications import ConditionalFlow, OneStepFlow
from linearizer.applications.conditional_flow import Label
from linearizer.cli.groups import CommandGroup as CommandGroup  # noqa: PLC0414  (given on)
from linearizer.errors import RangeError
from linearizer.runs import LARGEST_SEED, Option, Run, named_file
from linearizer.saving.run_information import Opened, open_model
from linearizer.saving.saveable import check_kind

R = TypeVar("R", bound=Run)

MOST_DRAWN = 10_000
MOST_IN_A_ROW = 500


def whole(*names: str, min: float, max: float = 1_000_000, help: str) -> Any:
    """An option that takes a whole number from `min` to `max`."""
    return typer.Option(*names, min=min, max=max, help=help)


def real(*names: str, min: float, max: float = 1e6, help: str) -> Any:
    """An option that takes a finite number from `min` to `max`."""
    return typer.Option(*names, min=min, max=max, help=help, callback=_number)


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # NaN is not below a minimum
        raise typer.BadParameter("expected a number, got NaN")
    return value


Model = Annotated[str, typer.Argument(help="Folder of a model, or the name of a pretrained one.")]
Overwrite = Annotated[bool, typer.Option(help="Replace files that exist.")]
Resize = Annotated[bool, typer.Option(help="Resize images of another size.")]
Seed = Annotated[int, whole(min=0, max=LARGEST_SEED, help="Seed of the noise.")]
Picture = Annotated[Path, typer.Option(help="PNG file.")]
Folder = Annotated[Path | None, typer.Option(help="Folder; that of the model by default.")]
DataDir = Annotated[Path | None, typer.Option(help="Where the files of the data are.")]
Backbone = Annotated[Path | None, typer.Option(help="Weights of SqueezeNet 1.1, for LPIPS.")]
Heads = Annotated[Path | None, typer.Option(help="Weights of its LPIPS heads.")]


def lpips_files(backbone: Path | None, heads: Path | None) -> tuple[Path, Path] | None:
    """Both files of LPIPS, or neither."""
    if backbone is None or heads is None:
        if backbone is not heads:
            raise typer.BadParameter("give both --lpips-backbone and --lpips-heads, or neither")
        return None
    return backbone, heads


def named_files(texts: Iterable[str]) -> dict[str, Path]:
    """The files of several `NAME=FILE` by their names."""
    try:
        return dict(map(named_file, texts))
    except RangeError as error:
        raise typer.BadParameter(str(error)) from error


def open_flow(run: str) -> Opened[OneStepFlow | ConditionalFlow]:
    """A one-step flow, with classes or without."""
    opened = open_model(run, object)
    if not isinstance(opened.model, ConditionalFlow):
        check_kind(opened.model, OneStepFlow, run)
    return opened  # type: ignore[return-value]


def with_classes(flow: object, run: str) -> ConditionalFlow:
    """The flow, if it has classes."""
    if isinstance(flow, ConditionalFlow):
        return flow
    check_kind(flow, OneStepFlow, run)
    raise RangeError(
        f"expected a flow with classes, got one without in {run}; give it some: "
        f"linearizer classes add {run} --out NEW"
    )


def class_of(flow: ConditionalFlow, text: str) -> Label:
    """The class of a flow that is written so; a text that is none is refused by its methods."""
    return next((label for label in flow.classes if str(label) == text), text)


def weights_of(mix: str) -> dict[str, float]:
    """`a=0.4,b=0.6` as weights by name; a name alone weighs 1."""
    weights = {}
    for part in mix.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            weights[name] = float(weight or 1)
        except ValueError as error:
            raise typer.BadParameter(f"expected NAME=WEIGHT, got {part!r}") from error
    return weights


def takes(kind: type[R]) -> Callable[[Callable[[R], None]], Callable[..., None]]:
    """A decorator that makes a command of a function of a run: its fields become the options.

    Typer reads a signature, so the command gets one that is built from the fields: those without
    a default first, then those of this kind of run, then those of every run.
    """
    hints = get_type_hints(kind, include_extras=True)
    common = {f.name for f in fields(Run)}
    ordered = sorted(fields(kind), key=lambda f: (f.default is not MISSING, f.name in common))
    parameters = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if f.default is MISSING else f.default,
            annotation=_option(hints[f.name]),
        )
        for f in ordered
    ]

    def decorate(function: Callable[[R], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**options: Any) -> None:
            function(kind(**options))

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _option(annotated: Any) -> Any:
    """The type of a field with Typer's option in place of ours."""
    kind, option = get_args(annotated)
    assert isinstance(option, Option), "a field of a run has an Option"
    if option.is_argument:
        return Annotated[kind, typer.Argument(help=option.help)]
    if option.min is None:
        return Annotated[kind, typer.Option(help=option.help)]
    make = real if float in (kind, *get_args(kind)) else whole
    return Annotated[kind, make(min=option.min, max=option.max, help=option.help)]
