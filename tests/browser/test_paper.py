"""The page on the paper in a real browser: its links lead where they say, and a phone shows all of it."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bnviz.ui.paper import PARTS
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, when

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAST_WORDS = {
    "figure-one": "Two more remarks", "claims": "With BN inputs move: less", "cousins": "here it is 0.9",
    "cost": "A slower step", "since": "What is out of reach here",
}  # fmt: skip
WITH_CHARTS = ("figure-one", "cousins", "cost")
CUT = (
    "() => [...document.querySelectorAll('.bnviz-finding, .bnviz-sentence-own')]"
    ".filter(one => one.checkVisibility() && one.scrollHeight > one.clientHeight + 2).map(one => one.innerText)"
)
SIZES_OF_HEADINGS = (
    "size => [...document.querySelectorAll('.stMain [data-testid=stHeading] h3')]"
    ".every(one => Math.abs(parseFloat(getComputedStyle(one).fontSize) - size) < 0.1)"
)


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
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator(".main-svg").first).to_be_attached()
    when(page, "() => document.querySelector('.stMain').scrollWidth <= 390")
    widest = page.locator(".stMain p").evaluate_all(
        "all => Math.max(...all.filter(one => one.checkVisibility() &&"
        " !one.closest('.st-key-parts, .st-key-try-this, [data-chart], .st-key-cousins-numbers'))"
        ".map(one => one.getBoundingClientRect().right))"  # these scroll within themselves
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


@pytest.mark.parametrize("part", WITH_CHARTS)
@pytest.mark.parametrize(("width", "present"), [(1440, ""), (1024, ""), (1024, "1"), (390, "")])
def test_nothing_that_is_said_above_a_chart_is_cut(
    context: BrowserContext, server: AppServer, part: str, width: int, present: str
) -> None:
    page = empty_tab(context)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server.url}/paper?part={part}&present={present}")
    expect(page.locator("[data-chart] .bnviz-finding:not(:empty)").last).to_be_attached()
    when(page, "() => document.querySelectorAll('[data-chart] .bnviz-finding:empty').length === 0")
    assert page.evaluate(CUT) == []
    assert page.locator(".bnviz-sentence-own").get_attribute("title") == ""  # what had to be left out would stand there


def test_on_a_projector_every_example_of_the_cousins_is_in_sight(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{server.url}/paper?part=cousins")
    expect(page.get_by_role("button", name="A quick look")).to_be_visible()
    assert page.locator(".st-key-try-this").evaluate("one => one.scrollWidth <= one.clientWidth")


def test_headings_of_all_parts_are_of_one_size(context: BrowserContext, server: AppServer) -> None:
    for part in ("claims", "cousins", "since"):
        page = part_of(context, server, part)
        expect(page.locator(".stMain [data-testid=stHeading] h3").last).to_be_attached()
        when(page, SIZES_OF_HEADINGS, 18)


def test_the_learning_rates_of_every_optimizer_stand_in_one_row(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.goto(f"{server.url}/paper?part=figure-one&rule=adam&rate=0.1")
    choices = page.locator('[class*="st-key-figure-one-learning_rate-adam"] [role=radio]')
    expect(choices).to_have_count(5)
    boxes = [one.bounding_box() for one in choices.all()]
    assert len({box["y"] for box in boxes if box}) == 1
