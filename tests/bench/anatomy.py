"""How fast the page inside BN answers: from a key on a slider to the chart that is drawn anew.

    python -m tests.bench.anatomy         # about a minute, on an otherwise idle machine

Prints what it saw against the target, 200 ms, and writes tests/bench/results/anatomy.json.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from tests.app_server import running_app
from tests.bench.page import STAMPS, p95
from tests.browser.test_lab import pause, play_until
from tests.chromium import launch

RESULTS = Path(__file__).resolve().parent / "results" / "anatomy.json"
MOVES = 30
TARGET_MS = 200

# Keeps when the words over a chart changed last: they change with its lines.
WATCHER = """(name) => {
  const keep = () => { window.benchDrawnAt = performance.timeOrigin + performance.now(); };
  for (const part of ["h3", ".bnviz-finding"]) {
    const told = document.querySelector(`[data-chart="${name}"] ${part}`);
    new MutationObserver(keep).observe(told, {childList: true, characterData: true, subtree: true});
  }
}"""


def latencies(page: Page, slider: Locator, chart: str, key: Callable[[int], str]) -> list[float]:
    """Milliseconds from the key to the chart, move by move."""
    page.evaluate(WATCHER, chart)
    slider.focus()
    found = []
    for move in range(MOVES):
        page.evaluate("() => { window.benchDrawnAt = 0; window.benchInputAt = 0; }")
        page.keyboard.press(key(move))
        page.wait_for_function("() => window.benchInputAt && window.benchDrawnAt > window.benchInputAt", timeout=10_000)
        found.append(page.evaluate("() => window.benchDrawnAt - window.benchInputAt"))
        page.wait_for_timeout(150)
    return found


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{server.url}/anatomy")
        page.wait_for_selector("[data-chart] .main-svg", timeout=60_000)
        play_until(page, 100)
        pause(page)
        page.wait_for_timeout(3000)
        page.evaluate(STAMPS)
        ways = {
            "gamma": (page.get_by_role("slider", name="γ").first, "anatomy-identity", lambda move: "ArrowRight"),
            "factor on the weights": (
                page.get_by_role("slider", name="Weights times a").first,
                "anatomy-scale",
                lambda move: "ArrowRight" if (move // 8) % 2 == 0 else "ArrowLeft",
            ),
            "phase": (
                page.get_by_role("slider", name="Phase").first,
                "anatomy-walk",
                lambda move: "ArrowRight" if (move // 6) % 2 == 0 else "ArrowLeft",
            ),
        }
        result = {}
        for name, (slider, chart, key) in ways.items():
            found = latencies(page, slider, chart, key)
            result[name] = {"median ms": statistics.median(found), "p95 ms": p95(found)}
            print(
                f"{name:<24} median {result[name]['median ms']:6.0f} ms, p95 {result[name]['p95 ms']:6.0f} ms   "
                f"target: {TARGET_MS} ms"
            )
        browser.close()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
