"""The live area in a real browser: what stays, what moves, what a visitor can do with the cards."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bnviz.config import Settings
from bnviz.figures import FIGURES, tokens
from bnviz.live.routes import module_address
from bnviz.records import Condition, Health, Phase, Run, ghost_of
from tests.live import fakes
from tests.live.fakes import FakeHub
from tests.live.harness import VIEW, app, served

pytestmark = pytest.mark.browser

CHARTS = [
    "accuracy",
    "drift-bands",
    "loss",
    "density",
    "drift-distance",
    "gradient-histogram",
    "loss-contour",
    "health",
]
STEPS = [*range(20), *range(20, 400, 20)]
WAIT_MS = 20_000


@dataclass
class Place:
    """One page for all tests, because loading plotly.js takes longer than most of them; each has a run of its own."""

    page: Page
    hub: FakeHub
    errors: list[str] = field(default_factory=list)
    runs: Iterator[int] = field(default_factory=itertools.count)


@pytest.fixture(scope="module")
def place(browser: Browser) -> Iterator[Place]:
    hub = FakeHub(fakes.run(STEPS))
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    place = Place(page, hub)
    page.on("pageerror", lambda error: place.errors.append(str(error)))
    page.on("console", lambda message: place.errors.append(message.text) if message.type == "error" else None)
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    with served(app(hub, fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector(f'.bnviz-live[data-run-step="{STEPS[-1]}"]', timeout=WAIT_MS)
        yield place
        page.close()


@dataclass
class Lab:
    """A page with the live area, and the hub that it watches."""

    page: Page
    hub: FakeHub
    run_id: str
    steps: list[int] = field(default_factory=lambda: list(STEPS))

    def run(self, **changes: Any) -> Run:
        return fakes.run(self.steps, run_id=self.run_id, **changes)

    def put(self, *more_steps: int, **changes: Any) -> None:
        self.steps += more_steps
        self.hub.put(self.run(**changes))

    def await_step(self, step: int) -> None:
        self.page.wait_for_selector(f'.bnviz-live[data-run-step="{step}"]', timeout=WAIT_MS)

    def advance(self, steps: int = 20, **changes: Any) -> None:
        """One more point, drawn."""
        self.put(self.steps[-1] + steps, **changes)
        self.await_step(self.steps[-1])

    def card(self, name: str) -> Any:
        return self.page.locator(f'[data-chart="{name}"]')

    def range_of(self, name: str, axis: str = "xaxis") -> list[float]:
        plot = f"document.querySelector('[data-chart=\"{name}\"] .js-plotly-plot')"
        return list(self.page.evaluate(f"[...{plot}._fullLayout.{axis}.range]"))

    @property
    def triggers(self) -> list[list[Any]]:
        return list(self.page.evaluate("host.triggers"))


@pytest.fixture
def lab(place: Place) -> Iterator[Lab]:
    lab = Lab(place.page, place.hub, f"run-{next(place.runs)}")
    place.errors.clear()
    lab.put()
    lab.page.set_viewport_size({"width": 1440, "height": 900})
    lab.page.mouse.move(0, 0)
    lab.page.evaluate("(run) => host.restart(run)", lab.run_id)
    lab.page.wait_for_selector(f'.bnviz-live[data-run-id="{lab.run_id}"]', timeout=WAIT_MS)
    yield lab
    assert place.errors == []


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_all_eight_charts_are_drawn_with_title_badge_and_text_alternative(lab: Lab) -> None:
    assert set(CHARTS) <= set(FIGURES)
    for name in CHARTS:
        card = lab.card(name)
        assert card.locator(".main-svg").count() > 0
        assert card.locator("h3").inner_text() != ""
        assert card.locator(".bnviz-badge").inner_text() == "measured"
        assert len(card.locator('[role="img"]').get_attribute("aria-label") or "") > 40


def test_the_area_says_which_step_of_which_run_it_shows(lab: Lab) -> None:
    root = lab.page.locator(".bnviz-live")
    assert root.get_attribute("data-run-id") == lab.run_id
    assert root.get_attribute("data-phase") == "paused"
    assert lab.page.locator(".bnviz-status-own").inner_text() == "step 380 · paused · CPU"
    assert "After 380 steps" in lab.page.locator(".bnviz-sentence-own").inner_text()


def provide(lab: Lab, name: str) -> None:
    """A place in the page, above the live area."""
    lab.page.evaluate(
        "(name) => { const one = document.createElement('div'); one.className = name; document.body.prepend(one) }",
        name,
    )


def test_status_and_sentence_stand_where_the_page_provides_a_place(lab: Lab) -> None:
    provide(lab, "bnviz-status")
    provide(lab, "bnviz-sentence")
    lab.advance(phase=Phase.PLAYING)
    assert lab.page.locator(".bnviz-status").inner_text() == "step 400 · 640/s · CPU"
    assert "After 400 steps" in lab.page.locator(".bnviz-sentence").inner_text()
    assert not lab.page.locator(".bnviz-status-own").is_visible()
    assert not lab.page.locator(".bnviz-sentence-own").is_visible()


def test_no_frame_shows_an_empty_chart_while_a_run_goes_on(lab: Lab) -> None:
    lab.page.evaluate("""() => {
        window.empty = 0; window.looks = 0;
        const look = () => {
            window.looks += 1;
            for (const card of document.querySelectorAll("[data-chart]")) {
                const marks = card.querySelectorAll(".trace, .hm image, .contourlevel path");
                if (marks.length === 0) window.empty += 1;
            }
            requestAnimationFrame(look);
        };
        look();
    }""")
    for _ in range(8):
        lab.advance(phase=Phase.PLAYING)
    assert lab.page.evaluate("looks") > 8
    assert lab.page.evaluate("empty") == 0


def test_an_empty_run_has_its_axes_and_a_restart_begins_at_step_0(lab: Lab) -> None:
    lab.hub.put(fakes.run((), run_id=lab.run_id, generation=1))
    lab.page.wait_for_selector('.bnviz-live[data-run-step="0"][data-generation="1"]', timeout=WAIT_MS)
    for name in CHARTS:
        assert lab.card(name).locator(".main-svg").count() > 0


def test_end_labels_do_not_overlap_whatever_the_curves_do(lab: Lab) -> None:
    def boxes(name: str) -> list[dict[str, float]]:
        return list(lab.page.evaluate("""(name) => {
            const plot = document.querySelector(`[data-chart="${name}"] .js-plotly-plot`);
            return plot._fullLayout.annotations.flatMap((note, index) => {
                if (note.name !== "end-label") return [];
                const text = plot.querySelector(`.annotation[data-index="${index}"] .annotation-text-g`);
                const { top, bottom, left, right } = text.getBoundingClientRect();
                return [{ top, bottom, left, right }];
            });
        }""", name))  # fmt: skip

    for last in (420, 3000):  # later both accuracies and both losses end at nearly the same height
        lab.put(last)
        lab.await_step(last)
        for name in ("accuracy", "loss", "drift-bands"):
            labels = sorted(boxes(name), key=lambda box: (round(box["left"]), box["top"]))
            assert len(labels) >= 2
            for above, below in itertools.pairwise(labels):
                assert above["bottom"] <= below["top"] + 1 or abs(above["left"] - below["left"]) > 20


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_numbers_on_the_axes_over_time_keep_apart_however_long_a_run_is(lab: Lab, width: int) -> None:
    lab.page.set_viewport_size({"width": width, "height": 900})
    for step in (1_200, 9_800, 24_000, 100_500, 260_000, 1_250_000):
        lab.put(step)
        lab.await_step(step)
        for name in ("accuracy", "drift-bands", "density", "drift-distance"):
            for axis in lab.card(name).locator(".xaxislayer-above").all():
                labels = axis.locator(".xtick text, .x2tick text, .x3tick text").all()
                boxes = sorted((one.bounding_box() for one in labels), key=lambda box: box["x"])
                gaps = [right["x"] - left["x"] - left["width"] for left, right in itertools.pairwise(boxes)]
                assert len(boxes) >= 2, (name, step)
                assert min(gaps) >= 3, (name, step, gaps)


def test_labels_of_lines_that_end_on_one_point_keep_their_order_the_last_one_on_top(lab: Lab) -> None:
    places = lab.page.evaluate("""async (address) => {
        const { spread } = await import(address);
        const column = [50.1, 50, 50.2].map((wish, index) => ({ index, wish, height: 12 }));
        spread(column, 0, 200);
        return column.sort((a, b) => a.index - b.index).map((label) => label.place);
    }""", module_address("labels.js"))  # fmt: skip
    low, middle, high = places
    assert low > middle > high  # pixels count from above


def test_the_ghost_and_the_interventions_are_drawn(lab: Lab) -> None:
    ghost = ghost_of(fakes.history(range(0, 300, 10), Settings()), "earlier run, lr 0.1")
    lab.advance(ghost=ghost, interventions=(fakes.INTERVENTION,))
    assert "earlier" in lab.card("accuracy").inner_text()
    assert "lr 0.5 → 2" in lab.card("loss").inner_text()
    assert lab.page.locator(".bnviz-interventions tbody tr").inner_text().split("\t") == [
        "100", "learning rate", "0.5", "2",
    ]  # fmt: skip


# --- what stays -------------------------------------------------------------------------------------------------------


def drag_zoom(lab: Lab, name: str) -> None:
    box = lab.card(name).locator(".nsewdrag").first.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=5)
    lab.page.mouse.up()
    lab.page.wait_for_timeout(300)


@pytest.mark.parametrize("name", ["accuracy", "drift-bands", "density"])
def test_a_zoom_is_kept_through_updates_and_a_double_click_ends_it(lab: Lab, name: str) -> None:
    whole = lab.range_of(name)
    drag_zoom(lab, name)
    zoomed = lab.range_of(name), lab.range_of(name, "yaxis")
    assert zoomed[0][0] > whole[0] + 0.05 * whole[1]
    for _ in range(3):
        lab.advance(phase=Phase.PLAYING)
    assert (lab.range_of(name), lab.range_of(name, "yaxis")) == zoomed
    lab.card(name).locator(".nsewdrag").first.dblclick()
    lab.page.wait_for_timeout(400)
    assert lab.range_of(name)[1] == pytest.approx(lab.steps[-1], rel=0.1)


def test_a_hover_label_is_kept_through_updates(lab: Lab) -> None:
    box = lab.card("accuracy").locator(".nsewdrag").first.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    label = lab.card("accuracy").locator(".hoverlayer .legend, .hoverlayer .hovertext").first
    label.wait_for(timeout=WAIT_MS)
    for _ in range(3):
        lab.advance(phase=Phase.PLAYING)
        assert label.is_visible()


def test_nothing_moves_while_a_run_goes_on(lab: Lab) -> None:
    def places() -> list[list[float]]:
        return list(lab.page.evaluate(
            "[...document.querySelectorAll('[data-chart]')].map(c => { const r = c.getBoundingClientRect();"
            "return [r.x, r.y, r.width, r.height] })"
        ))  # fmt: skip

    provide(lab, "bnviz-status")
    lab.page.set_viewport_size({"width": 1100, "height": 768})
    lab.steps = []
    lab.put(generation=1)
    lab.await_step(0)
    lab.page.wait_for_timeout(500)
    before = places()
    lab.steps = [0]
    for _ in range(4):  # there was nothing to say at first; then sentence and findings grow
        lab.advance(997, generation=1, phase=Phase.PLAYING)
    assert places() == before


# --- theme, widths ----------------------------------------------------------------------------------------------------


def test_a_new_theme_redraws_the_charts_without_a_rerun(lab: Lab) -> None:
    line = lab.card("accuracy").locator(".scatterlayer path.js-line").last

    def stroke() -> str:
        return str(line.evaluate("(path) => getComputedStyle(path).stroke"))

    def rgb(color: str) -> str:
        return "rgb({}, {}, {})".format(*(int(color[i : i + 2], 16) for i in (1, 3, 5)))

    assert stroke() == rgb(tokens()["light"]["bn"])
    lab.page.evaluate("document.querySelector('.stApp').classList.add('dark')")
    lab.page.wait_for_selector('.bnviz-live[data-theme="dark"]', timeout=WAIT_MS)
    lab.page.wait_for_timeout(600)
    assert stroke() == rgb(tokens()["dark"]["bn"])


@pytest.mark.parametrize(("width", "columns"), [(1440, 2), (1024, 2), (390, 1)])
def test_cards_stand_in_two_columns_or_one_and_nothing_scrolls_sideways(lab: Lab, width: int, columns: int) -> None:
    lab.page.set_viewport_size({"width": width, "height": 844})
    lab.page.wait_for_timeout(600)
    lefts = lab.page.evaluate(
        "[...document.querySelectorAll('[data-chart]')].slice(0, 6).map(c => Math.round(c.getBoundingClientRect().x))"
    )
    assert len(set(lefts)) == columns
    assert lab.page.evaluate("document.documentElement.scrollWidth") <= width
    drawn, room = (lab.card("accuracy").locator(one).first.bounding_box() for one in (".main-svg", ".bnviz-plot"))
    assert drawn is not None
    assert room is not None
    assert drawn["width"] == pytest.approx(room["width"], abs=1)


# --- what a visitor does ----------------------------------------------------------------------------------------------


def test_a_switch_of_the_view_is_answered_over_the_socket(lab: Lab) -> None:
    card = lab.card("drift-distance")
    card.locator(".bnviz-plot").scroll_into_view_if_needed()  # words change with the picture, in sight
    before = card.locator(".bnviz-finding").inner_text()
    card.get_by_role("button", name="Path").click()
    lab.page.wait_for_function(
        "(before) => document.querySelector('[data-chart=drift-distance] .bnviz-finding').textContent !== before",
        arg=before,
    )
    assert card.get_by_role("button", name="Path").get_attribute("aria-pressed") == "true"
    assert lab.triggers == []  # no rerun of the page


def test_a_field_that_the_page_changes_wins_over_a_switch(lab: Lab) -> None:
    lab.card("drift-distance").get_by_role("button", name="Path").click()
    lab.page.evaluate("(view) => host.show({ view })", VIEW | {"is_path": True})
    lab.page.evaluate("(view) => host.show({ view })", VIEW)
    pressed = lab.card("drift-distance").get_by_role("button", name="Net").get_attribute("aria-pressed")
    assert pressed == "true"


def test_log_x_is_applied_in_the_browser_and_back(lab: Lab) -> None:
    button = lab.card("accuracy").get_by_role("button", name="log x")
    button.click()
    lab.page.wait_for_function(
        "document.querySelector('[data-chart=accuracy] .js-plotly-plot')._fullLayout.xaxis.type === 'log'"
    )
    assert lab.range_of("accuracy") == pytest.approx([0, 2.58], abs=0.05)  # steps 1 to 380
    lab.advance()
    assert lab.range_of("accuracy")[1] == pytest.approx(2.60, abs=0.05)
    button.click()
    lab.page.wait_for_function(
        "document.querySelector('[data-chart=accuracy] .js-plotly-plot')._fullLayout.xaxis.type === 'linear'"
    )


def test_questions_and_directions_reach_the_page(lab: Lab) -> None:
    lab.card("density").get_by_role("button", name="About this chart").click()
    lab.card("loss-contour").get_by_role("button", name="Random").click()
    assert lab.triggers == [["explain", "density"], ["directions", "random"]]


def test_only_the_owner_may_ask_for_other_directions(lab: Lab) -> None:
    lab.page.evaluate("host.show({ is_owner: false })")
    assert lab.card("loss-contour").get_by_role("button", name="Random").is_disabled()


def test_the_menu_works_with_the_keyboard_alone(lab: Lab) -> None:
    button = lab.card("loss").get_by_role("button", name="Chart menu")
    button.focus()
    lab.page.keyboard.press("Enter")
    menu = lab.card("loss").get_by_role("menu")
    assert menu.get_by_role("menuitem").all_inner_texts() == [
        "Enlarge", "Download PNG", "Download SVG", "Download CSV", "Copy link",
    ]  # fmt: skip
    lab.page.keyboard.press("ArrowUp")
    assert lab.page.evaluate("document.activeElement.textContent") == "Copy link"
    lab.page.keyboard.press("Escape")
    assert menu.count() == 0
    assert button.evaluate("(one) => one === document.activeElement")


def download(lab: Lab, name: str, item: str, folder: Path) -> Path:
    lab.card(name).get_by_role("button", name="Chart menu").click()
    with lab.page.expect_download() as waiting:
        lab.card(name).get_by_role("menuitem", name=item).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_chart_is_downloaded_as_picture_and_as_numbers(lab: Lab, tmp_path: Path) -> None:
    png = download(lab, "accuracy", "Download PNG", tmp_path)
    assert png.name == "bnviz-accuracy-step-380.png"
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    svg = download(lab, "accuracy", "Download SVG", tmp_path).read_text()
    assert svg.startswith("<svg")
    assert "Test accuracy" in svg
    rows = download(lab, "accuracy", "Download CSV", tmp_path).read_text().splitlines()
    assert rows[0] == "series,x,y"
    last = fakes.point(380, Settings()).accuracy
    assert f"with BN,380,{float(f'{100 * last[1]:.7g}')}"[:16] in "\n".join(rows)
    grid = download(lab, "loss-contour", "Download CSV", tmp_path).read_text().splitlines()
    assert grid[0] == "series,x,y,z"
    assert len(grid) > 2 * 21 * 21


def test_a_link_to_a_chart_brings_it_into_view(lab: Lab) -> None:
    assert lab.page.evaluate("scrollY") == 0
    lab.page.evaluate("history.replaceState(null, '', '#chart-health')")
    lab.page.evaluate("(run) => host.restart(run)", lab.run_id)
    lab.page.wait_for_function("scrollY > 100")
    lab.page.evaluate("history.replaceState(null, '', '#')")


def test_an_enlarged_chart_fills_the_window_and_comes_back(lab: Lab) -> None:
    before = lab.card("accuracy").bounding_box()
    assert before is not None
    lab.card("accuracy").get_by_role("button", name="Chart menu").click()
    lab.card("accuracy").get_by_role("menuitem", name="Enlarge").click()
    lab.page.wait_for_timeout(500)
    large = lab.card("accuracy").locator(".main-svg").first.bounding_box()
    assert large is not None
    assert large["width"] > 1200
    lab.advance()  # it lives on
    lab.page.keyboard.press("Escape")
    lab.page.wait_for_timeout(500)
    assert lab.card("accuracy").bounding_box() == before


# --- keyboard ---------------------------------------------------------------------------------------------------------


BUTTONS = """() => {
    window.clicks = [];
    for (const name of ["play", "step1", "reset", "present"]) {
        const box = document.createElement("div");
        box.className = `st-key-${name}`;
        const button = document.createElement("button");
        button.onclick = () => window.clicks.push(name);
        box.append(button);
        document.body.append(box);
    }
    const input = document.createElement("input");
    input.id = "field";
    document.body.append(input);
    document.onkeydown = (event) => void window.clicks.push(`streamlit ${event.key}`);
}"""


def test_keys_press_the_buttons_of_the_page_and_streamlit_does_not_hear_them(lab: Lab) -> None:
    lab.page.evaluate(BUTTONS)
    for key in (" ", "ArrowRight", "r", "p", "?", "x"):
        lab.page.keyboard.press(key)
    assert lab.page.evaluate("clicks") == ["play", "step1", "reset", "present", "streamlit x"]
    assert lab.triggers == [["explain", "keyboard"]]


def test_keys_are_left_alone_where_they_mean_something_else(lab: Lab) -> None:
    lab.page.evaluate(BUTTONS)
    lab.page.focus("#field")
    for key in (" ", "ArrowRight", "r", "?"):
        lab.page.keyboard.press(key)
    assert lab.page.evaluate("clicks") == [f"streamlit {key}" for key in (" ", "ArrowRight", "r", "?")]
    assert lab.page.input_value("#field") == " r?"
    lab.page.locator(".st-key-reset button").focus()
    lab.page.evaluate("window.clicks = []")
    lab.page.keyboard.press(" ")  # the button's own
    assert "play" not in lab.page.evaluate("clicks")
    assert "reset" in lab.page.evaluate("clicks")
    lab.page.keyboard.press("Control+r")
    lab.page.wait_for_load_state()
    lab.await_step(STEPS[-1])


# --- run, phase, connection -------------------------------------------------------------------------------------------


def test_another_run_replaces_the_one_before_without_an_empty_chart(lab: Lab) -> None:
    lab.hub.put(fakes.run([0, 1, 7], run_id="another"))
    lab.page.evaluate("host.show({ run_id: 'another' })")
    assert lab.card("accuracy").locator(".scatterlayer .trace").count() > 0
    lab.page.wait_for_selector('.bnviz-live[data-run-step="7"][data-run-id="another"]', timeout=WAIT_MS)


def test_a_phase_that_the_page_does_not_know_is_reported_once(lab: Lab) -> None:
    lab.advance(phase=Phase.PLAYING)
    lab.advance(phase=Phase.PLAYING)
    lab.page.wait_for_timeout(1000)
    lab.advance(phase=Phase.PLAYING)
    lab.page.wait_for_timeout(1000)
    assert lab.triggers == [["phase", "playing"]]
    lab.page.evaluate("host.show({ phase: 'playing' })")
    lab.advance(phase=Phase.PLAYING)
    lab.page.wait_for_timeout(1000)
    assert lab.triggers == [["phase", "playing"]]


def test_a_phase_that_passes_is_not_reported(lab: Lab) -> None:
    said = lab.page.evaluate("""async (address) => {
        const { PhaseWatch } = await import(address);
        const said = [];
        const watch = new PhaseWatch((phase) => said.push(phase));
        watch.believe("run", "paused");
        watch.see("run", "playing");
        watch.believe("run", "playing");  // the page's own rerun comes soon after a command
        watch.see("run", "paused");
        watch.see("run", "playing");
        watch.see("another run", "stopped");
        await new Promise((done) => setTimeout(done, 900));
        return said;
    }""", module_address("phase.js"))  # fmt: skip
    assert said == []


def test_what_may_not_be_reported_yet_is_reported_later(lab: Lab) -> None:
    """Streamlit takes one trigger of a component a rerun: a report must not take the place of a visitor's wish."""
    early, late = lab.page.evaluate("""async (address) => {
        const { PhaseWatch } = await import(address);
        const said = [];
        let may = false;
        const watch = new PhaseWatch((phase) => said.push(phase), 100, () => may);
        watch.believe("run", "paused");
        watch.see("run", "playing");
        await new Promise((done) => setTimeout(done, 500));
        const early = [...said];
        may = true;
        await new Promise((done) => setTimeout(done, 500));
        return [early, said];
    }""", module_address("phase.js"))  # fmt: skip
    assert early == []
    assert late == ["playing"]


def test_a_visitors_wish_goes_before_what_the_component_reports_itself(lab: Lab) -> None:
    lab.page.evaluate("host.show({ phase: 'paused' })")
    lab.advance(phase=Phase.PLAYING)
    lab.page.keyboard.press("?")
    lab.page.wait_for_timeout(1500)
    assert lab.triggers == [["explain", "keyboard"]]
    lab.advance(phase=Phase.PLAYING)
    lab.page.wait_for_timeout(4000)
    assert lab.triggers == [["explain", "keyboard"], ["phase", "playing"]]


def test_a_diverged_network_is_named_whole_in_the_sentence(lab: Lab) -> None:
    run = lab.run()
    health = (Health(Condition.DIVERGED, 412, 2, "weights"), Health())
    lab.hub.put(run.replace(status=replace(run.status, health=health)))
    lab.page.wait_for_function("document.querySelector('.bnviz-sentence-own').textContent.includes('412')")
    assert re.search(r"layer 2.s weights", lab.page.locator(".bnviz-sentence-own").inner_text())


def test_an_unknown_run_says_so_and_keeps_the_charts(lab: Lab) -> None:
    lab.page.evaluate("host.show({ run_id: 'nobody-knows' })")
    lab.page.get_by_text("There is no such run").wait_for(timeout=WAIT_MS)
    assert lab.card("accuracy").locator(".scatterlayer .trace").count() > 0


def test_leaving_the_page_takes_everything_away(lab: Lab) -> None:
    lab.page.evaluate("host.stop()")
    lab.page.wait_for_function("document.querySelector('.bnviz-live') === null")
    deadline = lab.page.evaluate("performance.now()") + WAIT_MS
    while lab.hub.watchers and lab.page.evaluate("performance.now()") < deadline:
        lab.page.wait_for_timeout(20)
    assert lab.hub.watchers == 0


def test_a_call_that_a_newer_one_overtook_takes_nothing_away(lab: Lab) -> None:
    lab.page.evaluate("const stop = host.stop; host.show({}); stop()")
    lab.page.wait_for_timeout(100)
    lab.advance()


COUNT_SOCKETS = """
window.sockets = [];
const Plain = WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) { super(...given); window.sockets.push(this); }
};
"""


@pytest.mark.slow
def test_a_socket_that_is_cut_while_the_run_plays_comes_back_at_the_newest_frame(browser: Browser) -> None:
    hub = FakeHub(fakes.run(STEPS, phase=Phase.PLAYING))
    page = browser.new_page()
    page.add_init_script(COUNT_SOCKETS)
    with served(app(hub, fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector('.bnviz-live[data-run-step="380"]', timeout=WAIT_MS)
        page.evaluate("sockets.at(-1).close()")
        for step in (400, 450, 500):  # the run goes on meanwhile
            hub.put(fakes.run([*STEPS, step], phase=Phase.PLAYING))
        page.wait_for_selector('.bnviz-live[data-run-step="500"]', timeout=WAIT_MS)
        assert page.evaluate("sockets.length") == 2
        assert page.locator('[data-chart="accuracy"] .scatterlayer .trace').count() > 0
        page.close()


@pytest.mark.slow
def test_a_laptop_that_slept_opens_a_new_connection_and_shows_the_newest_frame(browser: Browser) -> None:
    hub = FakeHub(fakes.run(STEPS, phase=Phase.PLAYING))
    page = browser.new_page()
    page.add_init_script(COUNT_SOCKETS)
    page.clock.install()
    with served(app(hub, fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector('.bnviz-live[data-run-step="380"]', timeout=WAIT_MS)
        page.evaluate("sockets.at(-1).onmessage = null")  # the old one hears nothing any more, and is not told so
        page.clock.fast_forward(600_000)
        hub.put(fakes.run([*STEPS, 500], phase=Phase.PLAYING))
        page.wait_for_selector('.bnviz-live[data-run-step="500"]', timeout=WAIT_MS)
        assert page.evaluate("sockets.length") >= 2
        page.close()


@pytest.mark.slow
def test_a_lost_connection_is_said_calmly_and_comes_back(browser: Browser) -> None:
    hub = FakeHub(fakes.run(STEPS))
    page = browser.new_page()
    with served(app(hub, fakes.RUN_ID, CHARTS)) as url:
        page.goto(url)
        page.wait_for_selector('.bnviz-live[data-run-step="380"]', timeout=WAIT_MS)
    page.get_by_text("connection lost, reconnecting").wait_for(timeout=WAIT_MS)
    assert page.locator('[data-chart="accuracy"] .scatterlayer .trace').count() > 0
    hub.put(fakes.run([*STEPS, 500]))
    with served(app(hub, fakes.RUN_ID, CHARTS), int(url.rsplit(":", 1)[1])):
        page.wait_for_selector('.bnviz-live[data-run-step="500"]', timeout=WAIT_MS)
        assert "lost" not in page.locator(".bnviz-status-own").inner_text()
        page.close()
