"""What several test modules share: a browser for the tests that drive pages, and how Hypothesis is set."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import launch

# No test is timed: a noisy machine is no defect of the code.
hypothesis.settings.register_profile(
    "bnviz", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("bnviz")


def pytest_itemcollected(item: pytest.Item) -> None:
    """In several processes (`-n 2 --dist loadgroup`) the tests of a file stay together, and those with a browser.

    A browser, the server and its workers keep a machine busy by themselves.
    """
    group = "browser" if item.get_closest_marker("browser") else item.nodeid.split("::")[0]
    item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser; where none can be had the test skips, saying what to install; under CI=true it fails.

    One for each module: as long as Playwright is up its event loop runs in this thread, and no other can.
    """
    with sync_playwright() as playwright:
        try:
            found = launch(playwright)
        except RuntimeError as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield found
        found.close()
