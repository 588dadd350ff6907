"""What several test modules share: a browser for the tests that drive pages, and how Hypothesis is set."""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright
from xdist.scheduler import LoadFileScheduling

from tests.chromium import launch

# No test is timed: a noisy machine is no defect of the code.
hypothesis.settings.register_profile(
    "bnviz", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("bnviz")


class OneBrowser(LoadFileScheduling):  # type: ignore[misc]
    """In several processes (`-n 2`) the tests of a file stay together, and first of all those that drive a browser.

    A browser, the server and its workers keep a machine busy by themselves.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBrowser:
    config.option.loadscopereorder = False  # the longest are collected first
    return OneBrowser(config, log)


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
