"""What several test modules share: a browser for the tests that drive pages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

# No test is timed: a noisy machine is no defect of the code.
hypothesis.settings.register_profile(
    "bnviz", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("bnviz")

# In the order in which they are tried; what Windows and macOS keep off the search path follows.
_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
_ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_INSTALL_SECONDS = 300
_REMEDY = "install Chromium, Chrome or Edge, or run `python -m playwright install chromium`"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, Chrome or Edge: an installed one, else Playwright's own, installed if need be.

    Where there is none the test skips, saying what to install; under CI=true it fails instead.
    """
    with sync_playwright() as playwright:
        found = _installed_browser(playwright) or _downloaded_browser(playwright)
        if found is None:
            _give_up(f"no browser could be started: {_REMEDY}")
        yield found
        found.close()


def _installed_browser(playwright: Playwright) -> Browser | None:
    paths = [path for name in _BROWSERS if (path := shutil.which(name))]
    paths += [path for path in _ELSEWHERE if Path(path).exists()]
    return next((found for path in paths if (found := _launched(playwright, path))), None)


def _downloaded_browser(playwright: Playwright) -> Browser | None:
    found = _launched(playwright, None)
    if found is not None:
        return found
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError):
        return None
    return _launched(playwright, None)


def _launched(playwright: Playwright, path: str | None) -> Browser | None:
    try:
        return playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS), headless=True)
    except Error:
        return None


def _give_up(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
