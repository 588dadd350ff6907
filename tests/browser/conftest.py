"""A running app for the tests of a file, and for each test a browser that has never been there."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize

from tests.app_server import AppServer, running_app
from tests.browser.visit import pause_if_playing

SCREEN: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One for the tests of a file: a tab that has loaded the page's scripts need not compile them again."""
    visitor = browser.new_context(viewport=SCREEN)
    visitor.new_page()
    yield visitor
    visitor.close()


@pytest.fixture
def context(visitor: BrowserContext) -> Iterator[BrowserContext]:
    """An empty tab of somebody whom the server does not know."""
    yield visitor
    tab, *others = visitor.pages or [visitor.new_page()]
    for page in (tab, *others):
        pause_if_playing(page)  # the next test has the machine to itself
    for page in others:
        page.close()
    visitor.clear_cookies()
    if tab.url.startswith("http"):
        tab.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    tab.goto("about:blank")
    tab.set_viewport_size(SCREEN)
    tab.emulate_media(media="null", color_scheme="null")
