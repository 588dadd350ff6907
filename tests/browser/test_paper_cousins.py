"""The paper's cousins and the cost of BN in a real browser: recorded at first, run here at a press."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from bnviz.ui.charts import COST_CHARTS, COUSINS_CHARTS
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, go_to, opened, press, see_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("part", "names"), [("cousins", COUSINS_CHARTS), ("cost", COST_CHARTS)])
def test_a_part_begins_with_its_recording(
    context: BrowserContext, server: AppServer, part: str, names: tuple[str, ...]
) -> None:
    page = empty_tab(context)
    go_to(page, f"{server.url}/paper?part={part}")
    see_all(page, names, "recorded")


def test_the_cost_of_bn_is_timed_here_at_a_press(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/paper?part=cost")
    press(page, "Run it here")
    expect(card(page, "bn-cost")).to_contain_text("measured")
    expect(page.get_by_text(re.compile("With BN a step takes")).first).to_be_visible()


def test_what_runs_here_can_be_stopped(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/paper?part=cousins&cousins-steps=400&cousins-seeds=2")
    status = page.locator(".bnviz-status-own")
    expect(page.locator(".bnviz-sentence-own")).to_contain_text("best so far")
    expect(status).to_contain_text(re.compile(r"measuring, [1-9]\d* % done"))
    press(page, "Stop")
    expect(status).to_contain_text(re.compile(r"stopped, [1-9]\d* % done"))
    expect(page.get_by_role("button", name="Run it here")).to_be_visible()


def test_an_experiment_of_ones_own_fills_in_while_it_runs(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/paper?part=cousins&cousins-steps=200&cousins-seeds=1")
    expect(card(page, "cousins-curves")).to_contain_text("measured")
    expect(page.get_by_text(re.compile("the baseline’s best")).first).to_be_visible()
    expect(page.get_by_text("Fewer steps with BN, at the same rate?")).to_be_visible()
