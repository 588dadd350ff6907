"""The list of a visitor's runs in a real browser, and the controls of a run in somebody else's hands."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app_server import AppServer
from tests.browser.visit import PATIENCE, empty_tab, main_button, opened, pause, play_until, press

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lab(context: BrowserContext, server: AppServer) -> Page:
    """The lab with a run that is paused after some steps."""
    page = opened(context, server.url)
    play_until(page, 20)
    pause(page)
    return page


def run_of(page: Page) -> str:
    return str(page.evaluate("new URL(location).searchParams.get('run')"))


def to_the_list(page: Page) -> None:
    page.get_by_role("link", name="My runs").click()
    expect(page.locator(".bnviz-run").first).to_be_visible()


def test_without_runs_the_page_leads_to_the_lab(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    page.goto(f"{server.url}/runs")
    expect(page.get_by_text("You have no runs yet")).to_be_visible()
    page.get_by_role("link", name="To the live lab").click()
    page.wait_for_selector("[data-chart] .main-svg")


def test_a_run_is_listed_opened_taken_along_and_deleted(lab: Page, server: AppServer, tmp_path: Path) -> None:
    run_id = run_of(lab)
    to_the_list(lab)
    expect(lab.locator(".bnviz-run")).to_have_count(1)
    expect(lab.locator(".bnviz-run")).to_contain_text(re.compile(r"with BN \d+\.\d %.*paused.*begun today", re.S))
    press(lab, "Open")
    lab.wait_for_url(f"**run={run_id}*")
    expect(main_button(lab)).to_be_enabled()
    to_the_list(lab)
    press(lab, "More")
    for name, first in (("Weights, safetensors", b""), ("PyTorch script", b'"""A run of bnviz'), ("CSV", b'"step"')):
        with lab.expect_download(timeout=PATIENCE) as download:
            press(lab, name)
        download.value.save_as(tmp_path / "file")
        assert (tmp_path / "file").read_bytes().startswith(first)
    press(lab, "Delete …")
    press(lab, "Delete it for good")
    expect(lab.get_by_text("You have no runs yet")).to_be_visible()
    assert not list(server.home.glob(f"**/{run_id}"))


def test_the_list_shows_how_far_a_run_is_while_it_plays_and_leaves_an_open_menu_open(lab: Page) -> None:
    press(lab, "Play")
    to_the_list(lab)
    press(lab, "More")
    before = lab.locator(".bnviz-run-facts").first.inner_text()
    expect(lab.locator(".bnviz-run-facts").first).not_to_have_text(before)
    expect(lab.get_by_role("button", name="Make a hand-over link")).to_be_visible()
    lab.keyboard.press("Escape")
    press(lab, "Open")
    pause(lab)


def test_whoever_opens_a_hand_over_link_steers_from_then_on(lab: Page, browser: Browser) -> None:
    press(lab, "Share")
    press(lab, "Make a hand-over link")
    link = lab.locator("code", has_text="handover=").inner_text()
    lab.keyboard.press("Escape")
    other = browser.new_context()
    page = opened(other, link.strip())
    expect(page.get_by_text("The controls of this run are yours now").first).to_be_visible()
    expect(main_button(page)).to_be_enabled()
    page.wait_for_url(lambda url: "handover" not in url)
    lab.reload()
    expect(main_button(lab)).to_be_disabled()
    other.close()
