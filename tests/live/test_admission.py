"""A full server says so, by page and by socket, and serves those whom it has."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bnviz.errors import ConfigError
from bnviz.live.admission import AGAIN_SECONDS, CLOSE_FULL, MOST_PAGES, MOST_PAGES_VARIABLE, Admission, most_pages
from bnviz.live.owner import COOKIE
from tests.fake_worker import eventually
from tests.live.harness import served

MOST = 2


async def _page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("the page")


async def _stream(socket: WebSocket) -> None:
    await socket.accept()
    async for _ in socket.iter_text():
        await socket.send_text("here")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    routes = [Route("/", _page), Route("/_stcore/health", _page), WebSocketRoute("/_stcore/stream", _stream)]
    app = Starlette(routes=routes, middleware=[Middleware(Admission, most_pages=MOST)])
    with served(app) as address:
        yield address


@pytest.fixture(autouse=True)
def _empty(url: str) -> None:
    """Nobody is left of the test before."""
    eventually(lambda: asked(url)[0] == 200)


def stream(url: str) -> str:
    return f"{url.replace('http', 'ws')}/_stcore/stream"


@contextmanager
def opened(url: str, visitor: str) -> Iterator[ClientConnection]:
    """A page's socket, once the server has taken it in; one that is left closes a moment later."""
    cookie = {"Cookie": f"{COOKIE}={visitor}"}
    with connect(stream(url), additional_headers=cookie) as socket:
        socket.send("hello")
        assert socket.recv(10) == "here"
        yield socket


def asked(url: str, path: str = "/", visitor: str = "", accept: str = "text/html") -> tuple[int, str, str | None]:
    """Status, text and Retry-After of an answer."""
    request = urllib.request.Request(url + path, headers={"Accept": accept, "Cookie": f"{COOKIE}={visitor}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Retry-After"]


def test_a_refused_socket_is_given_the_first_of_the_protocols_that_it_offers(url: str) -> None:
    # Without one a browser drops the connection itself, and the page never learns that the server is full.
    offers = [Subprotocol("streamlit"), Subprotocol("another")]
    with opened(url, "a"), opened(url, "b"), connect(stream(url), subprotocols=offers) as refused:
        assert refused.subprotocol == "streamlit"
        with pytest.raises(ConnectionClosed, match="1013"):
            refused.recv(10)


def test_a_full_server_refuses_a_page_and_its_socket_and_says_when_to_try_again(url: str) -> None:
    with opened(url, "a"), opened(url, "b"):
        status, text, again = asked(url, visitor="c")
        assert (status, again) == (503, str(AGAIN_SECONDS))
        assert f"full: {MOST} pages" in text
        with pytest.raises(ConnectionClosed) as refused, opened(url, "c"):
            pass
        assert refused.value.rcvd is not None
        assert refused.value.rcvd.code == CLOSE_FULL
        assert "full" in refused.value.rcvd.reason


def test_those_who_are_in_a_full_server_are_served_and_may_reload(url: str) -> None:
    with opened(url, "a") as first, opened(url, "b"):
        first.send("still?")
        assert first.recv(10) == "here"
        assert asked(url, visitor="a")[:2] == (200, "the page")


def test_a_full_server_answers_who_asks_for_its_health_or_for_a_page_that_is_open(url: str) -> None:
    with opened(url, "a"), opened(url, "b"):
        assert asked(url, "/_stcore/health", accept="*/*")[0] == 200


def test_a_page_that_closes_leaves_room_for_another(url: str) -> None:
    with opened(url, "a"), opened(url, "b"):
        assert asked(url, visitor="c")[0] == 503
    eventually(lambda: asked(url, visitor="c")[0] == 200)


def test_how_many_pages_there_may_be_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MOST_PAGES_VARIABLE, raising=False)
    assert most_pages() == MOST_PAGES
    monkeypatch.setenv(MOST_PAGES_VARIABLE, "40")
    assert most_pages() == 40


@pytest.mark.parametrize("text", ["0", "-1", "many", "", "1.5", "²"])
def test_a_number_of_pages_that_makes_no_sense_is_said_so(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(MOST_PAGES_VARIABLE, text)
    with pytest.raises(ConfigError, match=MOST_PAGES_VARIABLE):
        most_pages()
