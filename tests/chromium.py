"""A headless Chromium, Chrome or Edge for tests and benches, wherever one is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Error, Playwright

REMEDY = "install Chromium, Chrome or Edge, or run `python -m playwright install chromium`"
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


def launch(playwright: Playwright) -> Browser:
    """A running browser, installed with Playwright if need be; `RuntimeError` says what to install."""
    found = _installed_browser(playwright) or _downloaded_browser(playwright)
    if found is None:
        raise RuntimeError(f"no browser could be started: {REMEDY}")
    return found


def launch_with_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    """An installed browser that keeps what it compiles in this folder, as a visitor's does.

    Raises:
        RuntimeError: there is none; it says what to install.
    """
    for path in _installed_paths():
        try:
            return playwright.chromium.launch_persistent_context(
                folder, executable_path=path, args=list(_ARGUMENTS), viewport={"width": 1440, "height": 900}
            )
        except Error:
            continue
    raise RuntimeError(f"no browser could be started: {REMEDY}")


def _installed_browser(playwright: Playwright) -> Browser | None:
    return next((found for path in _installed_paths() if (found := _launched(playwright, path))), None)


def _installed_paths() -> list[str]:
    paths = [path for name in _BROWSERS if (path := shutil.which(name))]
    return paths + [path for path in _ELSEWHERE if Path(path).exists()]


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
