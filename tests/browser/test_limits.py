"""The page where BN fails in a real browser: recorded experiments, one that runs here, and the way into the lab."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from bnviz.ui.charts import LIMITS_CHARTS
from bnviz.ui.limits import PARTS
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, go_to, opened, see_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_every_part_begins_with_a_recorded_experiment(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    for part in PARTS:
        go_to(page, f"{server.url}/limits?part={part}")
        see_all(page, LIMITS_CHARTS[part], "recorded")


def test_another_part_is_a_click_away_and_in_the_address(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/limits")
    page.get_by_role("radio", name=PARTS["depth"]).click()
    expect(card(page, "depth-gradients")).to_contain_text("residual")
    expect(page).to_have_url(re.compile("part=depth"))


def test_an_experiment_of_ones_own_fills_in_while_it_runs(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/limits?part=mini_batches&mini_batches-steps=100&mini_batches-seeds=1")
    gap = card(page, "trials-gap")
    expect(gap).to_contain_text("measured")
    expect(gap).to_contain_text("100 steps, one seed.")
    expect(page.get_by_text(re.compile("Trained on two classes a batch")).first).to_be_visible()


def test_a_preset_opens_in_the_lab(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/limits")
    page.get_by_role("button", name="Batch of 2").click()
    expect(page.get_by_role("button", name="Play")).to_be_enabled()
    expect(card(page, "accuracy")).to_contain_text("GroupNorm")
