"""The page on the paper in a real browser: its links lead where they say, and a phone shows all of it."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bnviz.ui.paper import PARTS
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAST_WORDS = {"claims": "With BN inputs move: less", "since": "What is out of reach here"}


def part_of(context: BrowserContext, server: AppServer, part: str) -> Page:
    page = empty_tab(context)
    page.goto(f"{server.url}/paper?part={part}")
    expect(page.locator(".stMain")).to_contain_text(LAST_WORDS[part])
    return page


def test_a_link_of_the_timeline_opens_the_part_that_tests_it(context: BrowserContext, server: AppServer) -> None:
    page = part_of(context, server, "since")
    page.locator('[class*="st-key-since-entry-"]').filter(has_text="Mean Field Theory").get_by_role(
        "link", name="Depth"
    ).click()
    expect(page).to_have_url(re.compile(r"/limits\?.*part=depth"))
    expect(card(page, "depth-gradients")).to_contain_text("residual")


def test_a_link_to_another_part_of_the_page_turns_to_it(context: BrowserContext, server: AppServer) -> None:
    page = part_of(context, server, "since")
    page.locator(".st-key-since").get_by_role("button", name=re.compile("The claims")).first.click()
    expect(page).to_have_url(re.compile(r"part=claims"))
    expect(page.locator(".st-key-claims")).to_be_visible()


def test_a_claim_opens_its_map(context: BrowserContext, server: AppServer) -> None:
    page = part_of(context, server, "claims")
    page.get_by_role("button", name="Map of depths").click()
    expect(card(page, "sweep-map")).to_contain_text("hidden layers")
    expect(card(page, "sweep-map")).to_contain_text("recorded")


@pytest.mark.parametrize("part", LAST_WORDS)
def test_a_phone_scrolls_nothing_sideways(context: BrowserContext, server: AppServer, part: str) -> None:
    assert part in PARTS
    page = empty_tab(context)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/paper?part={part}")
    expect(page.locator(".stMain")).to_contain_text(LAST_WORDS[part])
    assert page.evaluate("() => document.querySelector('.stMain').scrollWidth <= 390")
    widest = page.locator(".stMain p").evaluate_all(
        "all => Math.max(...all.filter(one => one.checkVisibility() && !one.closest('.st-key-parts'))"
        ".map(one => one.getBoundingClientRect().right))"  # the row of parts scrolls within itself
    )
    assert widest <= 390


@pytest.mark.parametrize("button", ["Map of training images", "In the lab"])
def test_one_step_back_leads_home_from_what_a_claim_opens(
    context: BrowserContext, server: AppServer, button: str
) -> None:
    page = part_of(context, server, "claims")
    page.get_by_role("button", name=button).first.click()
    expect(page.locator(".st-key-claims")).to_have_count(0)
    expect(card(page, "sweep-map" if button.startswith("Map") else "accuracy")).to_be_visible()
    expect(page).not_to_have_url(re.compile("/paper"))
    page.wait_for_timeout(1000)  # the address is given in time, or never
    page.go_back()
    expect(page.locator(".st-key-claims")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/paper\?(run=[\w-]+&)?part=claims$"))
