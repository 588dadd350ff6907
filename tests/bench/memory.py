"""A long run in the page: memory of worker, server and browser, and whether the early steps are still in the charts.

    python -m tests.bench.memory [--steps 200000]      # minutes, on an otherwise idle machine

Prints a line every so often and the growth after the first tenth; writes tests/bench/results/memory.json.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from tests.app_server import AppServer, running_app
from tests.chromium import launch

RESULTS = Path(__file__).resolve().parent / "results" / "memory.json"
EVERY_SECONDS = 10.0
FIRST_STEPS = """() => {
  const lines = document.querySelector('[data-chart=accuracy] .js-plotly-plot').data;
  return Math.max(...lines.map(line => [...(line.x ?? [])].filter(step => step <= 20).length));
}"""


def megabytes(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 1e6


def reading(server: AppServer, page: Page) -> dict[str, float]:
    """Resident memory by kind of process, and the newest drawn step."""
    top = psutil.Process(server.process.pid)
    children = top.children(recursive=True)
    heap = page.evaluate("() => performance.memory?.usedJSHeapSize ?? 0") / 1e6
    return {
        "step": float(page.locator("[data-run-step]").get_attribute("data-run-step") or 0),
        "server_mb": megabytes([top]),
        "workers_mb": megabytes(children),
        "browser_heap_mb": heap,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200_000)
    steps = parser.parse_args().steps
    readings: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as home, running_app(Path(home)) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(server.url)
        page.get_by_role("button", name="Play").first.click()
        page.wait_for_url("**run=*", timeout=30_000)
        while not readings or readings[-1]["step"] < steps:
            page.wait_for_timeout(EVERY_SECONDS * 1000)
            readings.append(reading(server, page))
            print("  ".join(f"{name} {value:,.0f}" for name, value in readings[-1].items()), flush=True)
        early = page.evaluate(FIRST_STEPS)
        browser.close()
    after = [one for one in readings if one["step"] >= steps / 10] or readings
    growth = {name: after[-1][name] - after[0][name] for name in ("server_mb", "workers_mb", "browser_heap_mb")}
    results: dict[str, Any] = {"growth_after_first_tenth": growth, "points_up_to_step_20": early, "readings": readings}
    print(f"growth after the first tenth: {growth}; points drawn up to step 20: {early}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
