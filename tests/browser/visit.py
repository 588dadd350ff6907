"""What a visitor does on any page, in the words that the browser tests share."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

PATIENCE = 60_000  # ms; a machine that does other things too is no defect of the page
expect.set_options(timeout=PATIENCE)


def opened(context: BrowserContext, url: str) -> Page:
    """A page in a tab of its own, once its first chart is drawn."""
    page = empty_tab(context)
    go_to(page, url)
    return page


def go_to(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("[data-chart] .main-svg")


def empty_tab(context: BrowserContext) -> Page:
    """The tab that is there, if nothing is in it yet."""
    page = next((one for one in context.pages if one.url == "about:blank"), None) or context.new_page()
    page.set_default_timeout(PATIENCE)
    return page


def card(page: Page, chart: str) -> Locator:
    return page.locator(f'[data-chart="{chart}"]')


def main_button(page: Page) -> Locator:
    """Play or Pause."""
    return page.locator(".st-key-play button").first


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=False).first.click()


def drawn_step(page: Page) -> int:
    return int(page.locator("[data-run-step]").get_attribute("data-run-step") or 0)


def when(page: Page, condition: str, argument: object = None) -> None:
    """Waits for a condition in JavaScript; while what it looks at is not on the page, it does not hold."""
    page.wait_for_function(
        f"argument => {{ try {{ return ({condition})(argument) }} catch {{ return false }} }}",
        arg=argument,
        timeout=PATIENCE,
    )


def play_until(page: Page, step: int) -> None:
    press(page, "Play")
    page.wait_for_url("**run=*")
    expect(main_button(page)).to_contain_text("Pause")  # frames may be here before the page that has been run again
    when(
        page,
        "step => { const d = document.querySelector('[data-run-step]').dataset;"
        " return d.runId === new URL(location).searchParams.get('run') && Number(d.runStep) >= step }",
        step,
    )


def pause(page: Page) -> None:
    main_button(page).click()
    expect(main_button(page)).to_contain_text("Play")


def pause_if_playing(page: Page) -> None:
    """Whatever dialog is open."""
    button = main_button(page)
    if page.is_closed() or not button.count():
        return
    if "Pause" in button.inner_text() and button.is_enabled():
        page.keyboard.press("Escape")
        pause(page)


def step_at_rest(page: Page) -> str:
    """The step that the page tells once a paused run has come to rest: a few steps may still have been under way."""
    status = page.locator(".bnviz-status b").first
    before, now = "", status.inner_text()
    while now != before:
        page.wait_for_timeout(800)
        before, now = now, status.inner_text()
    return now


def axis_range(page: Page, chart: str, axis: str) -> list[float]:
    values = page.evaluate(
        "([chart, axis]) => document.querySelector(`[data-chart=${chart}] .js-plotly-plot`)._fullLayout[axis].range",
        [chart, axis],
    )
    return [float(value) for value in values]


def see_all(page: Page, names: tuple[str, ...], badge: str) -> None:
    """Every chart is there, in order, drawn, with its badge."""
    cards = page.locator("[data-chart]")
    assert [cards.nth(i).get_attribute("data-chart") for i in range(cards.count())] == list(names)
    for name in names:
        card(page, name).scroll_into_view_if_needed()
        expect(card(page, name)).to_contain_text(badge)
        expect(card(page, name).locator(".main-svg").first).to_be_visible()


def is_measured(page: Page) -> None:
    expect(page.locator(".bnviz-status-own")).to_contain_text(re.compile(r"^measured"))
