"""Sweeps in a real browser: a map that fills in, a cell that opens in the lab, and a link that finds it again."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from bnviz.config import SWEEPS, SweepAxis, SweepConfig, sweep_to_query
from bnviz.ui.charts import SWEEP_CHARTS
from bnviz.ui.sweeps import EXAMPLES
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, go_to, main_button, opened, press, see_all, when
from tests.fake_worker import SMALL

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TINY = SweepConfig(
    y=SweepAxis("init_scale", (0.1, 1.0)), x=SweepAxis("learning_rate", (0.1, 1.0, 3.0)), base=SMALL, steps=60, seeds=1
)


def address(server: AppServer, config: SweepConfig) -> str:
    query = "&".join(f"{key}={value}" for key, value in sweep_to_query(config).items())
    return f"{server.url}/sweeps?{query}"


def test_every_preset_begins_with_a_recorded_sweep(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/sweeps")
    see_all(page, SWEEP_CHARTS, "recorded")
    for one in EXAMPLES:
        assert one.config in SWEEPS.values()
        page.get_by_role("button", name=one.chip, exact=True).click()
        expect(page.get_by_text(one.sentence)).to_be_visible()
        expect(card(page, "sweep-map")).to_contain_text("recorded")
        expect(page.locator(".bnviz-status")).to_contain_text("finished")


def test_a_sweep_fills_its_map_and_a_click_on_a_cell_opens_that_run(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    go_to(page, address(server, TINY))
    press(page, "Start")
    page.wait_for_url("**sweep=sweep-*")
    expect(page.locator(".bnviz-status")).to_contain_text("6 of 6 cells · finished")
    expect(card(page, "sweep-map")).to_contain_text("6 cells, one seed")
    link = page.url

    map_ = card(page, "sweep-map").locator(".nsewdrag").nth(1)
    when(page, "() => document.querySelector('[data-chart=sweep-map] .js-plotly-plot')._fullLayout")
    box = map_.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.83, box["y"] + box["height"] * 0.25)  # the last rate, the upper scale
    expect(main_button(page)).to_contain_text("Pause")
    expect(page.get_by_role("slider", name="Learning rate").first).to_have_attribute("aria-valuetext", "3")

    again = context.new_page()
    go_to(again, link)
    expect(again.locator(".bnviz-status")).to_contain_text(re.compile("6 of 6 cells"))
    again.close()
