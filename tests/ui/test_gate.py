"""Few scripts run at one time, and one makes way only when what it said has been sent."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from bnviz.ui import gate
from bnviz.ui.gate import MOST_SCRIPTS, a_place_to_run


@pytest.fixture(autouse=True)
def _own_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_places", threading.BoundedSemaphore(MOST_SCRIPTS))
    monkeypatch.setattr(gate, "_loop", None)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop that the gate attends, running on a thread of its own."""
    one = asyncio.new_event_loop()
    thread = threading.Thread(target=one.run_forever)
    thread.start()
    gate.attend(one)
    yield one
    one.call_soon_threadsafe(one.stop)
    thread.join()
    one.close()


def test_no_more_scripts_run_at_one_time_than_there_are_places() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def script() -> None:
        nonlocal running, most
        with a_place_to_run():
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

    threads = [threading.Thread(target=script) for _ in range(4 * MOST_SCRIPTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == MOST_SCRIPTS


def test_a_script_that_fails_gives_its_place_back() -> None:
    for _ in range(2 * MOST_SCRIPTS):
        with pytest.raises(ZeroDivisionError), a_place_to_run():
            raise ZeroDivisionError


def test_a_place_is_given_back_when_the_event_loop_has_done_what_was_queued(loop: asyncio.AbstractEventLoop) -> None:
    sent: list[str] = []
    with a_place_to_run():
        loop.call_soon_threadsafe(time.sleep, 0.1)
        loop.call_soon_threadsafe(sent.append, "the page")
    assert sent == ["the page"]


def test_a_place_is_given_back_after_a_while_although_the_event_loop_hangs(loop: asyncio.AbstractEventLoop) -> None:
    begun = time.monotonic()
    with a_place_to_run():
        loop.call_soon_threadsafe(time.sleep, 2.0)
    assert time.monotonic() - begun < 1.9


def test_who_has_waited_long_runs_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 0.05)
    for _ in range(MOST_SCRIPTS):
        gate._places.acquire()
    with a_place_to_run():
        pass
    assert not gate._places.acquire(blocking=False), "a place that was never had must not be given back"
