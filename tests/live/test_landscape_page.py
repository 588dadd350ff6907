"""The charts of landscapes in a real browser: surface and contours, the batches, the step under the cursor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bnviz.records import Phase, Run
from tests.figures import made_up_runs as made_up
from tests.live import fakes
from tests.live.fakes import FakeHub
from tests.live.harness import VIEW, app, served

pytestmark = pytest.mark.browser

CHARTS = ["landscape", "loss", "landscape-cut", "landscape-batches"]
STEPS = [*range(0, 1500, 20), 1500]
WAIT_MS = 20_000
PLOT = "document.querySelector('[data-chart=\"{}\"] .js-plotly-plot')"
NO_WEBGL = """
const own = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.includes("webgl") ? null : own.call(this, kind, ...more);
};
"""


class Place:
    """A page that shows a run with a landscape."""

    def __init__(self, page: Page, hub: FakeHub) -> None:
        self.page, self.hub = page, hub

    def put(self, **changes: Any) -> None:
        self.hub.put(a_run(**changes))

    def card(self, name: str) -> Any:
        return self.page.locator(f'[data-chart="{name}"]')

    def press(self, name: str, chart: str = "landscape") -> None:
        self.card(chart).get_by_role("button", name=name, exact=True).click()

    def of(self, chart: str, what: str) -> Any:
        return self.page.evaluate(PLOT.format(chart) + what)

    def await_(self, chart: str, what: str) -> None:
        self.page.wait_for_function(PLOT.format(chart) + what, timeout=WAIT_MS)

    def await_surface(self) -> None:
        self.await_("landscape", "._fullLayout.scene2?._scene?.glplot")

    def marks(self, chart: str, tag: str) -> list[dict[str, float]]:
        """Of the cursor: where its dots or lines stand, in pixels of the plot."""
        return list(
            self.card(chart)
            .locator(f".bnviz-cursor {tag}")
            .evaluate_all(
                "(all) => all.map((one) => Object.fromEntries([...one.attributes].map((a) => [a.name, +a.value])))"
            )
        )

    def pixel(self, chart: str, axes: str, x: float, y: float) -> tuple[float, float]:
        """On the page, of a point of a plot."""
        return tuple(self.page.evaluate(
            """([chart, axes, x, y]) => {
                const plot = document.querySelector(`[data-chart="${chart}"] .js-plotly-plot`);
                const [across, up] = [plot._fullLayout["xaxis" + axes], plot._fullLayout["yaxis" + axes]];
                const box = plot.getBoundingClientRect();
                return [box.left + across._offset + across.d2p(x), box.top + up._offset + up.d2p(y)];
            }""",
            [chart, axes, x, y],
        ))  # fmt: skip

    def hover(self, chart: str, axes: str, x: float, y: float) -> None:
        across, up = self.pixel(chart, axes, x, y)
        self.page.mouse.move(across + 30, up + 3)
        self.page.mouse.move(across, up, steps=3)
        self.page.wait_for_timeout(200)

    def leave(self) -> None:
        self.page.mouse.move(2, 2, steps=2)
        self.page.wait_for_timeout(300)


def a_run(steps: Any = STEPS, **changes: Any) -> Run:
    return fakes.run(list(steps), **({"landscape": made_up.landscape(1500)} | changes))


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Place]:
    errors: list[str] = []
    hub = FakeHub(a_run())
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    with served(app(hub, fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector('.bnviz-live[data-run-step="1500"]', timeout=WAIT_MS)
        yield Place(page, hub)
        page.close()
    assert errors == []


@pytest.fixture
def place(opened: Place) -> Place:
    opened.put()
    opened.page.set_viewport_size({"width": 1440, "height": 900})
    opened.leave()
    opened.page.evaluate("(run) => host.restart(run)", fakes.RUN_ID)
    opened.page.wait_for_selector('.bnviz-live[data-run-step="1500"]', timeout=WAIT_MS)
    return opened


# --- surface and contours ---------------------------------------------------------------------------------------------


def test_the_surface_takes_the_place_of_the_contours_and_gives_it_back(place: Place) -> None:
    place.press("Surface")
    place.await_surface()
    assert place.card("landscape").locator(".contourlayer path").count() == 0
    assert place.of("landscape", ".data.filter((one) => one.type === 'surface').length") == 2
    place.press("Contour")
    place.await_("landscape", "._fullLayout.scene === undefined")
    assert place.card("landscape").locator(".contourlevel path").count() > 4
    assert place.card("landscape").locator("canvas").count() == 0  # browsers allow only some of them


def turn(place: Place, scene: str) -> None:
    box = place.card("landscape").locator(f"#{scene} canvas, .{scene} canvas").first.bounding_box()
    if box is None:
        box = place.card("landscape").locator("canvas").first.bounding_box()
    assert box is not None
    place.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    place.page.mouse.down()
    place.page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.6, steps=6)
    place.page.mouse.up()
    place.page.wait_for_timeout(400)


def eyes(place: Place) -> list[list[float]]:
    get = "((full) => ['scene', 'scene2'].map((one) => Object.values(full[one]._scene.getCamera().eye)))"
    return list(place.page.evaluate(f"{get}({PLOT.format('landscape')}._fullLayout)"))


def test_turning_one_surface_turns_the_other_and_an_update_leaves_both(place: Place) -> None:
    place.press("Surface")
    place.await_surface()
    before = eyes(place)
    turn(place, "scene")
    turned = eyes(place)
    assert np.abs(np.subtract(turned[0], before[0])).max() > 0.1
    np.testing.assert_allclose(turned[1], turned[0], atol=1e-6)
    place.press("Next batch")
    place.card("landscape").get_by_text("batch 2 of 4, 512 images").wait_for(timeout=WAIT_MS)
    place.page.wait_for_timeout(300)
    np.testing.assert_allclose(eyes(place), turned, atol=1e-6)


def test_without_webgl_the_chart_says_so_and_stays_at_the_contours(browser: Browser) -> None:
    page = browser.new_page()
    page.add_init_script(NO_WEBGL)
    with served(app(FakeHub(a_run()), fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector('.bnviz-live[data-run-step="1500"]', timeout=WAIT_MS)
        card = page.locator('[data-chart="landscape"]')
        card.get_by_role("button", name="Surface").click()
        card.get_by_text("no surfaces, because it has no WebGL").wait_for(timeout=WAIT_MS)
        page.wait_for_timeout(300)
        assert card.locator(".contourlevel path").count() > 4
        assert card.get_by_role("button", name="Contour").get_attribute("aria-pressed") == "true"
        page.evaluate("(view) => host.show({ view })", VIEW | {"is_surface": True})  # as a page may ask for it
        page.wait_for_timeout(300)
        assert card.locator(".contourlevel path").count() > 4
        assert "no WebGL" in card.locator(".bnviz-finding").inner_text()
        page.close()


# --- batches ----------------------------------------------------------------------------------------------------------


def test_the_stepper_goes_through_the_batches_round_and_to_their_mean(place: Place) -> None:
    shown = place.card("landscape").locator(".bnviz-shown")
    assert shown.inner_text() == "batch 1 of 4"
    place.press("Next batch")
    assert shown.inner_text() == "batch 2 of 4"
    place.card("landscape-batches").get_by_text("From batch 2 to batch 3").wait_for(timeout=WAIT_MS)
    place.press("Previous batch")
    place.press("Previous batch")
    place.card("landscape").get_by_text("batch 4 of 4, 512 images").wait_for(timeout=WAIT_MS)
    place.press("Mean")
    place.card("landscape").get_by_text("mean over 4 batches").wait_for(timeout=WAIT_MS)
    assert shown.get_attribute("aria-pressed") == "false"
    shown.click()
    place.card("landscape").get_by_text("batch 4 of 4, 512 images").wait_for(timeout=WAIT_MS)


def test_the_stepper_works_with_the_keyboard_and_keeps_the_focus(place: Place) -> None:
    place.card("landscape").get_by_role("button", name="Next batch").focus()
    for batch in (2, 3):
        place.page.keyboard.press("Enter")
        place.card("landscape").get_by_text(f"batch {batch} of 4, 512 images").wait_for(timeout=WAIT_MS)
    assert place.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Next batch"


def test_a_landscape_of_one_batch_has_no_stepper(place: Place) -> None:
    place.put(landscape=made_up.landscape(1500, made_up.FINE.replace(batches=1)))
    place.card("landscape").locator(".bnviz-choices").wait_for(state="hidden", timeout=WAIT_MS)
    place.card("landscape").get_by_text("one batch of 512 images").wait_for(timeout=WAIT_MS)


def test_the_line_between_the_twins_is_a_switch_away(place: Place) -> None:
    place.press("Twin to twin", "landscape-cut")
    place.card("landscape-cut").get_by_text("barrier of").wait_for(timeout=WAIT_MS)


# --- the step under the cursor ----------------------------------------------------------------------------------------


def test_the_loss_curve_shows_where_on_the_paths_a_step_is(place: Place) -> None:
    run = a_run()
    assert run.landscape is not None
    for step, point in ((1000, 7), (1480, 11)):
        place.hover("loss", "", step, 0.5)
        dots = place.marks("landscape", "circle")
        assert len(dots) == 2
        box = place.card("landscape").locator(".js-plotly-plot").bounding_box()
        assert box is not None
        for k, dot in enumerate(dots):
            x, y = place.pixel("landscape", ("", "2")[k], *run.landscape.path[k, point])
            assert (dot["cx"] + box["x"], dot["cy"] + box["y"]) == pytest.approx((x, y), abs=1)
    place.leave()
    assert place.marks("landscape", "circle") == []


def test_a_path_shows_its_step_on_the_loss_curve_and_on_the_other_path(place: Place) -> None:
    run = a_run()
    assert run.landscape is not None
    x, y = run.landscape.path[1, 4]
    place.hover("landscape", "2", x, y)
    (line,) = place.marks("loss", "line")
    step = run.landscape.path_steps[4]
    left = place.pixel("loss", "", step, 1)[0]
    box = place.card("loss").locator(".js-plotly-plot").bounding_box()
    assert box is not None
    assert line["x1"] + box["x"] == pytest.approx(left, abs=1)
    assert len(place.marks("loss", "circle")) == 2
    assert place.card("loss").locator(".bnviz-cursor text").text_content() == "step 545"
    assert len(place.marks("landscape", "circle")) == 2
    place.leave()
    assert place.marks("loss", "line") == []


@pytest.mark.parametrize(("axis", "at", "lines"), [("images", 60.0, 1), ("compute", 0.0007, 2)])
def test_over_images_and_compute_time_the_step_is_found_too(place: Place, axis: str, at: float, lines: int) -> None:
    place.page.evaluate("(view) => host.show({ view })", VIEW | {"axis": axis})
    unit = {"images": "images", "compute": "seconds"}[axis]
    place.await_("loss", f".layout.meta?.x === '{unit}'")
    run = a_run()
    assert run.landscape is not None
    place.hover("landscape", "2", *run.landscape.path[1, 4])
    found = place.marks("loss", "line")
    assert len(found) == lines
    box = place.card("loss").locator(".js-plotly-plot").bounding_box()
    assert box is not None
    x = place.pixel("loss", "", at * run.landscape.path_steps[4], 1)[0]
    assert found[-1]["x1"] + box["x"] == pytest.approx(x, abs=1.5)


def test_the_cursor_respects_a_zoom_and_a_logarithmic_axis(place: Place) -> None:
    run = a_run()
    assert run.landscape is not None
    place.press("log x", "loss")
    place.await_("loss", "._fullLayout.xaxis.type === 'log'")
    place.hover("landscape", "2", *run.landscape.path[1, 4])
    (line,) = place.marks("loss", "line")
    box = place.card("loss").locator(".js-plotly-plot").bounding_box()
    assert box is not None
    assert line["x1"] + box["x"] == pytest.approx(place.pixel("loss", "", run.landscape.path_steps[4], 1)[0], abs=1)
    place.leave()
    place.page.evaluate(f"Plotly.relayout({PLOT.format('loss')}, {{'xaxis.range': [0, 1]}})")
    place.hover("landscape", "2", *run.landscape.path[1, 4])
    assert place.marks("loss", "line") == []
    assert place.marks("loss", "circle") == []
    place.press("log x", "loss")


def test_on_a_surface_the_step_has_its_dots_too(place: Place) -> None:
    place.press("Surface")
    place.await_surface()
    place.hover("loss", "", 1000, 0.5)
    dots = place.marks("landscape", "circle")
    assert len(dots) == 2
    size = place.card("landscape").locator(".js-plotly-plot").bounding_box()
    assert size is not None
    assert 0 < dots[0]["cx"] < size["width"] / 2 < dots[1]["cx"] < size["width"]


def test_a_step_after_the_landscape_has_no_place_on_its_paths(place: Place) -> None:
    place.put(steps=[*STEPS, 3000], phase=Phase.PLAYING)
    place.page.wait_for_selector('.bnviz-live[data-run-step="3000"]', timeout=WAIT_MS)
    place.hover("loss", "", 2950, 0.5)
    assert place.marks("landscape", "circle") == []


def test_the_cursor_stays_at_its_step_while_the_run_goes_on(place: Place) -> None:
    place.hover("landscape", "2", *a_run().landscape.path[1, 4])  # type: ignore[union-attr]
    (before,) = place.marks("loss", "line")
    place.put(steps=[*STEPS, 3000])
    place.page.wait_for_selector('.bnviz-live[data-run-step="3000"]', timeout=WAIT_MS)
    (after,) = place.marks("loss", "line")
    assert after["x1"] < before["x1"] - 20


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_loss_stands_beside_the_plane_where_there_is_room(place: Place, width: int) -> None:
    place.page.set_viewport_size({"width": width, "height": 900})
    place.page.wait_for_timeout(600)
    plane, loss = (place.card(name).bounding_box() for name in ("landscape", "loss"))
    assert plane is not None
    assert loss is not None
    is_beside = loss["x"] > plane["x"] + plane["width"]
    assert is_beside == (width == 1440)
    assert place.page.evaluate("document.documentElement.scrollWidth") <= width
    if is_beside:
        tops = [place.card(name).locator(".bnviz-plot").bounding_box() for name in ("landscape", "loss")]
        assert tops[0]["y"] == tops[1]["y"]
        assert tops[0]["height"] == tops[1]["height"]


@pytest.mark.parametrize("is_surface", [False, True])
def test_the_numbers_of_a_plane_are_downloaded_in_nats(place: Place, tmp_path: Path, is_surface: bool) -> None:
    if is_surface:
        place.press("Surface")
        place.await_surface()
    place.press("Chart menu")
    with place.page.expect_download() as waiting:
        place.card("landscape").get_by_role("menuitem", name="Download CSV").click()
    path = tmp_path / "landscape.csv"
    waiting.value.save_as(path)
    run = a_run()
    assert run.landscape is not None
    header, first, *rows = path.read_text().splitlines()
    assert header == "series,x,y,z"
    assert first == f"without BN,-1,-1,{float(f'{run.landscape.loss[0, 0, 0, 0]:.7g}')}"
    assert len(rows) > 2 * 41 * 41
