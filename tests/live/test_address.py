"""What Streamlit's page is told of its server: the right address wherever the page stands, and nothing by odd paths."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bnviz.live.address import ServerAddress, line_for
from tests.live.harness import Client, served

PAGE = "text/html,application/xhtml+xml"
HTML = "<!DOCTYPE html><html><head><title>a page</title></head><body><head></body></html>"
PREFIX = "/class"


class Proxy:
    """Takes a prefix off every path, as a server before ours may."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].removeprefix(PREFIX)}
        await self.app(scope, receive, send)


def a_page(request: Request) -> HTMLResponse:
    return HTMLResponse(HTML, headers={"etag": '"1"', "last-modified": "Sat, 28 Nov 2026 12:00:00 GMT"})


def asked(request: Request) -> JSONResponse:
    return JSONResponse(dict(request.headers))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    paths = ("/", "/paper", "/b/paper", "/b/", "/odd%20path")
    app = Starlette(
        routes=[
            *(Route(path, a_page) for path in paths),
            Route("/odd path", a_page),
            Route("/asked", asked),
            Route("/elsewhere", lambda request: RedirectResponse("/paper")),
        ],
        middleware=[Middleware(Proxy), Middleware(ServerAddress)],
    )
    with served(app) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(urlsplit(url).netloc)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def base(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("bnviz.live.address.base_path", lambda: request.param)
    return str(request.param)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("base", "path", "server"),
    [
        ("", "/", "/"),
        ("", "/paper", "/"),
        ("", f"{PREFIX}/paper", f"{PREFIX}/"),
        ("", f"{PREFIX}/", f"{PREFIX}/"),
        ("/b", "/b/paper", "/b/"),
        ("/b", "/b/", "/b/"),
        ("/b", f"{PREFIX}/b/paper", f"{PREFIX}/b/"),
    ],
    indirect=["base"],
)
def test_a_page_finds_its_server_wherever_it_stands(page: Page, url: str, base: str, path: str, server: str) -> None:
    page.goto(f"{url}{path}?part=claims#chart-accuracy")
    assert page.evaluate("() => window.__streamlit.BACKEND_BASE_URL") == url + server


@pytest.mark.browser
def test_the_page_is_told_what_the_server_says_of_itself(page: Page, url: str) -> None:
    page.goto(f"{url}/paper")
    told = page.evaluate("() => window.__streamlit.HOST_CONFIG")
    assert told["useExternalAuthToken"] is False
    assert told["allowedOrigins"]  # else Streamlit asks for the server's health before it connects


def test_the_line_stands_once_before_every_script_of_the_page(client: Client) -> None:
    answer, body = client.get("/paper", accept=PAGE)
    assert body.decode() == HTML.replace("<head>", f"<head>{line_for('/paper')}", 1)
    assert int(answer.headers["content-length"]) == len(body)


def test_a_page_that_is_added_to_is_never_taken_for_the_file_that_it_was(client: Client) -> None:
    answer, _ = client.get("/paper", accept=PAGE)
    assert "etag" not in answer.headers
    assert "last-modified" not in answer.headers
    sent = json.loads(client.get("/asked", encoding="gzip", accept=PAGE)[1])
    assert "accept-encoding" not in sent


def test_what_is_no_page_passes_as_it_is(client: Client) -> None:
    answer, body = client.get("/paper", accept="*/*")
    assert body.decode() == HTML
    assert answer.headers["etag"] == '"1"'
    answer, body = client.get("/elsewhere", accept=PAGE)
    assert (answer.status, answer.headers["location"], body) == (307, "/paper", b"")


@pytest.mark.parametrize(
    "path", ["/odd path", "/</script><script>alert(1)</script>", '/"', "/\\", "/${0}", "/größe", "//evil.example:80"]
)
def test_an_odd_path_gets_no_line(path: str, client: Client) -> None:
    assert line_for(path) == ""


def test_a_page_below_another_base_gets_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnviz.live.address.base_path", lambda: "/b")
    assert line_for("/paper") == ""


def test_nothing_in_an_option_ends_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnviz.live.address.base_path", str)
    origins = ["https://</script><script>alert(1)</script>"]
    monkeypatch.setattr("bnviz.live.address.streamlit.config.get_option", lambda name: origins)
    assert len(re.findall("</?script", line_for("/paper"))) == 2
