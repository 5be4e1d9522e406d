"""What the server refuses before Gradio sees it: addresses where an upload should be.

Gradio takes `{"path": ...}` in a request for a file that was uploaded before. It refuses other
paths of this machine, but fetches a path that is an address. Nothing on this page needs that.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST = 1_000_000
REFUSED = "expected a file that was uploaded here, got an address; upload the file itself"
TOO_LONG = "expected a request of at most a megabyte, got a longer one; upload files instead"


class NoAddresses:
    """ASGI middleware that answers 403 to requests that would make the server fetch something.

    Uploads themselves, which are no JSON, pass unread.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _names_address(unquote(scope["path"])):
            await PlainTextResponse(REFUSED, 403)(scope, receive, send)
            return
        if scope["method"] != "POST" or _is_upload(scope):
            await self.app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await PlainTextResponse(TOO_LONG, 413)(scope, receive, send)
        elif any(_is_address(path) for path in _paths(_parsed(body))):
            await PlainTextResponse(REFUSED, 403)(scope, receive, send)
        else:
            await self.app(scope, _again(body, receive), send)


def _names_address(path: str) -> bool:
    return "/proxy=" in path or ("/file=" in path and _is_address(path.split("/file=", 1)[1]))


def _is_address(path: str) -> bool:
    """Whether it has a scheme such as `https:`, `//host`, or is data in itself."""
    head = path.strip().lower()
    return ":/" in head or head.startswith(("//", "\\\\", "data:", "http:", "https:"))


def _is_upload(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return any(kind.startswith(b"multipart/form-data") for kind in kinds)


async def _body(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LONGEST:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that yields a body that was read already, and then goes on."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _paths(value: Any) -> Iterator[str]:
    """All that JSON gives as the path of a file, and as its content."""
    open_values = [value]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            if isinstance(path := value.get("path"), str):
                yield path
            if isinstance(url := value.get("url"), str) and url.startswith("data:"):
                yield url
        if isinstance(value, dict | list):
            open_values += value.values() if isinstance(value, dict) else value
