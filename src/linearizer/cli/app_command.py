"""The command of the page in the browser: its options."""

from typing import Annotated

import typer


def app_page(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address to listen on; this machine alone by default.")
    ] = "127.0.0.1",
    style: Annotated[
        list[str] | None,
        typer.Option(help="Folder or name of a model of styles; several by repeating it."),
    ] = None,
) -> None:
    """Show what linear networks do, on a page in the browser.

    Works without any network. Ctrl+C stops it.
    """
    from linearizer.app.server import serve  # noqa: PLC0415  (Gradio is slow to import)

    serve(host, port, style or None)


def add_app_command(app: typer.Typer) -> None:
    """Make it a command of `app`."""
    app.command("app")(app_page)
