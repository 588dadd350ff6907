"""The pages on loss landscapes and on whitening in a real browser."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.app_server import AppServer
from tests.browser.visit import card, drawn_step, is_measured, opened, pause, play_until, see_all, step_at_rest, when

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LANDSCAPE = ("landscape", "loss", "landscape-cut", "landscape-batches", "sharpness")
WHITENING = ("whitening-descent", "whitening-loss", "whitening-spectrum", "whitening-inputs")
SMALL = "res=17&pimages=128"  # drawn in a moment


def test_the_page_on_landscapes_begins_with_a_recording_of_all_its_charts(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/landscape")
    see_all(page, LANDSCAPE, "recorded")


def test_a_run_draws_its_landscape_while_it_goes_on_and_ends_with_that_of_its_last_step(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/landscape?{SMALL}")
    play_until(page, 200)
    expect(card(page, "landscape")).to_contain_text(re.compile(r"step \d"))
    pause(page)
    step = step_at_rest(page)
    expect(card(page, "landscape")).to_contain_text(re.compile(rf"^(?!.*% measured).*step {step},"))
    see_all(page, LANDSCAPE, "measured")
    page.wait_for_url("**res=17*")


def test_a_chip_shows_another_plane_of_the_same_run_and_surfaces_turn(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/landscape")
    play_until(page, 60)
    pause(page)
    page.get_by_role("button", name="Random directions").click()
    expect(card(page, "landscape")).to_contain_text("random filter-normalised directions")
    card(page, "landscape").get_by_role("button", name="Surface").click()
    expect(card(page, "landscape").locator("canvas").first).to_be_visible()
    card(page, "landscape").get_by_role("button", name="Contour").click()
    expect(card(page, "landscape").locator(".contourlayer path").first).to_be_visible()
    card(page, "landscape").get_by_role("button", name="Next batch").click()
    expect(card(page, "landscape")).to_contain_text("batch 2 of 2")


def test_what_stands_behind_more_shows_what_is_in_force_and_changes_nothing_by_being_opened(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/landscape")
    play_until(page, 20)
    pause(page)
    page.get_by_role("button", name="More", exact=False).first.click()
    images = page.get_by_role("slider", name="Images a batch").first
    expect(images).to_have_attribute("aria-valuetext", "512")
    page.keyboard.press("Escape")
    for _ in range(2):
        page.get_by_role("button", name="+1", exact=True).first.click()
        page.wait_for_timeout(700)
    assert "pimages" not in page.url
    assert "batches" not in page.url


def test_a_plane_that_is_not_there_is_said_on_its_chart_and_the_run_goes_on(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/landscape?plane=points&pa=plain%400&pb=plain%400&{SMALL}")
    play_until(page, 20)
    expect(card(page, "landscape")).to_contain_text("span no plane")
    before = drawn_step(page)
    when(page, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) > step", before)


def test_the_page_on_whitening_begins_with_a_recording(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening")
    see_all(page, WHITENING, "recorded")
    expect(page.locator(".bnviz-status-own")).to_contain_text("recorded")
    expect(card(page, "whitening-spectrum")).to_contain_text(re.compile(r"315 standardised"))


def test_five_treatments_are_measured_and_mnists_spectrum_with_them(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening?wseed=1")
    is_measured(page)
    see_all(page, WHITENING, "measured")
    assert "run=" not in page.url
    expect(card(page, "whitening-spectrum")).to_contain_text(re.compile(r"315 standardised"))


def test_the_panels_of_another_unit_have_its_own_ranges(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening")
    for chip in ("Zigzag", "All positive"):
        page.get_by_role("button", name=chip).click()
        is_measured(page)
    card(page, "whitening-inputs").scroll_into_view_if_needed()
    when(page, "high => document.querySelector('[data-chart=whitening-inputs] .js-plotly-plot')"
         "._fullLayout.yaxis.range[1] > high", 60)  # fmt: skip


def test_back_shows_the_unit_before(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening")
    for chip, sentence in (("Zigzag", "crossed at every step"), ("All positive", "Inputs well above 0")):
        page.get_by_role("button", name=chip).click()
        expect(page.locator(".st-key-what")).to_contain_text(sentence)
        page.wait_for_timeout(2500)  # as somebody who reads does
    page.go_back()
    expect(page.locator(".st-key-what")).to_contain_text("crossed at every step")
    page.go_back()
    expect(page.locator(".st-key-what")).to_contain_text("Standardising, as BN does")
    page.go_forward()
    expect(page.locator(".st-key-what")).to_contain_text("crossed at every step")


def test_the_start_is_dragged_in_a_panel_and_the_sliders_follow(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening?wseed=1")
    is_measured(page)
    handle = card(page, "whitening-descent").locator(".bnviz-drag circle").last
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 60, steps=5)
    page.mouse.up()
    expect(page.locator(".stMain")).to_contain_text("A unit of your own")
    page.wait_for_url(re.compile(r"wx=.*wy=|wy=.*wx="))
    slider = page.get_by_role("slider", name="Start, w₂").first
    expect(slider).not_to_have_attribute("aria-valuetext", "1")  # the page follows a moment later
    moved = slider.get_attribute("aria-valuetext")
    assert moved is not None
    assert float(moved) < 1.0


def test_the_descents_are_played_step_by_step_and_scrubbed(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening?wsteps=20")
    is_measured(page)
    descent = card(page, "whitening-descent")
    descent.get_by_role("slider", name="Step").press("Home")
    expect(descent).to_contain_text("up to step 0")
    descent.get_by_role("button", name="Play through").click()
    expect(descent).to_contain_text(re.compile(r"up to step [5-9]"))
    expect(descent).to_contain_text("up to step 20")
    expect(descent.get_by_role("button", name="Play through")).to_be_visible()


def test_a_start_at_the_minimum_is_refused_and_nothing_is_lost(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/whitening?wx=0&wy=0.1")
    is_measured(page)
    page.get_by_role("slider", name="Start, w₂").first.press("ArrowLeft")
    expect(page.locator(".stMain")).to_contain_text("is the minimum itself")
    page.wait_for_url("**wy=0.1*")
