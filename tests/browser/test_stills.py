"""Stills in a real browser: they stand where Plotly will draw, show the same, and give way to it."""

import re
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, pause, play_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIGURE_ONE = "/paper?part=figure-one"
NEAR = 2.0  # px


class Held:
    """plotly.js, kept back until it is let go."""

    def __init__(self, page: Page) -> None:
        self._routes: list[Route] = []
        self._page = page
        page.route("**/plotly*.js*", lambda route: self._routes.append(route))

    def let_go(self) -> None:
        for route in self._routes:
            route.continue_()
        self._page.unroute("**/plotly*.js*")


def still(page: Page, chart: str) -> Locator:
    return page.locator(f".bnviz-stills .bnviz-card-{chart}")


def box_of(one: Locator) -> list[float]:
    box = one.bounding_box()
    assert box is not None
    return [box[side] for side in ("x", "y", "width", "height")]


def lines_of_still(page: Page, chart: str) -> list[np.ndarray]:
    """Of every line its points on the screen: [m x 2]."""
    found = []
    masks = still(page, chart).locator(".bnviz-plot > i[style*='mask']")
    for index in range(masks.count()):
        mask = unquote(masks.nth(index).evaluate("one => one.style.mask || one.style.maskImage"))
        path = re.search(r" d='([^']*)' fill='none'", mask)
        if path is None:
            continue
        steps = np.array([float(one) for one in re.findall(r"-?[\d.]+", path[1])]).reshape(-1, 2)
        left, top, width, height = box_of(masks.nth(index))
        found.append(np.cumsum(steps, axis=0) / 1000 * [width, height] + [left, top])
    return found


def lines_of_plotly(page: Page, chart: str) -> list[np.ndarray]:
    found = page.evaluate(
        """chart => [...document.querySelectorAll(`[data-chart=${chart}] .js-line`)].filter((line) =>
            parseFloat(getComputedStyle(line).strokeWidth) > 0).map((line) => {
            const matrix = line.getScreenCTM();
            return (line.getAttribute("d") || "").match(/-?[0-9.]+,-?[0-9.]+/g).map((pair) => {
                const [x, y] = pair.split(",").map(Number);
                const point = new DOMPoint(x, y).matrixTransform(matrix);
                return [point.x, point.y];
            });
        })""",
        chart,
    )
    return [np.array(one) for one in found]


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Of every point from a line through others. points [m x 2], line [n x 2] to [m]"""
    begin, step = line[:-1], np.diff(line, axis=0)
    length = np.maximum((step**2).sum(axis=1), 1e-12)
    along = np.clip(((points[:, None] - begin) * step).sum(axis=2) / length, 0, 1)
    nearest = begin + along[..., None] * step
    found: np.ndarray = np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)
    return found


def texts(page: Page, selector: str) -> dict[str, tuple[float, float]]:
    """Numbers on axes by the middles of their boxes."""
    found: list[tuple[str, float, float]] = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map((one) => {
            const box = one.getBoundingClientRect();
            return [one.textContent, box.left + box.width / 2, box.top + box.height / 2];
        })""",
        selector,
    )
    return {f"{text} {index}": (x, y) for index, (text, x, y) in enumerate(found)}


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_still_stands_where_plotly_draws_the_same_lines(
    context: BrowserContext, server: AppServer, width: int, scheme: str
) -> None:
    page = empty_tab(context)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    held = Held(page)
    page.goto(server.url + FIGURE_ONE)
    charts = ("figure-one-accuracy", "figure-one-bands")
    for chart in charts:
        expect(still(page, chart)).to_be_visible()
        expect(still(page, chart)).to_contain_text("recorded")
        page.wait_for_selector(f"[data-chart={chart}]")
    expect(page.locator(".bnviz-sentence-own[data-fitted]")).to_be_visible()  # what it says moves the cards
    drawn = {chart: lines_of_still(page, chart) for chart in charts}
    places = {chart: box_of(still(page, chart).locator(".bnviz-plot")) for chart in charts}
    numbers = {chart: texts(page, f".bnviz-stills .bnviz-card-{chart} .bnviz-plot > span") for chart in charts}
    words = {chart: still(page, chart).locator("h3").inner_text() for chart in charts}
    below = box_of(card(page, "figure-one-rates"))[1]

    held.let_go()
    for chart in charts:
        page.wait_for_selector(f"[data-chart={chart}] .main-svg")
        expect(still(page, chart)).to_be_hidden()
        expect(card(page, chart).locator("h3")).to_have_text(words[chart])
        assert box_of(card(page, chart).locator(".bnviz-plot")) == pytest.approx(places[chart], abs=0.5)
        plotted = lines_of_plotly(page, chart)
        assert len(drawn[chart]) == len(plotted) > 1
        for still_line, line in zip(drawn[chart], plotted, strict=True):
            assert distances(line, still_line).max() < NEAR
        assert box_of(card(page, "figure-one-rates"))[1] == pytest.approx(below, abs=0.5)
        if width == 1440:
            on_axes = texts(page, f"[data-chart={chart}] :is(.xtick, .ytick) text")
            for text, (x, y) in on_axes.items():
                number = text.rsplit(" ", 1)[0]
                same = [at for one, at in numbers[chart].items() if one.rsplit(" ", 1)[0] == number]
                assert any(abs(at[0] - x) < 2 * NEAR and abs(at[1] - y) < 2 * NEAR for at in same), number


def test_a_still_stays_away_once_its_chart_is_drawn(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.goto(server.url + FIGURE_ONE)
    page.wait_for_selector("[data-chart=figure-one-accuracy] .main-svg")
    page.evaluate("() => { document.querySelector('[data-chart=figure-one-accuracy] .main-svg').id = 'first' }")
    page.get_by_role("radio", name="0.5", exact=True).click()  # another learning rate: another recording
    expect(page.locator(".bnviz-sentence-own[data-fitted]")).not_to_contain_text("683")
    expect(still(page, "figure-one-accuracy")).to_be_hidden()
    assert page.locator("#first").count() == 1  # the same chart, drawn anew in its place


def test_a_run_of_ones_own_has_no_still(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.goto(server.url)
    play_until(page, 20)
    pause(page)
    page.reload()
    page.wait_for_selector("[data-chart=accuracy] .main-svg")
    assert page.locator(".bnviz-stills").count() == 0


def test_without_plotly_the_recorded_lines_stay(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.route("**/plotly*.js*", lambda route: route.abort())
    page.goto(server.url + FIGURE_ONE)
    page.wait_for_selector("[data-chart=figure-one-accuracy]")
    page.wait_for_timeout(1500)
    expect(still(page, "figure-one-accuracy")).to_be_visible()
    page.unroute("**/plotly*.js*")


def test_no_two_numbers_of_a_stills_axis_touch(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    Held(page)
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(server.url)
        expect(still(page, "accuracy")).to_be_visible()
        page.wait_for_selector("[data-chart=accuracy]")
        boxes: list[list[float]] = page.evaluate(
            """() => [...document.querySelectorAll(".bnviz-stills .bnviz-card-accuracy .bnviz-plot > span")]
                .map((one) => one.getBoundingClientRect()).filter((box) => box.width)
                .map((box) => [Math.round(box.top), box.left, box.right])"""
        )
        for (top, _, right), (other, left, _) in pairwise(sorted(boxes)):
            assert top != other or right + 4 < left
    page.unroute("**/plotly*.js*")
