"""The page on the paper in a real browser: Figure 1 as recorded, and a run of one's own drawn over it."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from bnviz.ui.charts import FIGURE_ONE_CHARTS
from tests.app_server import AppServer
from tests.browser.visit import card, main_button, opened, press, see_all, when

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRACES = (
    "names => { const plot = document.querySelector('[data-chart=figure-one-accuracy] .js-plotly-plot');"
    " const held = plot.data.filter(one => one.x.length > 1).map(one => one.name);"
    " return names.every(one => held.includes(one)) }"
)


def test_figure_one_begins_as_recorded_and_a_slider_walks_through_its_steps(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/paper?part=figure-one")
    see_all(page, FIGURE_ONE_CHARTS, "recorded")
    expect(page.locator(".bnviz-sentence-own")).to_contain_text("Recorded")
    expect(page.locator(".bnviz-status")).to_contain_text("step 50,000 · recorded")
    slider = card(page, "figure-one-bands").get_by_role("slider", name="Step")
    slider.fill("40")
    step = slider.get_attribute("aria-valuetext")
    assert step
    for name in ("figure-one-accuracy", "figure-one-bands"):
        expect(card(page, name).locator(".bnviz-finding")).to_contain_text(f"At {step[0].lower()}{step[1:]}")
    page.get_by_role("radio", name="0.01", exact=True).click()
    expect(page).to_have_url(re.compile("sigma=0.01"))
    expect(card(page, "figure-one-rates")).to_contain_text("initial scale 0.01")


def test_a_run_of_ones_own_is_drawn_over_the_recording_and_tells_the_time_left(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/paper?part=figure-one&rate=2")
    press(page, "Run it live")
    page.wait_for_url("**run=*")
    expect(card(page, "figure-one-accuracy").locator(".bnviz-badge")).to_have_text("measured")
    expect(page.locator(".bnviz-status")).to_contain_text(re.compile(r"\d:\d\d left"))
    when(page, TRACES, ["recorded, with BN", "with BN", "recorded, without BN", "without BN"])
    expect(page.locator(".bnviz-sentence-own")).to_contain_text(re.compile(r"This run is at step [\d,]+ of 50,000"))
    expect(card(page, "figure-one-tuned").locator(".bnviz-badge")).to_have_text("recorded")
    expect(main_button(page)).to_contain_text("Pause")
    link = page.url

    watcher = context.browser.new_context() if context.browser else context
    other = watcher.new_page()
    other.goto(link)
    expect(other.get_by_role("button", name="Run my own")).to_be_visible()
    watcher.close()

    main_button(page).click()
    expect(main_button(page)).to_contain_text("Go on")
    page.get_by_role("button", name="Open in the lab").click()
    expect(main_button(page)).to_contain_text("Play")
    expect(page.get_by_role("slider", name="Learning rate").first).to_have_attribute("aria-valuetext", "2")
    page.wait_for_timeout(1000)  # the address is given in time, or never
    page.go_back()  # one step
    expect(card(page, "figure-one-accuracy")).to_be_visible()
