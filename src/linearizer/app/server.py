"""The server of the page: on this machine alone unless told otherwise."""

import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from linearizer._extras import needs_extra
from linearizer.app.models import SHIPPED_FLOW, Models
from linearizer.errors import RangeError

LARGEST_FILE = "60mb"
WAITING = 32


def serve(
    host: str,
    port: int,
    styles: Sequence[str] | None = None,
    flow: str = SHIPPED_FLOW,
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until the process is interrupted or terminated.

    Uploads go to a folder of their own, which is removed at the end.

    Args:
        host: Address to listen on; 127.0.0.1 is reached from this machine alone.
        port: Port to listen on.
        styles: Folders or names of models of styles; the shipped one by default.
        flow: Folder or name of the flow of digits.
        say: Told the address, once it answers.

    Raises:
        RangeError: If the address or port cannot be listened on.
        FileFormatError: If one of the styles is no model of styles, or the flow is none.
        ShapeError: If the flow makes other images than square, gray ones.
        MissingExtraError: If Gradio is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    with needs_extra("gradio", "app"):
        import gradio  # noqa: F401, PLC0415
    from starlette.middleware import Middleware  # noqa: PLC0415

    from linearizer.app.page import CSS, build_page, theme  # noqa: PLC0415
    from linearizer.app.validation import NoAddresses  # noqa: PLC0415

    models = Models(styles, flow)
    with tempfile.TemporaryDirectory(prefix="linearizer-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build_page(models).queue(max_size=WAITING)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                share=False,
                quiet=True,
                show_error=False,
                prevent_thread_lock=True,
                footer_links=[],
                run_history=False,
                ssr_mode=False,
                mcp_server=False,
                max_file_size=LARGEST_FILE,
                app_kwargs={"middleware": [Middleware(NoAddresses)], "docs_url": None},
                theme=theme(),
                css=CSS,
            )
        except OSError as error:
            raise RangeError(
                f"expected an address and port that are free, got {host}:{port}, which another "
                "program uses or this machine does not have; choose another --port or --host"
            ) from error
        say(f"{address}  (Ctrl+C stops it)")
        if not _is_loopback(host):
            say("Everyone who reaches this machine can use the page; there is no password.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        page.block_thread()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
