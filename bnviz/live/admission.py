"""How many pages the server takes in: a full one says so at once, and goes on serving those it has."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Final

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bnviz.errors import ConfigError
from bnviz.live.owner import is_page, owner_of

MOST_PAGES: Final = 500
MOST_PAGES_VARIABLE: Final = "BNVIZ_MOST_PAGES"
AGAIN_SECONDS: Final = 15  # until a page that was told "full" tries again by itself
CLOSE_FULL: Final = 1013  # "try again later", RFC 6455
STREAM: Final = "/_stcore/stream"  # Streamlit's own socket: one for every open page


class Admission:
    """ASGI middleware that counts open pages and refuses the one too many, its address and its socket alike.

    A visitor who has a page open already gets its address answered: that is a reload, whose old socket closes only when
    the new page is there.
    """

    def __init__(self, app: ASGIApp, most_pages: int = MOST_PAGES) -> None:
        self.app, self._most = app, most_pages
        self._pages: Counter[str] = Counter()  # open ones, by their visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].endswith(STREAM):
            if self._is_full:
                await self._refuse_socket(scope, receive, send)
                return
            with self._counted(owner_of(scope)):
                await self.app(scope, receive, send)
        elif scope["type"] == "http" and is_page(scope) and self._is_full and not self._pages[owner_of(scope)]:
            await self._refuse_page(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @property
    def _is_full(self) -> bool:
        return self._pages.total() >= self._most

    @contextmanager
    def _counted(self, owner: str) -> Iterator[None]:
        self._pages[owner] += 1
        try:
            yield
        finally:
            self._pages[owner] -= 1
            if not self._pages[owner]:
                del self._pages[owner]

    async def _refuse_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        await HTMLResponse(_full_page(self._text), 503, _TRY_AGAIN)(scope, receive, send)

    async def _refuse_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accepted and closed: a browser tells a page why a socket was closed, and not why it was not opened."""
        await receive()  # the request to connect
        offered = scope["subprotocols"]  # a browser whose offers are all passed over closes without a reason
        await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
        await send({"type": "websocket.close", "code": CLOSE_FULL, "reason": self._text})

    @property
    def _text(self) -> str:
        return f"This server is full: {self._most} pages are open, and it takes no more."


def most_pages() -> int:
    """How many pages this server takes in, as the environment has it.

    Raises:
        ConfigError: not a whole number of at least 1.
    """
    text = os.environ.get(MOST_PAGES_VARIABLE, str(MOST_PAGES))
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise ConfigError(
            f"{MOST_PAGES_VARIABLE} = {text!r}: choose a whole number of at least 1, such as {MOST_PAGES}."
        )
    return int(text)


_TRY_AGAIN: Final = {"Retry-After": str(AGAIN_SECONDS), "Cache-Control": "no-store"}


def _full_page(text: str) -> str:
    """What a visitor sees instead of a page, until there is room."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>bnviz: full</title>'
        f'<meta http-equiv="refresh" content="{AGAIN_SECONDS}">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:20vh auto;padding:0 1em}</style>"
        f"<h1>One moment</h1><p>{escape(text)}</p>"
        f"<p>This page tries again by itself every {AGAIN_SECONDS} seconds. Runs that are under way are not lost.</p>"
    )
