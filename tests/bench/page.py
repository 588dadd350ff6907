"""The whole lab page in one browser, and its frames in ten protocol clients: updates, server CPU, latencies.

    python -m tests.bench.page            # about two minutes, on an otherwise idle machine

Prints what it saw against the targets and writes tests/bench/results/page.json.
"""

import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import websockets
from playwright.sync_api import Page, sync_playwright

from bnviz.live.frames import decode
from tests.app_server import AppServer, running_app
from tests.chromium import launch

RESULTS = Path(__file__).resolve().parent / "results" / "page.json"
WATCH_SECONDS = 20.0
SLIDER_MOVES = 30
RESTARTS = 10

# Counts drawn frames, and frames in which a chart in view has no trace, at every animation frame of the page.
WATCHER = """() => {
  const root = document.querySelector('[data-run-step]');
  window.bench = {updates: 0, empty: 0, checks: 0, last: root.dataset.runStep};
  const check = () => {
    const step = root.dataset.runStep;
    if (step !== window.bench.last) { window.bench.updates += 1; window.bench.last = step; }
    for (const card of document.querySelectorAll('[data-chart]')) {
      const box = card.getBoundingClientRect();
      if (box.bottom < 0 || box.top > innerHeight) continue;
      window.bench.checks += 1;
      if (!card.querySelector('.main-svg')) window.bench.empty += 1;
    }
    requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
}"""

# Keeps when the visitor's last input came, by the browser's own stamp: what Playwright does before it does not count.
STAMPS = """() => {
  const keep = (event) => { window.benchInputAt = performance.timeOrigin + event.timeStamp; };
  for (const kind of ['keydown', 'click']) document.addEventListener(kind, keep, true);
}"""


def run_step(page: Page) -> int:
    return int(page.locator("[data-run-step]").get_attribute("data-run-step") or 0)


def wait_for_own_run(page: Page) -> str:
    """The id of the visitor's run, once its first steps are drawn."""
    page.wait_for_url("**run=*", timeout=20_000)
    page.wait_for_function(
        "() => document.querySelector('[data-run-id]')?.dataset.runId === new URL(location).searchParams.get('run')"
        " && Number(document.querySelector('[data-run-step]').dataset.runStep) > 0",
        timeout=20_000,
    )
    return page.url.split("run=")[1].split("&")[0]


def cold_start() -> float:
    """Seconds from the command to the first live chart of the visitor's own run."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        begun = time.perf_counter()
        with running_app(Path(home)) as server:
            page.goto(server.url)
            page.get_by_role("button", name="Play").click()
            wait_for_own_run(page)
            seconds = time.perf_counter() - begun
            browser.close()
        return seconds


def watch(page: Page, server: AppServer) -> dict[str, Any]:
    """Updates a second, empty charts and server CPU a frame, while the run plays at full speed."""
    process = psutil.Process(server.process.pid)
    page.evaluate(WATCHER)
    begun, before = time.perf_counter(), process.cpu_times()
    page.wait_for_timeout(WATCH_SECONDS * 1000)
    seen, after, seconds = page.evaluate("() => window.bench"), process.cpu_times(), time.perf_counter() - begun
    cpu = after.user + after.system - before.user - before.system
    return {
        "updates_per_second": seen["updates"] / seconds,
        "empty_charts": seen["empty"],
        "chart_checks": seen["checks"],
        "server_cpu_ms_per_frame": 1000 * cpu / max(seen["updates"], 1),
    }


def zoom_survives(page: Page) -> bool:
    """Whether a zoomed axis keeps its range through two seconds of updates."""
    page.evaluate(
        "() => Plotly.relayout("
        " document.querySelector('[data-chart=accuracy] .js-plotly-plot'), {'yaxis.range': [50, 80]})"
    )
    page.wait_for_timeout(2000)
    kept = page.evaluate(
        "() => document.querySelector('[data-chart=accuracy] .js-plotly-plot').layout.yaxis.range.map(Number)"
    )
    page.evaluate(
        "() => Plotly.relayout("
        " document.querySelector('[data-chart=accuracy] .js-plotly-plot'), {'yaxis.autorange': true})"
    )
    return kept == [50, 80]


async def _client(url: str, run_id: str, seconds: float) -> int:
    """One protocol client: asks for every frame, decodes nothing, counts."""
    address = f"{url.replace('http', 'ws')}/bnviz/frames?run={run_id}"
    frames, end = 0, time.monotonic() + seconds
    async with websockets.connect(address, max_size=None) as socket:
        while time.monotonic() < end:
            await socket.send(json.dumps({"next": frames}))
            try:
                await asyncio.wait_for(socket.recv(), timeout=end - time.monotonic() + 0.5)
            except TimeoutError:
                break
            frames += 1
    return frames


def clients(server: AppServer, run_id: str, count: int, seconds: float = 10.0) -> dict[str, float]:
    """Server CPU, in share of one core, while `count` clients watch the same run."""

    async def together() -> list[int]:
        return await asyncio.gather(*(_client(server.url, run_id, seconds) for _ in range(count)))

    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    with ThreadPoolExecutor(1) as executor:  # Playwright keeps an event loop of its own in this thread
        frames = executor.submit(lambda: asyncio.run(together())).result()
    after = process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return {"cpu_share": cpu / seconds, "frames_per_client_second": statistics.mean(frames) / seconds}


class Listener:
    """A protocol client beside the browser: when the run's frames first say something, to the moment.

    It asks for one chart, so what it hears is what the server has told, not what a browser has drawn.
    """

    def __init__(self, url: str, run_id: str) -> None:
        self._address = f"{url.replace('http', 'ws')}/bnviz/frames?run={run_id}"
        self._heard: list[tuple[float, dict[str, Any], bool]] = []
        self._is_over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join(10)

    async def _listen(self) -> None:
        async with websockets.connect(self._address, max_size=None) as socket:
            await socket.send(json.dumps({"charts": ["accuracy"]}))
            while not self._is_over:
                await socket.send(json.dumps({"next": len(self._heard)}))
                try:
                    header, charts = decode(await asyncio.wait_for(socket.recv(), 1.0))
                except TimeoutError:
                    continue
                has_lines = any(len(line.get("x", ())) for one in charts.values() for line in one["data"])
                self._heard.append((time.perf_counter(), header, has_lines))

    @property
    def newest(self) -> dict[str, Any]:
        while not self._heard:
            time.sleep(0.01)
        return self._heard[-1][1]

    def seconds_until(self, begun: float, claim: Callable[[dict[str, Any], bool], bool]) -> float:
        """From `begun` to the first frame since of which the claim holds."""
        end = time.perf_counter() + 10
        while time.perf_counter() < end:
            for at, header, has_lines in reversed(self._heard):
                if at < begun:
                    break
                if claim(header, has_lines):
                    return next(t for t, h, lines in self._heard if t >= begun and claim(h, lines)) - begun
            time.sleep(0.005)
        raise TimeoutError


def input_at(page: Page) -> float:
    """When the last key or click came, as `time.perf_counter` tells it."""
    stamp: float = page.evaluate("() => window.benchInputAt")
    return stamp / 1000 - (time.time() - time.perf_counter())


def slider_latency(page: Page, listener: Listener) -> list[float]:
    """Seconds from a key on the learning-rate slider to a frame that reports the new value in force."""
    slider = page.get_by_role("slider", name="Learning rate").first
    seconds = []
    for move in range(SLIDER_MOVES):
        count = len(listener.newest["interventions"])
        slider.press("ArrowLeft" if move % 2 else "ArrowRight")
        begun = input_at(page)
        seconds.append(listener.seconds_until(begun, lambda header, _, n=count: len(header["interventions"]) > n))
        page.wait_for_timeout(500)
    return seconds


def restart_latency(page: Page, listener: Listener) -> list[float]:
    """Seconds from the click on New seed to a frame with the new networks' first chart."""
    seconds = []
    for _ in range(RESTARTS):
        page.wait_for_timeout(1500)
        generation = listener.newest["generation"]
        button = page.get_by_role("button", name="New seed").first
        button.click()
        begun = input_at(page)
        seconds.append(
            listener.seconds_until(begun, lambda header, lines, g=generation: header["generation"] > g and lines)
        )
    return seconds


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def main() -> None:
    results: dict[str, Any] = {"command_to_first_live_chart_s": cold_start()}
    with tempfile.TemporaryDirectory() as home, running_app(Path(home)) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(server.url)
        page.get_by_role("button", name="Play").click()
        run_id = wait_for_own_run(page)
        page.wait_for_timeout(3000)
        results |= watch(page, server)
        results["zoom_kept"] = zoom_survives(page)
        page.evaluate(STAMPS)
        with Listener(server.url, run_id) as listener:
            slider, restart = slider_latency(page, listener), restart_latency(page, listener)
        results |= {"slider_p50_s": statistics.median(slider), "slider_p95_s": p95(slider)}
        results |= {"restart_p50_s": statistics.median(restart), "restart_max_s": max(restart)}
        browser.close()
        one, ten = clients(server, run_id, 1), clients(server, run_id, 10)
        results |= {"one_client": one, "ten_clients": ten, "ten_to_one_cpu": ten["cpu_share"] / one["cpu_share"]}
    targets = {
        "command_to_first_live_chart_s": "<= 8",
        "updates_per_second": ">= 4",
        "empty_charts": "== 0",
        "server_cpu_ms_per_frame": "<= 5",
        "zoom_kept": "True",
        "slider_p95_s": "<= 0.3",
        "restart_max_s": "<= 0.5",
        "ten_to_one_cpu": "<= 2",
    }
    for name, value in results.items():
        shown = f"{value:.3g}" if isinstance(value, float) else value
        print(f"{name:32} {shown!s:>12}   {targets.get(name, '')}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
