"""The lab in a real browser: what a visitor does in the first minutes."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app_server import AppServer
from tests.browser.visit import (
    axis_range,
    card,
    drawn_step,
    empty_tab,
    main_button,
    opened,
    pause,
    play_until,
    press,
    when,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = (
    "accuracy", "drift-bands", "loss", "density", "drift-distance", "gradient-histogram", "loss-contour", "health",
)  # fmt: skip


@pytest.fixture
def lab(context: BrowserContext, server: AppServer) -> Page:
    return opened(context, server.url)


def test_a_recorded_run_is_drawn_before_anything_is_pressed(lab: Page) -> None:
    assert drawn_step(lab) == 1500
    expect(card(lab, "accuracy")).to_contain_text("recorded")
    expect(lab.locator(".bnviz-status")).to_contain_text("recorded")


def test_play_draws_all_eight_charts_from_the_visitors_own_run_and_pause_holds_it(lab: Page) -> None:
    play_until(lab, 60)
    pause(lab)
    for name in CHARTS:
        chart = card(lab, name)
        chart.scroll_into_view_if_needed()
        expect(chart).to_contain_text("measured")
        expect(chart.locator(".main-svg").first).to_be_visible()
    lab.wait_for_timeout(1000)
    step = drawn_step(lab)
    lab.wait_for_timeout(1500)
    assert drawn_step(lab) == step


def test_the_first_four_charts_and_the_transport_need_no_scrolling(lab: Page) -> None:
    for selector in [f'[data-chart="{name}"]' for name in CHARTS[:4]] + [".st-key-play"]:
        box = lab.locator(selector).first.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 900 + 1


def test_a_step_button_takes_exactly_that_many_steps(lab: Page) -> None:
    for count, step in [(1, 1), (10, 11)]:
        lab.get_by_role("button", name=f"+{count}", exact=True).first.click()
        when(lab, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) === step", step)


def test_the_learning_rate_changes_live_without_losing_the_training(lab: Page) -> None:
    play_until(lab, 30)
    generation = lab.locator("[data-generation]").get_attribute("data-generation")
    lab.get_by_role("slider", name="Learning rate").first.press("ArrowRight")
    when(lab, "() => document.body.innerText.includes('0.7')")
    expect(lab.locator(".bnviz-live")).to_contain_text(re.compile("learning rate"))
    step = drawn_step(lab)
    when(lab, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) > step", step)
    assert lab.locator("[data-generation]").get_attribute("data-generation") == generation
    # A chart that has just been drawn rests for a moment.
    when(lab, "() => document.querySelector('[data-chart=accuracy] .js-plotly-plot').layout.shapes.length >= 1")


def test_a_slider_that_moves_faster_than_the_page_answers_restarts_nothing(lab: Page) -> None:
    play_until(lab, 60)  # with a preset's settings, which the first move leaves
    generation = lab.locator("[data-generation]").get_attribute("data-generation")
    for pause_ms in (0, 0, 0, 60, 0, 120):
        lab.get_by_role("slider", name="Learning rate").first.press("ArrowRight")
        lab.wait_for_timeout(pause_ms)
    when(lab, "() => document.querySelector('.bnviz-live').innerText.includes('→ 5 at step')")
    assert lab.locator("[data-generation]").get_attribute("data-generation") == generation
    expect(card(lab, "accuracy")).not_to_contain_text("earlier run")


def test_a_restart_keeps_the_run_before_as_a_ghost(lab: Page) -> None:
    play_until(lab, 60)
    pause(lab)
    traces = "() => document.querySelector('[data-chart=accuracy] .js-plotly-plot').data.length"
    before = lab.evaluate(traces)
    press(lab, "New seed")
    when(lab, "() => Number(document.querySelector('[data-run-step]').dataset.runStep) === 0")
    lab.get_by_role("button", name="+10", exact=True).first.click()
    when(lab, "() => Number(document.querySelector('[data-run-step]').dataset.runStep) === 10")
    assert lab.evaluate(traces) > before
    expect(card(lab, "accuracy")).to_contain_text("earlier run")


def test_zoom_is_kept_through_updates(lab: Page) -> None:
    play_until(lab, 20)
    box = lab.locator('[data-chart="accuracy"] .nsewdrag').first.bounding_box()
    assert box is not None
    lab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    lab.mouse.down()
    lab.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=5)
    lab.mouse.up()
    lab.wait_for_timeout(300)
    zoomed = axis_range(lab, "accuracy", "yaxis")
    step = drawn_step(lab)
    when(lab, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) > step + 20", step)
    assert axis_range(lab, "accuracy", "yaxis") == pytest.approx(zoomed)


def test_hover_is_kept_through_updates(lab: Page) -> None:
    play_until(lab, 20)
    box = lab.locator('[data-chart="accuracy"] .nsewdrag').first.bounding_box()
    assert box is not None
    lab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    lab.wait_for_selector('[data-chart="accuracy"] .hoverlayer .hovertext, [data-chart="accuracy"] .hoverlayer .legend')
    step = drawn_step(lab)
    when(lab, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) > step + 10", step)
    # A chart that is being drawn shows its hover again with the next frame of the page; the mouse stands still.
    when(lab, "() => document.querySelector('[data-chart=accuracy] .hoverlayer').childElementCount > 0")


def test_a_settings_link_reproduces_the_page_and_starts_nothing(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/?g=relu&lr=0.05&layers=2&layer=2&x=images")
    expect(page.get_by_text("Learning rate").first).to_be_visible()
    when(page, "() => document.body.innerText.includes('784-100-100-10')")
    assert drawn_step(page) == 0
    page.wait_for_timeout(1500)
    assert drawn_step(page) == 0
    expect(card(page, "drift-bands")).to_contain_text("layer 2")
    expect(page.get_by_role("button", name="Play").first).to_be_visible()


def test_a_second_tab_shows_the_same_run_and_a_closed_tab_does_not_end_it(lab: Page, context: BrowserContext) -> None:
    play_until(lab, 20)
    second = opened(context, lab.url)
    lab.close()
    step = drawn_step(second)
    when(second, "step => Number(document.querySelector('[data-run-step]').dataset.runStep) > step", step)
    expect(main_button(second)).to_contain_text("Pause")
    expect(main_button(second)).to_be_enabled()


def test_somebody_else_watches_and_cannot_steer(lab: Page, browser: Browser) -> None:
    play_until(lab, 20)
    stranger = browser.new_context()
    page = opened(stranger, lab.url)
    when(page, "() => Number(document.querySelector('[data-run-step]').dataset.runStep) > 0")
    expect(main_button(page)).to_contain_text("Pause")
    expect(main_button(page)).to_be_disabled()
    expect(page.get_by_role("button", name="Start my own").first).to_be_enabled()
    stranger.close()


def test_a_run_in_which_both_networks_fail_says_how_and_where(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/?g=relu&init=he&scale=10&lr=30&layers=10")
    press(page, "Play")
    when(page, "() => /diverged/i.test(document.querySelector('.bnviz-live').innerText)")
    expect(page.locator(".bnviz-live")).to_contain_text(re.compile(r"diverged .*at step [\d,]+", re.IGNORECASE))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_charts_follow_the_theme(context: BrowserContext, server: AppServer, scheme: str) -> None:
    page = empty_tab(context)
    page.emulate_media(color_scheme=scheme)
    page.goto(server.url)
    page.wait_for_selector('[data-chart="accuracy"] .main-svg')
    colours = page.evaluate(
        "() => document.querySelector('[data-chart=accuracy] .js-plotly-plot').data.map(t => t.line?.color)"
    )
    expected = {"light": {"#D55E00", "#0072B2"}, "dark": {"#FF8347", "#56B4E9"}}[scheme]
    assert expected <= {str(colour).upper() for colour in colours}


def test_a_phone_scrolls_nothing_sideways_and_keeps_the_transport_in_reach(
    context: BrowserContext, server: AppServer
) -> None:
    page = empty_tab(context)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url)
    page.wait_for_selector('[data-chart="accuracy"] .main-svg')
    assert page.evaluate("() => document.querySelector('.stMain').scrollWidth <= 390")
    expect(page.get_by_role("button", name="Play").first).to_be_in_viewport()
    card(page, "health").scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Play").first).to_be_in_viewport()


def test_the_keyboard_plays_pauses_and_explains(lab: Page) -> None:
    lab.keyboard.press("Space")
    expect(main_button(lab)).to_contain_text("Pause")
    lab.keyboard.press("Space")
    expect(main_button(lab)).to_contain_text("Play")
    lab.keyboard.press("?")
    expect(lab.get_by_role("dialog")).to_contain_text("Keyboard")


def test_every_chart_explains_itself(lab: Page) -> None:
    for name in CHARTS:
        chart = card(lab, name)
        chart.scroll_into_view_if_needed()
        chart.get_by_role("button", name="About this chart").click()
        expect(lab.get_by_role("dialog")).to_contain_text("What to look for")
        lab.keyboard.press("Escape")
        expect(lab.get_by_role("dialog")).to_have_count(0)


def test_the_measurements_can_be_downloaded(lab: Page, tmp_path: Path) -> None:
    press(lab, "Share")
    with lab.expect_download() as download:
        lab.get_by_role("button", name="Measurements, CSV").click()
    target = tmp_path / "run.csv"
    download.value.save_as(target)
    lines = target.read_text().splitlines()
    assert lines[0].startswith('"step"')
    assert len(lines) > 100
