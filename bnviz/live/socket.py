"""The WebSocket route: sends a browser the charts of one run, each frame only when it asks for it.

Browser to server, JSON text, any of these keys in one message:
    {"next": n}         it has drawn frame n and wants the next one
    {"view": {...}}     what it looks at, the fields of `config.View`
    {"charts": [...]}   the charts that it wants from now on: a page leaves out those that are out of sight
    {"visible": false}  its tab is hidden: no frames until true
Server to browser: frames (`live.frames`), holding only the charts that changed since what this browser holds.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from streamlit.web.server.server_util import is_url_from_allowed_origins

from bnviz.config import View
from bnviz.errors import BnvizError
from bnviz.live.charts import PackedCharts
from bnviz.live.frames import PackedChart, join
from bnviz.live.header import Sentence, header_of
from bnviz.live.pace import Pace, Strain
from bnviz.records import Run

logger = logging.getLogger(__name__)

WAIT_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 0.003  # of building charts before others get their turn
MOST_MESSAGE_CHARACTERS: Final = 4096
MOST_BUILT: Final = 32  # frames of different runs, versions and views that are kept for whoever else asks
MOST_WATCHERS: Final = 1000  # browsers at one time, of all runs together

# Close codes of our own (4000 to 4999); the reason is written for the visitor.
CLOSE_BAD_MESSAGE: Final = 4400
CLOSE_UNKNOWN_RUN: Final = 4404
CLOSE_FULL: Final = 4503


class Hub(Protocol):
    """What the socket needs of `bnviz.runs.hub.Hub`."""

    def get(self, run_id: str) -> Run: ...
    def version(self, run_id: str) -> int: ...
    def watching(
        self,
        run_id: str,
        wake: Callable[[], None],
        charts: Callable[[], Collection[str]],
        next_at: Callable[[float], float],
    ) -> AbstractContextManager[Any]: ...


class BadMessageError(Exception):
    """A message that no page of ours sends."""


@dataclass
class Watcher:
    """What one browser wants and holds."""

    charts: tuple[str, ...]
    pace: Pace = field(default_factory=Pace)
    view: View = field(default_factory=View)
    is_visible: bool = True
    is_asking: bool = False
    ready_at: float = float("inf")  # when the run first had something new since it was asked for
    stir: asyncio.Event = field(default_factory=asyncio.Event)  # something has been heard, or is new
    is_view_new: bool = True  # there is another view or another chart to show since the last frame
    is_in_haste: bool = True  # and the visitor waits for it: a chart that it holds can be brought up to date later
    version: int = -1  # of the run, that it was sent last
    failed: frozenset[str] = frozenset()
    held: dict[str, PackedChart] = field(default_factory=dict)  # the newest of every chart that it was sent
    asked: set[str] = field(default_factory=set)  # every chart that its page has, as far as it has been in sight

    def hear(self, text: str, offered: Sequence[str]) -> None:
        """Take in one message of the browser."""
        message = _parsed(text)
        if "view" in message:
            self.view = view_of(message["view"], self.view)
            self.is_view_new = self.is_in_haste = True
        if "charts" in message:
            names = message["charts"]
            if not isinstance(names, list):
                raise BadMessageError("charts is not a list")
            before, self.charts = self.charts, tuple(name for name in offered if name in names)
            self.asked.update(self.charts)
            self.is_view_new |= not set(self.charts) <= set(before)
            self.is_in_haste |= not set(self.charts) <= set(self.held)
        if "visible" in message:
            self.is_visible = message["visible"] is True
        if "next" in message:
            self.is_asking, self.ready_at = True, float("inf")

    @property
    def is_due(self) -> bool:
        return self.is_asking and self.is_visible

    def lacks(self, version: int) -> bool:
        """Whether it is due a frame of this version of the run."""
        return self.is_due and (version != self.version or self.is_view_new)

    def held_of(self, charts: Mapping[str, PackedChart]) -> frozenset[str]:
        """Which of these charts the browser holds as they are; from now on it holds all of them."""
        held = frozenset(name for name, chart in charts.items() if self.held.get(name) == chart)
        self.held |= charts
        return held


def view_of(values: Any, before: View) -> View:
    """The view that a message asks for; a field it leaves out stays as it was.

    Raises:
        BadMessageError: a value of the wrong type. A layer or unit that the model lacks is no error: `View.within`.
    """
    if not isinstance(values, dict):
        raise BadMessageError("view is not an object")
    given = (one for one in fields(View) if one.name in values)
    changes = {one.name: _checked(one.name, values[one.name], type(one.default)) for one in given}
    return replace(before, **changes)


def _checked(name: str, value: Any, kind: type[Any]) -> Any:
    """The value of one field of a view, in its own type."""
    if issubclass(kind, StrEnum):
        if value not in tuple(kind):
            raise BadMessageError(f"{name} is not offered")
        return kind(value)
    if kind is float and type(value) is int:  # JSON has one kind of number
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        what = {bool: "neither true nor false", float: "not a number"}.get(kind, "not a whole number")
        raise BadMessageError(f"{name} is {what}")
    return value


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MOST_MESSAGE_CHARACTERS:
        raise BadMessageError("the message is too long")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessageError("the message is not JSON") from None
    if not isinstance(message, dict):
        raise BadMessageError("the message is not an object")
    return message


def is_origin_allowed(origin: str | None, host: str | None) -> bool:
    """Whether a page of this origin may watch: our own, or one that Streamlit's server.corsAllowedOrigins names.

    A client that is no browser sends no Origin header; a browser always does, and a foreign page cannot forge it.
    """
    if origin is None:
        return True
    if host and urlsplit(origin).netloc == host:
        return True
    return bool(is_url_from_allowed_origins(origin))


Accompany = Callable[[Run, Collection[str]], Run]
"""Puts beside a run what is recorded of it, where one of these charts shows that."""


def _alone(run: Run, charts: Collection[str]) -> Run:
    return run


class FrameSocket:
    """The endpoint of the WebSocket route."""

    def __init__(
        self, hub: Callable[[], Hub], charts: PackedCharts, sentence: Sentence, accompany: Accompany = _alone
    ) -> None:
        self._hub, self._charts, self._sentence, self._accompany = hub, charts, sentence, accompany
        self._strain = Strain()
        self._count = 0  # browsers that watch
        self._built: dict[tuple[Any, ...], Built] = {}  # the newest ones, the oldest first

    async def watch(self, socket: WebSocket) -> None:
        """One browser, from its handshake to its end."""
        if not is_origin_allowed(socket.headers.get("origin"), socket.headers.get("host")):
            await socket.close()  # before accept: the handshake ends in 403
            return
        await socket.accept()
        if self._count >= MOST_WATCHERS:
            await _close(
                socket,
                CLOSE_FULL,
                f"The server is full: {MOST_WATCHERS} pages watch runs. Reload this one in a minute.",
            )
            return
        run_id = socket.query_params.get("run", "")
        self._count += 1
        with suppress(WebSocketDisconnect):
            try:
                hub = self._hub()
                await asyncio.to_thread(hub.get, run_id)  # a sleeping run is read from disk
                watcher = Watcher(self._charts.names, Pace(strain=self._strain))
                wake = partial(_wake, asyncio.get_running_loop(), watcher)
                with hub.watching(run_id, wake, lambda: watcher.charts, watcher.pace.next_at):
                    await self._converse(socket, hub, run_id, watcher)
            except BadMessageError as error:
                await _close(socket, CLOSE_BAD_MESSAGE, str(error))
            except BnvizError as error:
                await _close(socket, CLOSE_UNKNOWN_RUN, error.text)
            finally:
                self._count -= 1

    async def _converse(self, socket: WebSocket, hub: Hub, run_id: str, watcher: Watcher) -> None:
        """Listen and send side by side until either ends."""
        tasks = {
            asyncio.create_task(self._listen(socket, hub, run_id, watcher)),
            asyncio.create_task(self._send(socket, hub, run_id, watcher)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _listen(self, socket: WebSocket, hub: Hub, run_id: str, watcher: Watcher) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))
            text = message.get("text")
            if text is None:
                raise BadMessageError("the message is not text")
            watcher.hear(text, self._charts.names)
            if watcher.lacks(hub.version(run_id)):  # else whatever is new will stir it
                watcher.stir.set()

    async def _send(self, socket: WebSocket, hub: Hub, run_id: str, watcher: Watcher) -> None:
        """The next frame whenever the browser asks for one and something changed, at a calm pace."""
        pace = watcher.pace
        while True:
            watcher.stir.clear()
            # The version before the run: a frame may be newer than it says, never older.
            version, rest = hub.version(run_id), WAIT_SECONDS
            if watcher.lacks(version):
                run, is_in_haste = hub.get(run_id), watcher.is_in_haste
                rest = pace.rest(run, is_in_haste)
                if rest <= 0:
                    frame = await self._frame(run, version, watcher)
                    late = min(-pace.rest(run, is_in_haste), monotonic() - watcher.ready_at)
                    if pace.is_calm:
                        self._strain.note(late)
                    await socket.send_bytes(frame)
                    pace.sent(run)
                    watcher.version = version
                    continue
            # What a command brings meanwhile shortens the rest, and so does another view.
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await watcher.stir.wait()

    async def _frame(self, run: Run, version: int, watcher: Watcher) -> bytes:
        """A frame of all that this browser does not hold."""
        watcher.is_asking = watcher.is_view_new = watcher.is_in_haste = False
        view = watcher.view.within(run.settings.model)
        shown = self._accompany(run, watcher.asked)
        key = (run.run_id, version, view, watcher.charts, shown is run)
        built = self._built.get(key)
        if built is None or built.run is not run:
            built = self._built[key] = await self._build(run, shown, version, view, watcher)
            if len(self._built) > MOST_BUILT:
                del self._built[next(iter(self._built))]
        watcher.failed = built.failed
        return built.without(watcher.held_of(built.charts))

    async def _build(self, run: Run, shown: Run, version: int, view: View, watcher: Watcher) -> "Built":
        """Header and charts of a run as it stands, as it is shown; the event loop breathes between charts."""
        charts, failed, begun = {}, [], monotonic()
        for name in watcher.charts:
            if monotonic() - begun > LONGEST_SECONDS:
                await asyncio.sleep(0)
                begun = monotonic()
            try:
                charts[name] = self._charts.get(shown, version, name, view)
            except Exception:  # one chart that cannot be drawn must not take the others with it
                if name not in watcher.failed:
                    logger.exception("The chart %s of run %s could not be built.", name, run.run_id)
                failed.append(name)
        header = header_of(shown, version, view, self._sentence) | {"failed": failed}
        return Built(run, header, charts, frozenset(failed))


@dataclass
class Built:
    """What all who look at the same of a run are sent: a class costs the server little more than one."""

    run: Run
    header: dict[str, Any]
    charts: dict[str, PackedChart]
    failed: frozenset[str]
    _frames: dict[frozenset[str], bytes] = field(default_factory=dict)

    def without(self, held: frozenset[str]) -> bytes:
        """The frame for a browser that holds these charts already."""
        frame = self._frames.get(held)
        if frame is None:
            missing = {name: chart for name, chart in self.charts.items() if name not in held}
            frame = self._frames[held] = join(self.header, missing)
        return frame


def _wake(loop: asyncio.AbstractEventLoop, watcher: Watcher) -> None:
    """There is something new, says the thread that brings it."""
    if watcher.is_due:
        watcher.ready_at = min(watcher.ready_at, monotonic())
        loop.call_soon_threadsafe(watcher.stir.set)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Close with a reason of at most 123 bytes, as the protocol has it."""
    if socket.client_state is WebSocketState.CONNECTED:
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
