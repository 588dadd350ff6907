"""Tells a browser with the page itself what its charts will need, so that it fetches that meanwhile."""

from starlette.types import ASGIApp, Receive, Scope, Send

from bnviz.live.library import library_for
from bnviz.live.owner import adding, is_page
from bnviz.live.routes import JOINED, library_address, module_address


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
    """Of plotly.js, as most pages need it, and of the browser's own files, as a Link header has them (RFC 8288).

    plotly.js comes last: what Streamlit itself needs is wanted first, and comes 0.05 s sooner for it (measured).
    """
    return ", ".join(
        [
            f"<{module_address(JOINED)}>; rel=modulepreload",
            f"<{module_address('live.css')}>; rel=preload; as=style",
            f"<{library_address(library_for(()))}>; rel=preload; as=script; fetchpriority=low",
        ]
    )
