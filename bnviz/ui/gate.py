"""Lets few scripts run at one time, so that a crowd of visitors is slow rather than everybody late.

Scripts share one interpreter with the event loop, which sends their messages and everybody's frames: a hundred at once
would take as long as one after the other, and leave it a hundredth of the time.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST_SCRIPTS: Final = 3
PATIENCE_SECONDS: Final = 20.0  # a script that waits for the engine must not hold everybody up for ever

_places = threading.BoundedSemaphore(MOST_SCRIPTS)
_loop: asyncio.AbstractEventLoop | None = None


def attend(loop: asyncio.AbstractEventLoop) -> None:
    """Wait for this event loop from now on, before one script makes way for the next."""
    global _loop
    _loop = loop


@contextmanager
def a_place_to_run() -> Iterator[None]:
    """Wait for a place, and give it back once the event loop has sent what was said meanwhile."""
    has_place = _places.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        if has_place:
            _wait_for_the_loop()
            _places.release()


def _wait_for_the_loop() -> None:
    """What is queued on it now has been done when it comes to this."""
    if _loop is None or not _loop.is_running():
        return
    is_through = threading.Event()
    _loop.call_soon_threadsafe(is_through.set)
    is_through.wait(1.0)
