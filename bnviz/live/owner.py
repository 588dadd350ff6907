"""The visitor's cookie: HttpOnly, SameSite, unguessable; it says who owns a run, never a link."""

import secrets
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "bnviz_owner"
_MAX_AGE_SECONDS: Final = 365 * 24 * 3600


class OwnerCookie:
    """ASGI middleware that gives every browser without the cookie one, with the page itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_page(scope) or owner_of(scope):
            await self.app(scope, receive, send)
            return

        await self.app(scope, receive, adding(send, "set-cookie", _cookie(scope.get("scheme") == "https")))


def adding(send: Send, header: str, value: str) -> Send:
    """`send` with one header more on the answer."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append(header, value)
        await send(message)

    return send_on


def is_page(scope: Scope) -> bool:
    """Whether a browser asks for a page, rather than for something that belongs to one."""
    accept = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] == "GET" and b"text/html" in accept


def owner_of(scope: Scope) -> str:
    """Who a request comes from; empty for a browser that has no cookie yet."""
    cookies = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    return cookie_parser(cookies).get(COOKIE, "")


def _cookie(is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    return f"{COOKIE}={secrets.token_urlsafe(24)}; Path=/; Max-Age={_MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{secure}"
