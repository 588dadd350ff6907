"""The pages on gradients and on covariate shift in a real browser, and what holds for every page but the lab."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.app_server import AppServer
from tests.browser.visit import (
    card,
    drawn_step,
    empty_tab,
    go_to,
    is_measured,
    main_button,
    opened,
    pause,
    play_until,
    press,
    see_all,
    when,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UNTRAINED = (
    "untrained-histogram", "untrained-gradients", "untrained-activations", "untrained-predictions",
    "untrained-jacobian", "untrained-loss",
)  # fmt: skip
TRAINING = ("gradient-layers", "gradient-steps", "gradient-norm", "update-ratio", "weight-norm", "scale-invariance")
SHIFT = (
    "accuracy", "covariate-shift", "drift-distance", "loss", "smoothness", "accuracy-modes", "drift-bands", "density",
)  # fmt: skip


def test_a_link_to_a_page_is_inside_the_app_although_it_is_the_servers_first_request(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/gradients")
    for name in ("Live lab", "Gradients", "Covariate shift", "Loss landscape", "Whitening"):
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_untrained_networks_are_measured_and_their_layers_looked_through_without_measuring_again(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/gradients?depth=8")
    is_measured(page)
    see_all(page, UNTRAINED, "measured")
    assert "run=" not in page.url
    expect(card(page, "untrained-histogram")).to_contain_text("output layer")  # the nearest to 10
    page.get_by_role("slider", name="Weight layer").press("ArrowLeft")
    expect(card(page, "untrained-histogram")).to_contain_text("layer 8")
    page.wait_for_url("**ulayer=8*")
    is_measured(page)


def test_networks_that_overflow_are_shown_as_such(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/gradients?depth=100&uscale=4")
    is_measured(page)
    for name in UNTRAINED:
        a_card = card(page, name)
        a_card.scroll_into_view_if_needed()
        expect(a_card).to_contain_text(re.compile("without BN overflows from layer 6\\d"))


def test_what_would_take_too_long_is_refused_with_the_cost(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/gradients?depth=100")
    slider = page.get_by_role("slider", name="Width").first
    for _ in range(8):
        slider.press("ArrowRight")
        page.wait_for_timeout(150)
    expect(page.locator(".stMain")).to_contain_text(re.compile(r"100 layers of \d+ would take about \d+ s"))


def test_the_labs_run_is_looked_at_more_closely_and_scrubbed_back(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/gradients?part=training")
    play_until(page, 200)
    pause(page)
    see_all(page, TRAINING, "measured")
    layers = card(page, "gradient-layers")
    layers.scroll_into_view_if_needed()
    scrubber = layers.get_by_role("slider", name="Step")
    scrubber.press("Home")
    expect(layers).to_contain_text("step 0")
    expect(card(page, "gradient-steps")).to_contain_text("step 0")
    scrubber.press("End")
    expect(layers.locator(".bnviz-scrubbed")).to_contain_text("the newest")
    run_id = page.locator("[data-run-id]").get_attribute("data-run-id")
    page.get_by_role("link", name="Live lab").click()
    page.wait_for_url(f"{server.url}/?*run={run_id}*")
    when(page, "id => document.querySelector('[data-run-id]')?.dataset.runId === id", run_id)


def test_a_deep_link_finds_its_server_at_once(context: BrowserContext, server: AppServer) -> None:
    page = empty_tab(context)
    answers: list[tuple[int, str]] = []
    page.on("response", lambda answer: answers.append((answer.status, answer.url)))
    go_to(page, f"{server.url}/shift")
    assert [one for one in answers if one[0] >= 400] == []
    assert [url for _, url in answers if "health" in url] == [f"{server.url}/_stcore/health"]


def test_the_page_on_shift_begins_with_a_recording_of_all_its_charts(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/shift")
    see_all(page, SHIFT, "recorded")
    assert drawn_step(page) == 1000


def test_four_networks_train_and_the_shift_is_measured_live(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/shift")
    press(page, "Less shift?")
    when(page, "() => Number(document.querySelector('[data-run-step]').dataset.runStep) >= 60")
    expect(page.locator(".bnviz-status")).to_contain_text("% measuring")
    pause(page)
    see_all(page, SHIFT, "measured")
    a_card = card(page, "covariate-shift")
    a_card.scroll_into_view_if_needed()
    for measure in ("Relative", "Cosine", "Change"):
        a_card.get_by_role("button", name=measure).click()
        expect(a_card.get_by_role("button", name=measure)).to_have_attribute("aria-pressed", "true")
    for label in ("noisy BN", "noise, no BN"):
        expect(card(page, "accuracy")).to_contain_text(label)


def test_the_verdicts_follow_the_guess(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/shift")
    main = page.locator(".stMain")
    expect(main).not_to_contain_text("Does BN train faster?")
    page.get_by_role("radio", name="More", exact=True).click()
    expect(main).to_contain_text("You guessed more.")
    expect(main).to_contain_text("Does BN train faster?")
    expect(main).to_contain_text("Santurkar et al. 2018")


@pytest.mark.parametrize("path", ["/gradients", "/gradients?part=training", "/shift", "/landscape", "/whitening"])
def test_a_phone_scrolls_nothing_sideways(context: BrowserContext, server: AppServer, path: str) -> None:
    page = empty_tab(context)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url + path)
    page.wait_for_selector("[data-chart] .main-svg")
    page.wait_for_timeout(1500)
    assert page.evaluate("() => document.querySelector('.stMain').scrollWidth <= 390")


@pytest.mark.parametrize(
    ("path", "chart"),
    [
        ("/gradients", "untrained-gradients"),
        ("/shift", "covariate-shift"),
        ("/landscape", "sharpness"),
        ("/whitening", "whitening-descent"),
    ],
    ids=["gradients", "shift", "landscape", "whitening"],
)
def test_an_explanation_opens_with_its_formulas_set(
    context: BrowserContext, server: AppServer, path: str, chart: str
) -> None:
    page = opened(context, server.url + path)
    a_card = card(page, chart)
    a_card.scroll_into_view_if_needed()
    a_card.get_by_role("button", name="About this chart").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What to look for")
    expect(dialog.locator(".katex").first).to_be_visible()
    expect(dialog).not_to_contain_text("$$")
    expect(dialog.locator(".katex-error")).to_have_count(0)


def test_a_run_that_plays_is_paused_by_its_button(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/shift")
    play_until(page, 5)
    pause(page)
    expect(main_button(page)).to_contain_text("Play")
