"""The command line: `linearizer --help`."""

import sys


def main() -> None:
    """Run the command line; every expected error is one line and exit status 1."""
    try:
        from linearizer.cli.commands import run  # noqa: PLC0415  (typer is an extra)
    except ModuleNotFoundError as error:
        sys.exit(
            f"linearizer: the command line needs '{error.name}', which is not installed; "
            "run: pip install 'linearizer[train]'"
        )
    sys.exit(run())
