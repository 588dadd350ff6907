"""The routes: plotly.js and the browser's modules, from the installed packages, kept by the browser."""

import gzip
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from bnviz.config import COMPETITORS
from bnviz.figures.theme import swatch_of, tokens
from bnviz.live.component import loader
from bnviz.live.library import ALL, CARTESIAN
from bnviz.live.routes import JOINED, browser_files, browser_version, library_address, module_address, routes
from tests.live.fakes import FakeHub
from tests.live.harness import Client, served


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served(Starlette(routes=routes(FakeHub, {}, lambda run, view: ""))) as url:
        yield Client(urlsplit(url).netloc)


@pytest.mark.parametrize("name", [ALL, CARTESIAN])
def test_plotly_comes_compressed_from_this_server(client: Client, name: str) -> None:
    answer, body = client.get(library_address(name), "gzip, br")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    text = gzip.decompress(body)
    assert text.lstrip().startswith(b"/**\n* plotly.js ")
    assert len(body) < len(text) / 2


@pytest.mark.parametrize("name", [ALL, CARTESIAN])
def test_plotly_comes_plain_to_whom_gzip_is_foreign(client: Client, name: str) -> None:
    answer, body = client.get(library_address(name))
    assert "content-encoding" not in answer.headers
    assert b"Plotly" in body[-200:]


def test_every_module_that_is_imported_is_served(client: Client) -> None:
    assert {"live.js", "live.css", "frames.js"} <= set(browser_files())
    for name, text in browser_files().items():
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert imported in browser_files(), f"{name} imports {imported}"
        answer, body = client.get(module_address(name))
        assert answer.status == 200
        assert body.decode() == text
        assert answer.headers["content-type"].startswith("text/css" if name.endswith("css") else "text/javascript")
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["../routes.py", "%2e%2e%2froutes.py", "missing.js", "live.js.map"])
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.get(f"/bnviz/browser/{browser_version()}/{path}")[0].status == 404


def test_an_old_version_is_not_answered_with_a_new_file(client: Client) -> None:
    assert client.get("/bnviz/browser/0123456789abcdef/live.js")[0].status == 404


def test_no_module_writes_markup_from_data() -> None:
    for name, text in browser_files().items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), name


def test_no_module_reaches_another_server() -> None:
    for name, text in browser_files().items():
        addresses = re.findall(r"https?://[^\s\"'`)]+", text)
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, name


def test_the_inline_script_is_small_and_names_the_served_module() -> None:
    script = loader()
    assert module_address(JOINED) in script
    assert len(script) < 8000


def test_the_browser_knows_every_networks_swatch_in_its_shape_and_both_its_colours() -> None:
    files, colours = browser_files(), tokens()
    for one in COMPETITORS.values():
        shape = re.search(r">(.)</span>", swatch_of(one))
        assert shape is not None
        assert f'{one.name}: "{shape[1]}"' in files["sentence.js"]
        pair = ", ".join(colours[theme][one.name].lower() for theme in ("light", "dark"))
        assert re.search(rf"\.bnviz-{one.name} {{\s*color: light-dark\({pair}\)", files["live.css"])
