"""Many visitors at once, on one machine: frames in time, training shared fairly, a full server that says so.

    python -m tests.bench.load [runs | watchers | idle | flood ...]    # all four: about 15 minutes, on an idle machine

    runs      30 visitors with a run each at 2 frames a second, and three browsers with a run each
    watchers  300 pages that watch one run, 30 pages with timers, and three browsers
    idle      300 pages that nobody touches, for ten minutes
    flood     1,000 visitors within a few seconds

Everything is on this machine's loopback: server, workers, browsers and clients share its cores. Prints what it saw
against the targets and writes tests/bench/results/load.json.
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
import websockets
from playwright.sync_api import Page, sync_playwright

from tests.app_server import AppServer, running_app
from tests.bench.page import p95
from tests.bench.visitor import Frames, FullError, Visitor
from tests.chromium import launch

T = TypeVar("T")

RESULTS: Final = Path(__file__).resolve().parent / "results" / "load.json"
WARM_SECONDS: Final = 10.0  # of the server, before anybody comes
SETTLE_SECONDS: Final = 30.0  # of the runs: the first steps are measured one by one, and the first contours drawn
MEASURE_SECONDS: Final = 60.0
RUNS, WATCHERS, IDLE, FLOOD, BROWSERS = 30, 300, 300, 1000, 3
TIMED: Final = 30  # pages with timers, beside the watchers
IDLE_SECONDS: Final = 600.0
FLOOD_SECONDS: Final = 20.0

TARGETS: Final = {
    "runs_frame_p95_s": "<= 0.25",
    "runs_late_share": "< 0.01",
    "runs_slowest_to_median": ">= 0.5",
    "watchers_frame_p95_s": "<= 1",
    "idle_dropped": "== 0",
    "idle_server_mb_each": "<= 0.5",
    "flood_health_max_s": "<= 1",
    "flood_untold": "== 0",
}

# Counts drawn steps of the live charts, and the longest time between two of them.
CANARY: Final = """() => {
  const root = document.querySelector('[data-run-step]');
  window.bench = {updates: 0, longest: 0, at: performance.now(), step: root.dataset.runStep};
  new MutationObserver(() => {
    const {bench} = window, now = performance.now();
    if (root.dataset.runStep === bench.step) return;
    bench.updates += 1;
    bench.longest = Math.max(bench.longest, now - bench.at);
    bench.at = now;
    bench.step = root.dataset.runStep;
  }).observe(root, {attributes: true, attributeFilter: ['data-run-step']});
}"""


# --- browsers ---------------------------------------------------------------------------------------------------------


class Browsers:
    """Pages of the lab in a real browser, each of a visitor of its own, on a thread of their own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._pages: list[Page] = []

    async def _there(self, act: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(act, *given))

    async def open(self, url: str, count: int, query: str) -> None:
        """They play a run of their own unless the query names one to watch."""
        await self._there(self._open, url, count, query)

    async def watch(self, seconds: float) -> dict[str, float]:
        """What they see of their runs meanwhile: the one that sees least."""
        return await self._there(self._watch, seconds)

    async def close(self) -> None:
        await self._there(self._close)
        self._thread.shutdown()

    def _open(self, url: str, count: int, query: str) -> None:
        self._playwright = sync_playwright().start()
        self._browser = launch(self._playwright)
        for _ in range(count):
            page = self._browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{url}/?{query}")
            if not query:
                page.get_by_role("button", name="Play").first.click()
                page.wait_for_url("**run=*")
            page.wait_for_selector("[data-run-step]")
            self._pages.append(page)

    def _watch(self, seconds: float) -> dict[str, float]:
        for page in self._pages:
            page.evaluate(CANARY)
        time.sleep(seconds)
        seen = [page.evaluate("() => window.bench") for page in self._pages]
        return {
            "browser_updates_per_second": min(one["updates"] for one in seen) / seconds,
            "browser_longest_pause_s": max(one["longest"] for one in seen) / 1000,
        }

    def _close(self) -> None:
        self._browser.close()
        self._playwright.stop()


@asynccontextmanager
async def browsers(url: str, count: int, query: str = "") -> AsyncIterator[Browsers]:
    pages = Browsers()
    try:
        await pages.open(url, count, query)
        yield pages
    finally:
        await pages.close()


# --- scenarios --------------------------------------------------------------------------------------------------------


async def runs(server: AppServer) -> dict[str, Any]:
    """Everybody has a run of their own: 30 clients at 2 frames a second, and the browsers."""
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(server.url)) for _ in range(RUNS)]
        for visitor in visitors:
            await visitor.open()
        begun = time.monotonic()
        run_ids = await asyncio.gather(*(visitor.start_run() for visitor in visitors))
        all_started = time.monotonic() - begun
        pages = await stack.enter_async_context(browsers(server.url, BROWSERS))
        channels = [Frames(server.url, run_id) for run_id in run_ids]
        seen, steps, canaries = await _observed(server, channels, 0.5, pages)
    median = statistics.median(steps)
    return {
        "runs_frame_p50_s": statistics.median(seen),
        "runs_frame_p95_s": p95(seen),
        "runs_late_share": sum(one.late for one in channels) / len(seen),
        "runs_frames_per_second": len(seen) / RUNS / MEASURE_SECONDS,
        "runs_points_per_second": sum(one.points for one in channels) / RUNS / MEASURE_SECONDS,
        "runs_median_steps_per_second": median / MEASURE_SECONDS,
        "runs_slowest_to_median": min(steps) / median,
        "runs_all_started_s": all_started,
        "runs_script_p95_s": p95([one for visitor in visitors for one in visitor.script_seconds]),
    } | {f"runs_{name}": value for name, value in canaries.items()}


async def watchers(server: AppServer) -> dict[str, Any]:
    """Everybody watches one run, as a class does: 300 pages and the browsers, beside pages with timers."""
    async with AsyncExitStack() as stack:
        teacher = await stack.enter_async_context(Visitor(server.url))
        await teacher.open()
        query = f"run={await teacher.start_run()}"
        students = [await stack.enter_async_context(Visitor(server.url)) for _ in range(WATCHERS)]
        await _in_turn(students, lambda one: one.open(query))
        others = [await stack.enter_async_context(Visitor(server.url, "runs")) for _ in range(TIMED)]
        await _in_turn(others, lambda one: one.open())
        pages = await stack.enter_async_context(browsers(server.url, BROWSERS, query))
        channels = [Frames(server.url, teacher.run_id) for _ in students]
        seen, steps, canaries = await _observed(server, channels, 0.25, pages)
        timed = [seconds for other in others for seconds in other.timed_seconds]
    return {
        "watchers_frame_p50_s": statistics.median(seen),
        "watchers_frame_p95_s": p95(seen),
        "watchers_frames_per_second": len(seen) / WATCHERS / MEASURE_SECONDS,
        "watchers_megabytes_per_second": sum(one.bytes for one in channels) / 1e6 / MEASURE_SECONDS,
        "watchers_steps_per_second": max(steps) / MEASURE_SECONDS,
        "watchers_script_p95_s": p95([one for student in students for one in student.script_seconds]),
        "watchers_timers": len(timed),
        "watchers_timer_p95_s": p95(timed),
        "watchers_dropped": sum(one.is_dropped for one in [*students, *others, *channels]),
    } | {f"watchers_{name}": value for name, value in canaries.items()}


async def _observed(
    server: AppServer, channels: Sequence[Frames], period: float, pages: Browsers
) -> tuple[list[float], list[int], dict[str, float]]:
    """The waits of all channels, the steps of their runs meanwhile, and what the browsers and the processor say."""
    begun = time.monotonic()
    measured_from, until = begun + SETTLE_SECONDS, begun + SETTLE_SECONDS + MEASURE_SECONDS
    watching = [asyncio.create_task(one.watch(period, until, measured_from)) for one in channels]
    await asyncio.sleep(measured_from - time.monotonic())
    before, process = [one.step for one in channels], psutil.Process(server.process.pid)
    cpu = sum(process.cpu_times()[:2])
    canaries = await pages.watch(MEASURE_SECONDS - 1)
    steps = [one.step - earlier for one, earlier in zip(channels, before, strict=True)]
    canaries["server_cpu_share"] = (sum(process.cpu_times()[:2]) - cpu) / (MEASURE_SECONDS - 1)
    await asyncio.gather(*watching)
    return [wait for one in channels for wait in one.waits], steps, canaries


async def idle(server: AppServer) -> dict[str, Any]:
    """Pages that nobody touches: each has its two sockets and costs memory, and must still be there in the end."""
    process = psutil.Process(server.process.pid)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Visitor(server.url))
        await first.open()  # what the first page of all brings into memory stays there
        before = process.memory_info().rss
        visitors = [await stack.enter_async_context(Visitor(server.url)) for _ in range(IDLE)]
        await _in_turn(visitors, lambda one: one.open())
        until = time.monotonic() + IDLE_SECONDS
        channels = [Frames(server.url, "recorded-lab") for _ in visitors]
        idling = [asyncio.create_task(one.idle(until)) for one in channels]
        await asyncio.sleep(IDLE_SECONDS / 2)
        at_half = process.memory_info().rss
        await asyncio.gather(*idling)
        at_end = process.memory_info().rss
        await _in_turn(visitors, lambda one: one.rerun())
        dropped = sum(one.is_dropped for one in [*visitors, *channels])
    return {
        "idle_dropped": dropped,
        "idle_server_mb_each": (at_end - before) / 1e6 / IDLE,
        "idle_server_mb_each_at_half": (at_half - before) / 1e6 / IDLE,
        "idle_server_mb": at_end / 1e6,
    }


async def flood(server: AppServer) -> dict[str, Any]:
    """1,000 visitors within a few seconds: those who find room get their page, the others hear that there is none."""
    ends: list[str] = []

    async def visit(stack: AsyncExitStack) -> None:
        visitor = await stack.enter_async_context(Visitor(server.url))
        try:
            await visitor.open()
            ends.append("served")
        except FullError:
            ends.append("full")
        except (TimeoutError, OSError, websockets.WebSocketException) as error:
            ends.append(type(error).__name__)

    async with AsyncExitStack() as stack:
        health = stack.enter_context(asking_for_health(server.url))
        await asyncio.sleep(3)  # the process that asks has started
        visits = []
        for _ in range(FLOOD):
            visits.append(asyncio.create_task(visit(stack)))
            await asyncio.sleep(FLOOD_SECONDS / 10 / FLOOD)
        await asyncio.gather(*visits)
        status = await asyncio.to_thread(_ask, f"{server.url}/")
    served, full = ends.count("served"), ends.count("full")
    return {
        "flood_served": served,
        "flood_told_full": full,
        "flood_untold": FLOOD - served - full,
        "flood_other_ends": sorted(set(ends) - {"served", "full"}),
        "flood_page_status_when_full": status,
        "flood_health_p95_s": p95(health),
        "flood_health_max_s": max(health),
    }


@contextmanager
def asking_for_health(url: str) -> Iterator[list[float]]:
    """Ask for the server's health five times a second, on connections of their own and in a process of its own.

    The seconds that each answer took are in the list when the context ends.
    """
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    asking = context.Process(target=_ask_for_health, args=(url, stop, told), daemon=True)
    asking.start()
    seconds: list[float] = []
    try:
        yield seconds
    finally:
        stop.set()
        seconds += told.get(timeout=120)
        asking.join(10)


def _ask_for_health(url: str, stop: Event, told: "Queue[list[float]]") -> None:
    seconds = []
    while not stop.is_set():
        begun = time.perf_counter()
        _ask(f"{url}/_stcore/health")
        seconds.append(time.perf_counter() - begun)
        time.sleep(0.2)
    told.put(seconds)


def _ask(address: str) -> int:
    request = urllib.request.Request(address, headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def _in_turn(visitors: Sequence[Visitor], act: Callable[[Visitor], Awaitable[None]], at_once: int = 8) -> None:
    """Have all of them do something, a few at one time."""
    turn = asyncio.Semaphore(at_once)

    async def one(visitor: Visitor) -> None:
        async with turn:
            await act(visitor)

    await asyncio.gather(*(one(visitor) for visitor in visitors))


SCENARIOS: Final = {"runs": runs, "watchers": watchers, "idle": idle, "flood": flood}


def main() -> None:
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[1:] or SCENARIOS:
        with tempfile.TemporaryDirectory() as home, running_app(Path(home)) as server:
            time.sleep(WARM_SECONDS)
            found = asyncio.run(SCENARIOS[name](server))
        for key, value in found.items():
            shown = f"{value:.3g}" if isinstance(value, float) else value
            print(f"{key:36} {shown!s:>12}   {TARGETS.get(key, '')}", flush=True)
        results |= found
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
