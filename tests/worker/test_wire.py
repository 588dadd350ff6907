"""The wire between the server and an embedded worker: every question has its own answer, and a cut wire says so."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.errors import RunError
from bnviz.worker import handover, wire
from bnviz.worker.wire import Wire

pytestmark = pytest.mark.skipif(not wire.IS_OFFERED, reason="this system has no Unix sockets")

SECONDS = 10.0


class Answers:
    """What a host might answer."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def double(self, number: int) -> int:
        return 2 * number

    async def wait(self) -> str:
        await self.gate.wait()
        return "waited"

    async def refuse(self) -> None:
        raise RunError("There is no such run.")

    async def fail(self) -> None:
        raise ZeroDivisionError

    async def tell_what_cannot_be_told(self) -> Callable[[], None]:
        return lambda: None

    async def large(self) -> bytearray:
        return bytearray(handover.LARGE_BYTES)


@contextlib.asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[Wire, Answers]]:
    answers, path = Answers(), str(folder / "wire")
    server = await wire.answer(path, lambda name: getattr(answers, name))
    asking = await Wire.to(path)
    try:
        async with asyncio.timeout(SECONDS):
            yield asking, answers
    finally:
        asking.close()
        server.close()


def run(folder: Path, check: Callable[[Wire, Answers], Awaitable[None]]) -> None:
    async def main() -> None:
        async with connected(folder) as (asking, answers):
            await check(asking, answers)

    asyncio.run(main())


def test_questions_that_are_open_together_have_each_their_own_answer(tmp_path: Path) -> None:
    async def check(asking: Wire, answers: Answers) -> None:
        slow = asyncio.create_task(asking.ask("wait"))
        assert await asyncio.gather(*(asking.ask("double", number) for number in range(50))) == list(range(0, 100, 2))
        assert not slow.done()
        answers.gate.set()
        assert await slow == "waited"

    run(tmp_path, check)


def test_what_the_other_end_refuses_is_raised_here_and_the_wire_holds(tmp_path: Path) -> None:
    async def check(asking: Wire, _: Answers) -> None:
        with pytest.raises(RunError, match="There is no such run"):
            await asking.ask("refuse")
        assert await asking.ask("double", 4) == 8

    run(tmp_path, check)


@pytest.mark.parametrize("name", ["fail", "no_such_method", "tell_what_cannot_be_told"])
def test_a_fault_at_the_other_end_cuts_the_wire(tmp_path: Path, name: str) -> None:
    async def check(asking: Wire, _: Answers) -> None:
        waiting = asyncio.create_task(asking.ask("wait"))
        with pytest.raises(OSError, match="gone"):
            await asking.ask(name)
        with pytest.raises(OSError, match="gone"):
            await waiting
        assert asking.is_cut
        with pytest.raises(OSError, match="gone"):
            await asking.ask("double", 4)

    run(tmp_path, check)


def test_an_answer_that_nobody_waits_for_any_more_takes_none_of_the_next(tmp_path: Path) -> None:
    async def check(asking: Wire, answers: Answers) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking.ask("wait"), 0.05)
        answers.gate.set()
        assert await asking.ask("double", 4) == 8

    run(tmp_path, check)


def test_a_large_answer_leaves_no_file_behind(tmp_path: Path) -> None:
    async def check(asking: Wire, _: Answers) -> None:
        assert await asking.ask("large") == bytearray(handover.LARGE_BYTES)
        assert [file.name for file in tmp_path.iterdir()] == ["wire"]

    run(tmp_path, check)


def test_where_nobody_answers_there_is_no_wire(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(Wire.to(str(tmp_path / "wire")))


class Heard(wire._Messages):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[bytes] = []

    def received(self, message: bytes) -> None:
        self.messages.append(message)


@given(messages=st.lists(st.binary(max_size=40), max_size=5), cuts=st.lists(st.integers(0, 250), max_size=8))
def test_messages_arrive_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(len(one).to_bytes(wire.HEAD_BYTES, "little") + one for one in messages)
    heard, ends = Heard(), [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for begin, end in itertools.pairwise(ends):
        heard.data_received(stream[begin:end])
    assert heard.messages == messages
