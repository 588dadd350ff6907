"""Tells a browser with the page itself what its charts will need, so that it fetches that meanwhile."""

from starlette.types import ASGIApp, Receive, Scope, Send

from bnviz.live.library import library_for
from bnviz.live.owner import adding, is_page
from bnviz.live.routes import browser_files, library_address, module_address


class Preload:
    """ASGI middleware that adds a Link header to every page.

    Without it a browser learns of plotly.js and of our modules only when Streamlit's own code has started, the script
    has run and its components are mounted: on a first visit they come a second later.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_page(scope):
            send = adding(send, "link", links())
        await self.app(scope, receive, send)


def links() -> str:
    """Of plotly.js and of the browser's modules, as a Link header has them (RFC 8288)."""
    modules = (module_address(name) for name in sorted(browser_files()) if name.endswith(".js"))
    scripts = [f"<{library_address(library_for(()))}>; rel=preload; as=script"]  # as most pages need it
    return ", ".join([*scripts, *(f"<{one}>; rel=modulepreload" for one in modules)])
