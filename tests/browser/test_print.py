"""Pages on paper: nothing to press, nothing dark, no chart cut or wider than the page, and afterwards as before."""

import io
import re
import zlib

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bnviz.figures.claims import CLAIMS
from bnviz.ui.paper import PARTS
from tests.app_server import AppServer
from tests.browser.visit import card, empty_tab, opened, when

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A4_PIXELS = 794  # 210 mm at 96 to the inch
PRESSED = "button, input, [role=slider], [role=radio], [role=combobox], nav, .stSidebar, [data-testid=stHeader]"
DRAWN_FOR_PAPER = (
    "() => [...document.querySelectorAll('[data-chart] .main-svg')].every(one => one.hasAttribute('viewBox'))"
)


def on_paper(page: Page) -> None:
    """As an upright page shows it."""
    page.set_viewport_size({"width": A4_PIXELS, "height": 1123})
    page.emulate_media(media="print", color_scheme="dark")


def visible(page: Page, selector: str) -> list[str]:
    """What of it takes up room on the page."""
    texts: list[str] = page.locator(selector).evaluate_all(
        "all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().width > 1)"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    return texts


def brightness(page: Page, selector: str, name: str) -> float:
    """Of a colour of this element, from 0 to 255."""
    colour = page.locator(selector).first.evaluate("(one, name) => getComputedStyle(one)[name]", name)
    found = re.findall(r"[\d.]+", colour)
    if len(found) == 4 and float(found[3]) == 0:
        return 255.0  # nothing is printed
    return sum(map(float, found[:3])) / 3


@pytest.mark.parametrize("path", ["/", "/limits?part=batch_size", "/sweeps", "/anatomy", "/whitening"])
def test_a_page_of_charts_fits_an_upright_page_and_has_nothing_to_press(
    context: BrowserContext, server: AppServer, path: str
) -> None:
    page = opened(context, server.url + path)
    on_paper(page)
    page.wait_for_function(DRAWN_FOR_PAPER)
    assert visible(page, PRESSED) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= A4_PIXELS
    for chart in page.locator("[data-chart] .main-svg").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= A4_PIXELS + 1
    heights = page.locator("[data-chart]").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert max(heights) < 1000  # of the 1,123 of a page: none has to be cut
    assert brightness(page, ".stApp", "backgroundColor") > 250
    assert brightness(page, "[data-chart] .main-svg text", "fill") < 128
    assert brightness(page, "[data-chart] h3", "color") < 128


def test_the_screen_is_as_before_once_the_page_is_printed(context: BrowserContext, server: AppServer) -> None:
    page = opened(context, server.url)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("[data-theme=dark]")).to_have_count(1)
    drawing = card(page, "accuracy").locator(".main-svg").first
    before = drawing.bounding_box()
    page.emulate_media(media="print")
    expect(page.locator("[data-theme=light]")).to_have_count(1)
    page.emulate_media(media="screen")
    expect(page.locator("[data-theme=dark]")).to_have_count(1)
    expect(drawing).not_to_have_attribute("viewBox", re.compile(".*"))
    assert drawing.bounding_box() == before
    assert visible(page, ".st-key-play button")


def paper(page: Page, path: str, part: str, text: str) -> Page:
    page.goto(f"{path}/paper?part={part}")
    expect(page.locator(".stMain")).to_contain_text(text)
    return page


def test_the_claims_lose_no_row_on_paper(context: BrowserContext, server: AppServer) -> None:
    page = paper(empty_tab(context), server.url, "claims", "internal covariate shift")
    expect(page.locator('[class*="st-key-open-less-shift"] button').first).to_be_visible()
    on_paper(page)
    assert visible(page, PRESSED) == []
    for name in CLAIMS:
        row = page.locator(f".st-key-claim-{name}")
        expect(row).to_be_visible()
        assert row.evaluate("one => getComputedStyle(one).breakInside") == "avoid"
        boxes = [column.bounding_box() for column in row.locator(".stColumn").all()]
        assert all(box is not None and box["x"] + box["width"] <= A4_PIXELS for box in boxes)
        tops = {round(box["y"]) for box in boxes if box is not None}
        assert len(tops) == 1  # a table still, not stacked
    expect(page.get_by_role("heading", name="The paper, reproduced: The claims")).to_be_visible()


def test_the_timeline_is_printed_before_the_corrections_each_at_full_width(
    context: BrowserContext, server: AppServer
) -> None:
    page = paper(empty_tab(context), server.url, "since", "What is out of reach here")
    on_paper(page)
    when(  # the page is still being laid out for paper
        page,
        "least => { const all = [...document.querySelectorAll('.st-key-since .stColumn')];"
        " const [left, right] = all.map(one => one.getBoundingClientRect());"
        " return right.top >= left.bottom && Math.min(left.width, right.width) > least }",
        0.8 * A4_PIXELS,
    )
    links = page.locator(".st-key-since a").first
    expect(links).to_be_visible()
    assert "underline" in links.evaluate("one => getComputedStyle(one).textDecorationLine")
    inner = page.locator(".st-key-since button p")  # those that lead to another part of this page
    assert inner.count() >= 2
    for link in inner.all():
        expect(link).to_be_visible()
        assert "underline" in link.evaluate("one => getComputedStyle(one).textDecorationLine")


BOXES = {
    "figure-one": ["figure-one-open"],
    "cousins": ["cousins-table", "cousins-confounds", "cousins-scope"],
    "cost": ["cost-retold"],
    "since": ["since-opening", "corrections-opening", "correction-0", "scope"],
}


@pytest.mark.parametrize("part", BOXES)
def test_a_printed_part_says_which_it_is_and_no_box_of_it_is_cut_in_two(
    context: BrowserContext, server: AppServer, part: str
) -> None:
    page = paper(empty_tab(context), server.url, part, "")
    expect(page.locator(f".st-key-{BOXES[part][-1]}")).to_be_attached()
    on_paper(page)
    expect(page.get_by_role("heading", name=f"The paper, reproduced: {PARTS[part].label}")).to_be_visible()
    for box in BOXES[part]:
        when(page, "box => getComputedStyle(document.querySelector(`.st-key-${box}`)).breakInside === 'avoid'", box)
    headings = page.locator(".stMain [data-testid=stHeading] h3")
    for heading in headings.all():  # is followed on its page by what it is the heading of
        kept = heading.evaluate("one => getComputedStyle(one.closest('[data-testid=stElementContainer]')).breakAfter")
        assert kept == "avoid"
    for opening in page.locator("[data-testid=stLayoutWrapper]:has(> [class*=-opening])").all():
        assert opening.evaluate("one => getComputedStyle(one).breakAfter") == "avoid"


@pytest.mark.parametrize("part", ["claims", "since"])
def test_a_part_of_the_paper_becomes_a_pdf_of_a_few_pages_with_its_text(
    context: BrowserContext, server: AppServer, part: str
) -> None:
    page = paper(empty_tab(context), server.url, part, "internal covariate shift")
    page.wait_for_timeout(1500)
    pdf = page.pdf(format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 2 <= pages <= 9
    drawn = sum(len(found) for found in map(inflated, re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.S)))
    assert drawn > 20_000  # bytes of drawing: not blank


def inflated(stream: bytes) -> bytes:
    """What a stream of a PDF holds, where it is compressed text."""
    try:
        return zlib.decompressobj().decompress(io.BytesIO(stream).read())
    except zlib.error:
        return b""
