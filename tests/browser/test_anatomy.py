"""The page inside BN in a real browser, and a run of four networks in the lab."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.app_server import AppServer
from tests.browser.visit import card, opened, pause, play_until, see_all, step_at_rest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANATOMY = (
    "anatomy-walk", "anatomy-identity", "anatomy-scale", "anatomy-naive", "anatomy-stream", "anatomy-inference",
    "accuracy-modes",
)  # fmt: skip


def test_the_page_begins_with_a_recorded_walk_and_its_formulas(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/anatomy")
    see_all(page, ANATOMY, "recorded")
    walk = card(page, "anatomy-walk")
    expect(walk).to_contain_text("1. pre-activations")
    expect(walk.locator("math")).to_have_count(2)
    expect(walk).to_contain_text(re.compile(r"difference from PyTorch.s own: forward \d"))


def test_the_phases_are_stepped_and_played_to_the_last(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, f"{server.url}/anatomy")
    walk = card(page, "anatomy-walk")
    phase = walk.get_by_role("slider", name="Phase")
    phase.press("ArrowRight")
    expect(walk).to_contain_text("2. batch mean and variance")
    expect(walk.locator("math").first).to_contain_text("μ")
    phase.press("End")
    expect(walk).to_contain_text("9. back to x")
    walk.get_by_role("button", name="Play through").click()
    expect(walk).to_contain_text("2. batch mean and variance")
    walk.get_by_role("button", name="Stop").click()
    phase.press("Home")
    expect(walk).to_contain_text("1. pre-activations")


def test_a_run_of_ones_own_is_walked_through_and_the_identity_recovered(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/anatomy")
    play_until(page, 60)
    pause(page)
    step = step_at_rest(page)
    expect(card(page, "anatomy-walk")).to_contain_text(f"step {step}, layer 3")
    identity = card(page, "anatomy-identity")
    expect(identity).to_contain_text("away from the input")
    page.get_by_role("button", name="Recover the identity").click()
    expect(identity).to_contain_text("the output is the input")
    see_all(page, ANATOMY, "measured")


def test_four_networks_train_side_by_side_and_each_is_named_with_its_swatch(
    context: BrowserContext, server: AppServer
) -> None:
    page = opened(context, f"{server.url}/?networks=none,batch,layer,group")
    play_until(page, 60)
    pause(page)
    sentence = page.locator(".bnviz-sentence-own")
    for label in ("with BN", "LayerNorm", "GroupNorm"):
        expect(sentence).to_contain_text(label)
    expect(sentence).not_to_contain_text("{")
    expect(sentence.locator(".bnviz-swatch")).to_have_count(4)
