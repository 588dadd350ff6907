"""A run that is taken off its worker: what happens between two of the engine's questions to that worker.

These moments last milliseconds and cannot be met from outside, so the tests stand inside the dispatcher.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnviz.runs.awake import Awake, Place
from bnviz.runs.dispatcher import Dispatcher
from bnviz.runs.engine import Engine
from tests.fake_worker import SMALL, Costs, FakeCluster, Workbench, eventually

ME = "me"
CALM = Costs(step=0.001, measure=0.001)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path, cluster=FakeCluster(bench=Workbench(CALM)))
    engine.start()
    yield engine
    engine.close()


def inside(engine: Engine) -> tuple[Dispatcher, Awake, Place]:
    """The dispatcher, with one run that plays, and where it does."""
    run_id = engine.create(ME, SMALL, is_playing=True)
    eventually(lambda: engine.hub.status(run_id).step > 10)
    dispatcher = engine._dispatcher
    assert dispatcher is not None
    awake = dispatcher._awake[run_id]
    assert awake.place is not None
    return dispatcher, awake, awake.place


def move(engine: Engine, awake: Awake) -> None:
    assert engine._loop is not None
    assert engine._dispatcher is not None
    asyncio.run_coroutine_threadsafe(engine._dispatcher._move(awake), engine._loop).result(10)


@pytest.mark.parametrize("meanwhile", ["paused", "told to take steps"])
def test_a_run_stays_where_its_owner_meanwhile_wants_something_else_of_it(engine: Engine, meanwhile: str) -> None:
    dispatcher, awake, _ = inside(engine)
    fetch, taken_off = dispatcher._exchange.fetch, []

    async def take_off(one: Awake, place: Place) -> None:
        taken_off.append(one)

    async def fetch_and_be_asked(one: Awake) -> None:
        await fetch(one)
        if meanwhile == "paused":
            one.orders = replace(one.orders, is_playing=False)
        else:
            one.steps_due += 5

    dispatcher._take_off = take_off  # type: ignore[method-assign]
    move(engine, awake)
    assert taken_off == [awake]  # as it is where nothing comes between
    dispatcher._exchange.fetch = fetch_and_be_asked  # type: ignore[method-assign]
    move(engine, awake)
    assert taken_off == [awake]


def test_a_run_whose_worker_is_lost_as_it_lets_go_of_it_waits_once(engine: Engine) -> None:
    dispatcher, awake, place = inside(engine)
    ask = dispatcher._exchange.ask
    assert engine._loop is not None
    waiting: list[int] = []

    async def ask_and_lose(asked: Place, answer: Awaitable[Any]) -> Any:
        answered = await ask(asked, answer)
        dispatcher._lose(place)
        return answered

    fill: Callable[[], None] = dispatcher._fill_places

    def count_and_fill() -> None:
        waiting.append(dispatcher._queue.count(awake))
        fill()

    dispatcher._fill_places = count_and_fill  # type: ignore[method-assign]

    async def let_go() -> None:
        async with awake.lock:
            dispatcher._exchange.ask = ask_and_lose  # type: ignore[assignment]
            await dispatcher._take_off(awake, place)
            dispatcher._exchange.ask = ask  # type: ignore[method-assign]
        dispatcher._fill_places()

    asyncio.run_coroutine_threadsafe(let_go(), engine._loop).result(10)
    assert waiting
    assert set(waiting) <= {0, 1}
