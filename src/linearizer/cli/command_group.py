"""Groups of commands that list them without cutting what they do."""

from typing import Any

from typer.core import TyperGroup


class CommandGroup(TyperGroup):
    """Commands that are listed with the whole first paragraph of their help, at any width."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help:
            command.short_help = command.help.partition("\n\n")[0]
        return command
