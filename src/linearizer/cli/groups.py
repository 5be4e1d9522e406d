"""Commands in groups: imported when they are called, and listed by what one wants to do."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from linearizer.errors import MissingExtraError


class Place(NamedTuple):
    """Where a command is, and what the list of commands says of it.

    Attributes:
        where: `MODULE:NAME` of a function or of a group of commands.
        summary: The first paragraph of its help, which is not imported to be listed.
        extra: The extra that brings what it needs.
    """

    where: str
    summary: str
    extra: str = "train"

    def load(self) -> Any:
        """The function, or the group.

        Raises:
            MissingExtraError: If a package that it needs is not installed.
        """
        module, _, name = self.where.partition(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"expected the package {error.name} for this command, got none; "
                f"run: pip install 'linearizer[{self.extra}]'"
            ) from error


class CommandGroup(TyperGroup):
    """Commands that are listed with the whole first paragraph of their help, at any width."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help:
            command.short_help = command.help.partition("\n\n")[0]
        return command


class Imported(Mapping[str, Any]):
    """Commands by name, each imported and built when it is asked for."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self.built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Import and build it."""
        if name not in self.built:
            self.built[name] = _command(name, self.places[name].load())
        return self.built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def sectioned(sections: Mapping[str, Mapping[str, Place]]) -> type[CommandGroup]:
    """A group of the commands of several sections, by the titles under which help lists them."""
    commands = Imported({name: place for part in sections.values() for name, place in part.items()})

    class Sectioned(CommandGroup):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.commands = commands  # type: ignore[assignment]  # a mapping is all that is asked

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            """List each section below its title, importing nothing."""
            for title, part in sections.items():
                with formatter.section(title):
                    formatter.write_dl([(name, place.summary) for name, place in part.items()])

    return Sectioned


def _command(name: str, thing: Any) -> Any:
    """The command of a function, or the group, under this name."""
    parent = typer.Typer(rich_markup_mode=None)
    if isinstance(thing, typer.Typer):
        parent.add_typer(thing, name=name)
    else:
        parent.command(name)(thing)
        parent.callback()(lambda: None)  # a Typer of one command alone is that command
    return typer.main.get_group(parent).commands[name]
