"""The whole lab page in one browser, and its frames in ten protocol clients: updates, server CPU, latencies.

    python -m tests.bench.page            # about two minutes, on an otherwise idle machine

Prints what it saw against the targets and writes tests/bench/results/page.json.
"""

import asyncio
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import websockets
from playwright.sync_api import Page, sync_playwright

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


def slider_latency(page: Page) -> list[float]:
    """Seconds from releasing the learning-rate slider to a frame that reports the new value in force."""
    slider = page.get_by_role("slider", name="Learning rate")
    seconds = []
    for move in range(SLIDER_MOVES):
        count = page.locator(".bnviz-interventions tbody tr").count()
        begun = time.perf_counter()
        slider.press("ArrowLeft" if move % 2 else "ArrowRight")
        page.wait_for_function(
            "count => document.querySelectorAll('.bnviz-interventions tbody tr').length > count",
            arg=count,
            timeout=10_000,
        )
        seconds.append(time.perf_counter() - begun)
        page.wait_for_timeout(300)
    return seconds


def restart_latency(page: Page) -> list[float]:
    """Seconds from the click on New seed to the first drawn chart of the new networks."""
    seconds = []
    for _ in range(RESTARTS):
        page.wait_for_timeout(1500)
        generation = int(page.locator("[data-generation]").get_attribute("data-generation") or 0)
        begun = time.perf_counter()
        page.get_by_role("button", name="New seed").click()
        page.wait_for_function(
            "old => Number(document.querySelector('[data-generation]').dataset.generation) > old",
            arg=generation,
            timeout=10_000,
        )
        seconds.append(time.perf_counter() - begun)
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
        slider, restart = slider_latency(page), restart_latency(page)
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
