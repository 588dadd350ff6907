"""What a page tells the browser to fetch: what its charts will ask for, and only with pages."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bnviz.live.library import CARTESIAN
from bnviz.live.preload import Preload
from bnviz.live.routes import JOINED, library_address, module_address, routes
from tests.live.fakes import FakeHub
from tests.live.harness import Client, served

PAGE = "text/html,application/xhtml+xml"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    page = Route("/", lambda request: HTMLResponse("<p>a page</p>"))
    app = Starlette(routes=[page, *routes(FakeHub, {}, lambda run, view: "")], middleware=[Middleware(Preload)])
    with served(app) as url:
        yield Client(urlsplit(url).netloc)


def links_of_the_page(client: Client) -> str:
    answer, _ = client.get("/", accept=PAGE)
    link: str = answer.headers["link"]
    return link


def addresses(link: str) -> list[str]:
    return re.findall(r"<([^>]*)>", link)


def test_a_page_names_all_that_its_charts_need_and_what_streamlit_needs_goes_before_plotly(client: Client) -> None:
    link = links_of_the_page(client)
    assert f"<{module_address(JOINED)}>; rel=modulepreload" in link
    assert f"<{module_address('live.css')}>; rel=preload; as=style" in link
    assert f"<{library_address(CARTESIAN)}>; rel=preload; as=script; fetchpriority=low" in link
    assert len(addresses(link)) == 3


def test_every_address_that_is_named_is_served_and_kept(client: Client) -> None:
    for address in addresses(links_of_the_page(client)):
        answer, _ = client.get(address)
        assert answer.status == 200, address
        assert "immutable" in answer.headers["cache-control"], address


def test_what_is_no_page_names_nothing(client: Client) -> None:
    assert "link" not in client.get(library_address(CARTESIAN))[0].headers
    assert "link" not in client.get("/", accept="application/json")[0].headers
