"""Tells Streamlit's page where its server is, so that it need not look for it.

Without it the page asks for the server's health at the address that it stands at, then at the one above, and connects
once one of them has answered: a first visit to /paper opens its connection 0.13 s later, with two 404s in the console.
"""

import json
import re
from typing import Final

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bnviz.live.owner import is_page
from bnviz.live.routes import base_path

# What Streamlit serves as a file it may answer with "not modified", in parts, or packed: not if it is to be added to.
_WHOLE_AND_PLAIN: Final = frozenset({b"accept-encoding", b"if-modified-since", b"if-none-match", b"range"})
_OF_THE_FILE: Final = ("etag", "last-modified", "accept-ranges")
_HEAD: Final = b"<head>"


class ServerAddress:
    """ASGI middleware that adds a line to the HTML of every page; what it cannot read passes as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = line_for(scope["path"]) if scope["type"] == "http" and is_page(scope) else ""
        if not line:
            await self.app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in _WHOLE_AND_PLAIN]
        await self.app({**scope, "headers": headers}, receive, _Insertion(line.encode(), send))


def line_for(path: str) -> str:
    """A script that names the server's address to the page at `path`, as the server sees it; empty for odd paths.

    A proxy may have taken a prefix off the path. The browser knows it: it is what stands before `path` in its own
    address. With `HOST_CONFIG`, which says what the server's own answer would say, Streamlit connects at once.
    """
    base = base_path()
    if not re.fullmatch(r"[\w/-]*", path, re.ASCII) or not path.startswith(base):
        return ""
    page = path.removeprefix(base)
    host = {"allowedOrigins": list(streamlit.config.get_option("client.allowedOrigins")), "useExternalAuthToken": False}
    return (
        "<script>{"
        f"const at = location.pathname, page = {_quoted(page)};"
        "if (at.endsWith(page)) window.__streamlit = {"
        'BACKEND_BASE_URL: location.origin + at.slice(0, at.length - page.length) + "/", '
        f"HOST_CONFIG: {_quoted(host)}"
        "}}</script>"
    )


def _quoted(value: object) -> str:
    """A value for a script in a page: nothing in it ends the script."""
    return json.dumps(value).replace("<", "\\u003c")


class _Insertion:
    """Sends an answer on, with `line` at the beginning of its head if it is a whole HTML page."""

    def __init__(self, line: bytes, send: Send) -> None:
        self.line = line
        self.send = send
        self.start: Message | None = None
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self.start = message
        elif self.start is None or message["type"] != "http.response.body":
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_whole(self.start)

    async def _send_whole(self, start: Message) -> None:
        body = bytes(self.body).replace(_HEAD, _HEAD + self.line, 1)
        headers = MutableHeaders(scope=start)
        headers["content-length"] = str(len(body))
        for name in _OF_THE_FILE:
            del headers[name]
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


def _is_html(start: Message) -> bool:
    headers = MutableHeaders(scope=start)
    is_plain = "content-encoding" not in headers
    return start["status"] == 200 and is_plain and headers.get("content-type", "").startswith("text/html")
