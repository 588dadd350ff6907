"""The routes of the live charts: frames, plotly.js, and the browser's modules."""

import gzip
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from hashlib import blake2b
from importlib.resources import files
from typing import Final

import streamlit
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from bnviz.figures import FIGURES, sentence
from bnviz.live.charts import Figure, PackedCharts
from bnviz.live.header import Sentence
from bnviz.live.health import health_route
from bnviz.live.library import ALL, CARTESIAN, compressed, plotly_version
from bnviz.live.modules import joined
from bnviz.live.socket import FrameSocket, Hub
from bnviz.runs.engine import engine
from bnviz.runs.readiness import Readiness
from bnviz.runs.recorded import with_recording

JOINED: Final = "bnviz.js"  # all of the browser's modules
FOREVER: Final = "public, max-age=31536000, immutable"  # every address below names the contents' version
MEDIA_TYPES: Final[Mapping[str, str]] = {".js": "text/javascript", ".css": "text/css"}


def routes(
    hub: Callable[[], Hub] | None = None,
    figures: Mapping[str, Figure] = FIGURES,
    sentence: Sentence = sentence,
    readiness: Callable[[], Readiness] | None = None,
) -> list[BaseRoute]:
    """Everything that the live charts need of the server, and its health; tests hand in their own hub and figures."""
    socket = FrameSocket(hub or _engine_hub, PackedCharts(figures), sentence, with_recording)
    base = base_path()
    return [
        WebSocketRoute(f"{base}/bnviz/frames", socket.watch),
        *(Route(f"{base}/bnviz/{name}", partial(_library, name), methods=["GET"]) for name in (ALL, CARTESIAN)),
        Route(f"{base}/bnviz/browser/{{version}}/{{name}}", _browser_file, methods=["GET"]),
        Route(f"{base}/healthz", health_route(readiness or _engine_readiness), methods=["GET"]),
    ]


def base_path() -> str:
    """Where Streamlit is mounted (server.baseUrlPath), without a slash at its end."""
    base = str(streamlit.config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def library_address(name: str) -> str:
    """Where a browser gets one of `library.ALL` and `library.CARTESIAN`."""
    return f"{base_path()}/bnviz/{name}?v={plotly_version()}"


def module_address(name: str) -> str:
    """The address of one of the browser's files; modules that one imports by "./name" share its version."""
    return f"{base_path()}/bnviz/browser/{browser_version()}/{name}"


def style_sheet() -> str:
    """CSS that brings the live area's: a browser has it with the page, and keeps it.

    Of two lines, since Streamlit takes a single one with a slash in it for the path of a file.
    """
    return f'/* the live area */\n@import url("{module_address("live.css")}");'


@cache
def browser_files() -> Mapping[str, str]:
    """The browser's modules, what they are joined to, and its style sheets, by name."""
    folder = files("bnviz.live") / "browser"
    kept = [one for one in folder.iterdir() if re.fullmatch(r"[a-z]+\.(js|css)", one.name)]
    found = {one.name: one.read_text("utf-8") for one in kept}
    modules = {name: text for name, text in found.items() if name.endswith(".js")}
    return found | {JOINED: joined(modules, "live.js")}


@cache
def browser_version() -> str:
    """Changes with any of the browser's files."""
    digest = blake2b(digest_size=8)
    for name, text in sorted(browser_files().items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


async def _browser_file(request: Request) -> Response:
    name = request.path_params["name"]
    text = browser_files().get(name)
    if text is None or request.path_params["version"] != browser_version():
        return Response("There is no such file.", status_code=404)
    return _packed(request, _compressed_file(name), MEDIA_TYPES[name[name.rindex(".") :]])


@cache
def _compressed_file(name: str) -> bytes:
    return gzip.compress(browser_files()[name].encode(), mtime=0)


async def _library(name: str, request: Request) -> Response:
    return _packed(request, compressed(name), MEDIA_TYPES[".js"])


def _packed(request: Request, body: bytes, media_type: str) -> Response:
    """A file that is kept gzipped, as it is for whom gzip is not foreign."""
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(body), media_type=media_type, headers=headers)


def _engine_hub() -> Hub:
    return engine().hub


def _engine_readiness() -> Readiness:
    return engine().health()
