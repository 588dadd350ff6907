"""A visitor without a browser: speaks Streamlit's own protocol and the channel of frames, as a page does.

Timers (`run_every`) live in the browser, so a visitor keeps them itself.
"""

import asyncio
import json
import re
import secrets
import time
from contextlib import suppress
from types import TracebackType
from typing import Final
from urllib.parse import parse_qs

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

CHARTS: Final = ("accuracy", "loss", "drift-bands", "density", "drift-distance", "gradient-histogram")
"""What is in sight of the lab on a laptop, and a little more."""

PAGE_SECONDS: Final = 60.0  # for a page to be run by a server that has much to do
STEPS: Final = re.compile(rb'"step":(\d+),"drawn_step":(\d+)')
FULL: Final = 1013  # a close code: "try again later"


class FullError(Exception):
    """The server has taken in as many as it can, and says so."""


class Visitor:
    """One page in one tab, with a cookie of its own.

    Attributes:
        page: its name in the address; empty for the lab.
        script_seconds: from every rerun that was asked for to its end.
        timed_seconds: the same of reruns by a timer.
        is_dropped: whether the server has closed the page's socket.
    """

    def __init__(self, url: str, page: str = "") -> None:
        self._address, self.page = url.replace("http", "ws", 1), page
        self._cookie = f"bnviz_owner={secrets.token_urlsafe(24)}"
        self._query = ""
        self._buttons: dict[str, str] = {}
        self._finished = asyncio.Event()
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.script_seconds: list[float] = []
        self.timed_seconds: list[float] = []
        self.is_dropped = False

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in [*self._timers.values(), *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._timers.values(), *self._tasks, return_exceptions=True)
        if hasattr(self, "_socket"):
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._socket.close()

    @property
    def run_id(self) -> str:
        """Of the run that the page's address names; empty before there is one."""
        return parse_qs(self._query).get("run", [""])[0]

    async def open(self, query: str = "") -> None:
        """Open the page: the whole script runs once.

        Raises:
            FullError: the server takes nobody in any more.
        """
        self._query = query
        self._socket: ClientConnection = await websockets.connect(
            f"{self._address}/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            additional_headers={"Cookie": self._cookie},
            max_size=None,
            open_timeout=PAGE_SECONDS,
            ping_timeout=PAGE_SECONDS,
            compression=None,
        )
        self._tasks.add(asyncio.create_task(self._read()))
        await self.rerun()

    async def rerun(self, pressed: str = "") -> None:
        """Have the script run, with a button pressed or without, and wait for its end."""
        self._finished.clear()
        begun = time.perf_counter()
        with suppress(websockets.ConnectionClosed):
            await self._ask(pressed=pressed)
            async with asyncio.timeout(PAGE_SECONDS):
                await self._finished.wait()
        if self._socket.close_code == FULL:
            raise FullError
        self.script_seconds.append(time.perf_counter() - begun)

    async def start_run(self) -> str:
        """Press Play, and wait until the page's address names the run: its id."""
        await self.rerun("Play")
        async with asyncio.timeout(PAGE_SECONDS):
            while not self.run_id:
                await asyncio.sleep(0.1)
                await self.rerun()
        return self.run_id

    async def _ask(self, pressed: str = "", fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = self.page
        if pressed:
            widget = message.rerun_script.widget_states.widgets.add()
            widget.id, widget.trigger_value = self._buttons[pressed], True
        if fragment:
            message.rerun_script.fragment_id = fragment
            message.rerun_script.is_auto_rerun = True
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        """Take in what the server says, for as long as the page is open."""
        try:
            async for data in self._socket:
                self._hear(ForwardMsg.FromString(bytes(data)))  # type: ignore[arg-type]
        except websockets.ConnectionClosed:
            pass
        self.is_dropped = True
        self._finished.set()

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.new_element.WhichOneof("type") == "button":
            button = message.delta.new_element.button
            self._buttons[button.label] = button.id
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            timer = message.auto_rerun
            self._start_timer(timer.fragment_id, timer.interval)
        elif kind == "script_finished":
            self._finished.set()

    def _start_timer(self, fragment: str, interval: float) -> None:
        if fragment in self._timers:
            self._timers[fragment].cancel()
        self._timers[fragment] = asyncio.create_task(self._keep_timer(fragment, interval))

    async def _keep_timer(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            self._finished.clear()
            begun = time.perf_counter()
            await self._ask(fragment=fragment)
            with suppress(TimeoutError):
                async with asyncio.timeout(PAGE_SECONDS):
                    await self._finished.wait()
                self.timed_seconds.append(time.perf_counter() - begun)


class Frames:
    """The channel of frames of one page.

    Attributes:
        waits: seconds from asking for a frame to having it.
        late: frames that were not there when the next would have been asked for.
        bytes: of all frames that count.
        step: of the newest frame.
        points: how often there was a newer measurement.
        is_dropped: whether the server has closed the channel.
    """

    def __init__(self, url: str, run_id: str, charts: tuple[str, ...] = CHARTS) -> None:
        self._address = f"{url.replace('http', 'ws', 1)}/bnviz/frames?run={run_id}"
        self._charts = charts
        self.waits: list[float] = []
        self.late = 0
        self.bytes = 0
        self.step = self.points = 0
        self._drawn = -1
        self.is_dropped = False

    async def watch(self, period: float, until: float, counts_from: float = 0.0) -> None:
        """Ask for a frame every `period` seconds until a time (`time.monotonic`); waits count from another on."""
        async with self._connected() as socket:
            await socket.send(json.dumps({"view": {}, "charts": self._charts, "visible": True}))
            try:
                await self._ask_again(socket, period, until, counts_from)
            except websockets.ConnectionClosed:
                self.is_dropped = True

    def _connected(self) -> websockets.connect:
        return websockets.connect(self._address, max_size=None, open_timeout=PAGE_SECONDS, compression=None)

    async def _ask_again(self, socket: ClientConnection, period: float, until: float, counts_from: float) -> None:
        beat, frames = time.monotonic(), 0
        while beat < until:
            await asyncio.sleep(beat - time.monotonic())
            asked = time.monotonic()
            await socket.send(json.dumps({"next": frames}))
            frame = await asyncio.wait_for(socket.recv(), 60)
            now, frames = time.monotonic(), frames + 1
            self._note(bytes(frame), now - asked, period, asked >= counts_from)  # type: ignore[arg-type]
            beat = max(beat + period, now)

    def _note(self, frame: bytes, wait: float, period: float, does_count: bool) -> None:
        self.step, drawn = _steps_of(frame)
        self.points += does_count and drawn != self._drawn
        self._drawn = drawn
        if does_count:
            self.bytes += len(frame)
            self.waits.append(wait)
            self.late += wait > period

    async def idle(self, until: float) -> None:
        """Ask for a frame whenever there is a new one, and otherwise keep quiet."""
        async with self._connected() as socket:
            await socket.send(json.dumps({"charts": self._charts, "visible": True, "next": 0}))
            frames = 0
            try:
                while (left := until - time.monotonic()) > 0:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(socket.recv(), left)
                        frames += 1
                        await socket.send(json.dumps({"next": frames}))
            except websockets.ConnectionClosed:
                self.is_dropped = True


def _steps_of(frame: bytes) -> tuple[int, int]:
    """How far the run is, and its newest measured step; the rest is not read: many clients fit into one process."""
    found = STEPS.search(frame, 8, 400)
    return (int(found[1]), int(found[2])) if found else (0, 0)
