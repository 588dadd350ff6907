"""The WebSocket route: who may watch, what is sent, when."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bnviz.config import MEAN, Axis, FigureOneConfig, Settings, View
from bnviz.live.frames import PackedChart, Spec, decode
from bnviz.live.routes import routes
from bnviz.live.socket import (
    CLOSE_BAD_MESSAGE,
    CLOSE_UNKNOWN_RUN,
    BadMessageError,
    Watcher,
    is_origin_allowed,
    view_of,
)
from bnviz.records import Phase, Run
from tests.live import fakes
from tests.live.fakes import RUN_ID, FakeHub
from tests.live.harness import served

QUIET_SECONDS = 0.4  # long enough for a frame that should not come
ANSWER_SECONDS = 30.0


def _by_step(run: Run, view: View) -> Spec:
    return {"data": [], "layout": {"title": f"step {run.status.step}, layer {view.layer}"}}


def _constant(run: Run, view: View) -> Spec:
    return {"data": [], "layout": {"title": "always the same"}}


def _broken(run: Run, view: View) -> Spec:
    raise ZeroDivisionError


FIGURES: dict[str, Callable[[Run, View], Spec]] = {"by-step": _by_step, "constant": _constant}


@dataclass
class Place:
    """A running server, and the hub that it asks for the time being."""

    address: str
    hub: FakeHub


class Browser:
    """The browser's end of a connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> tuple[dict[str, Any], dict[str, Spec]]:
        return decode(self.connection.recv(ANSWER_SECONDS))

    def frame(self, **message: Any) -> tuple[dict[str, Any], dict[str, Spec]]:
        """Ask for the next frame, and have it."""
        self.say(next=0, **message)
        return self.hear()

    def closed_with(self) -> tuple[int, str]:
        with pytest.raises(ConnectionClosed) as closed:
            self.connection.recv(ANSWER_SECONDS)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason


def application(hub: Callable[[], FakeHub], figures: dict[str, Callable[[Run, View], Spec]]) -> Starlette:
    return Starlette(routes=routes(hub, figures, lambda run, view: f"layer {view.layer}"))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    known: list[Place] = []
    with served(application(lambda: known[0].hub, FIGURES)) as url:
        known.append(Place(url.replace("http", "ws") + "/bnviz/frames", FakeHub()))
        yield known[0]


@pytest.fixture
def hub(place: Place) -> FakeHub:
    place.hub = FakeHub(fakes.run(steps=[0, 1]))
    return place.hub


@pytest.fixture
def browser(place: Place, hub: FakeHub) -> Iterator[Browser]:
    with connect(f"{place.address}?run={RUN_ID}") as connection:
        yield Browser(connection)


def put(hub: FakeHub, last: int, **more: Any) -> None:
    hub.put(fakes.run(steps=[0, 1, last], **more))


def _accompanied(run: Run, view: View) -> Spec:
    return {"data": [], "layout": {"title": run.figure_one.config.name if run.figure_one else "alone"}}


# --- who may watch ----------------------------------------------------------------------------------------------------


def test_a_page_of_another_origin_is_refused_before_the_handshake(place: Place, hub: FakeHub) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{place.address}?run={RUN_ID}", origin="https://elsewhere.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    assert hub.watchers == 0


def test_the_page_itself_may_watch(place: Place, hub: FakeHub) -> None:
    own = place.address.replace("ws", "http").removesuffix("/bnviz/frames")
    with connect(f"{place.address}?run={RUN_ID}", origin=own) as connection:  # type: ignore[arg-type]
        assert Browser(connection).frame()[0]["run_id"] == RUN_ID


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (None, True),
        ("http://lab.example:8501", True),
        ("https://lab.example:8501", True),  # behind a proxy that ends TLS
        ("http://lab.example", False),
        ("http://lab.example:8501.elsewhere.example", False),
        ("http://elsewhere.example/lab.example:8501", False),
        ("null", False),
    ],
)
def test_the_origin_must_be_the_host_itself(origin: str | None, is_allowed: bool) -> None:
    assert is_origin_allowed(origin, "lab.example:8501") is is_allowed


def test_an_unknown_run_closes_with_the_reason(place: Place, hub: FakeHub) -> None:
    with connect(f"{place.address}?run=nobody-knows") as connection:
        code, reason = Browser(connection).closed_with()
    assert code == CLOSE_UNKNOWN_RUN
    assert reason == "There is no such run: start one of your own."


def test_a_watcher_counts_as_long_as_it_is_connected(place: Place, hub: FakeHub) -> None:
    with connect(f"{place.address}?run={RUN_ID}") as connection:
        Browser(connection).frame()
        assert hub.watchers == 1
    deadline = time.monotonic() + ANSWER_SECONDS
    while hub.watchers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert hub.watchers == 0


@pytest.mark.parametrize(
    "message",
    ["no JSON", "[1]", '"next"', "[" * 4000, '{"view": 3}', '{"view": {"layer": true}}', '{"view": {"axis": "miles"}}',
     '{"charts": "all"}', '{"next": "' + 5000 * "x" + '"}', b"BNV1"],
    ids=["text", "list", "string", "deep", "view", "layer", "axis", "charts", "long", "binary"],
)  # fmt: skip
def test_a_message_that_no_page_of_ours_sends_closes(browser: Browser, message: str | bytes) -> None:
    browser.connection.send(message)
    assert browser.closed_with()[0] == CLOSE_BAD_MESSAGE


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_the_first_frame_holds_every_chart_and_what_the_run_is_doing(browser: Browser) -> None:
    header, charts = browser.frame()
    assert set(charts) == set(FIGURES)
    assert header["run_id"] == RUN_ID
    assert (header["step"], header["drawn_step"], header["phase"], header["device"]) == (1, 1, "paused", "CPU")
    assert header["badge"] == "measured"
    assert header["sentence"] == "layer 3"
    assert [one["name"] for one in header["health"]] == ["plain", "bn"]


def test_only_charts_that_changed_are_sent_again(browser: Browser, hub: FakeHub) -> None:
    browser.frame()
    put(hub, 2)
    header, charts = browser.frame()
    assert header["step"] == 2
    assert set(charts) == {"by-step"}


def test_a_new_view_is_answered_although_nothing_was_trained(browser: Browser) -> None:
    browser.frame()
    header, charts = browser.frame(view={"layer": 2})
    assert charts["by-step"]["layout"]["title"] == "step 1, layer 2"
    assert header["sentence"] == "layer 2"


def test_a_layer_that_the_model_lacks_becomes_its_nearest(browser: Browser) -> None:
    header, _ = browser.frame(view={"layer": 99})
    assert header["sentence"] == f"layer {Settings().model.hidden_layers}"


def test_only_the_charts_that_are_shown_are_sent(browser: Browser) -> None:
    _, charts = browser.frame(charts=["constant", "not-a-chart"])
    assert set(charts) == {"constant"}
    _, charts = browser.frame(charts=["constant", "by-step"])
    assert set(charts) == {"by-step"}


def test_a_run_has_its_recording_beside_it_as_long_as_its_page_has_a_chart_that_shows_it() -> None:
    config = FigureOneConfig(learning_rate=0.5)
    hub = FakeHub(fakes.run(steps=[0, 1], phase=Phase.PLAYING, settings=config.settings))
    figures = {"figure-one-accuracy": _accompanied, "accuracy": _accompanied}
    with (
        served(application(lambda: hub, figures)) as url,
        connect(f"{url.replace('http', 'ws')}/bnviz/frames?run={RUN_ID}") as connection,
    ):
        browser = Browser(connection)
        header, charts = browser.frame(charts=["accuracy"])
        assert charts["accuracy"]["layout"]["title"] == "alone"
        assert (header["progress"], header["can_change"]) == ("", True)
        header, charts = browser.frame(charts=["figure-one-accuracy"])
        assert charts["figure-one-accuracy"]["layout"]["title"] == config.name
        assert header["progress"] == "1:18 left"  # 49,999 steps at 640 a second
        assert header["study"] is None
        assert not header["can_change"]  # on the paper's page there is nothing to change it with
        put(hub, 2)
        header, _ = browser.frame(charts=[])  # scrolled out of sight
        assert header["progress"] == ""  # it is paused now
        put(hub, 3, phase=Phase.PLAYING)
        header, _ = browser.frame()
        assert header["progress"].endswith("left")


def test_one_broken_chart_does_not_take_the_others_with_it(hub: FakeHub, caplog: pytest.LogCaptureFixture) -> None:
    figures = FIGURES | {"broken": _broken}
    with (
        served(application(lambda: hub, figures)) as url,
        connect(f"{url.replace('http', 'ws')}/bnviz/frames?run={RUN_ID}") as connection,
    ):
        header, charts = Browser(connection).frame()
    assert set(charts) == set(FIGURES)
    assert header["failed"] == ["broken"]
    assert "broken" in caplog.text


def test_interventions_and_summary_are_in_words(browser: Browser, hub: FakeHub) -> None:
    browser.frame()
    put(hub, 200, interventions=(fakes.INTERVENTION,))
    header, _ = browser.frame()
    assert header["interventions"] == [{"step": 100, "setting": "learning rate", "old": "0.5", "new": "2"}]
    assert header["summary"].startswith("784-100-100-100-10, sigmoid, weights N(0, 0.1²)")
    assert "300 biases are dropped" in header["summary"]


# --- when -------------------------------------------------------------------------------------------------------------


def assert_silent(browser: Browser) -> None:
    """Nothing more comes: the next thing the server says is the answer to a view that only now is asked for."""
    time.sleep(QUIET_SECONDS)
    browser.say(view={"layer": 1})
    header, _ = browser.hear()
    assert header["sentence"] == "layer 1"


def test_no_frame_comes_before_the_browser_asks(browser: Browser, hub: FakeHub) -> None:
    browser.frame()
    for step in range(2, 6):
        put(hub, step)
        time.sleep(0.05)
    header, _ = browser.frame()
    assert header["step"] == 5


def test_who_looks_at_the_same_is_sent_the_same_and_it_is_built_once(hub: FakeHub) -> None:
    built: list[int] = []

    def counted(run: Run, view: View) -> Spec:
        built.append(run.status.step)
        return _by_step(run, view)

    def sentence(run: Run, view: View) -> str:
        built.append(run.status.step)
        return "said"

    app = Starlette(routes=routes(lambda: hub, {"counted": counted}, sentence))
    with served(app) as url, ExitStack() as stack:
        address = f"{url.replace('http', 'ws')}/bnviz/frames?run={RUN_ID}"
        browsers = [Browser(stack.enter_context(connect(address))) for _ in range(5)]
        first = [browser.frame() for browser in browsers]
        assert built == [1, 1]
        put(hub, 2)
        second = [browser.frame() for browser in browsers]
        assert built == [1, 1, 2, 2]
        late = Browser(stack.enter_context(connect(address))).frame()
    assert all(one == first[0] for one in first)
    assert all(one == second[0] for one in second)
    assert late == second[0]


def test_a_browser_that_holds_less_is_sent_more_of_the_same(place: Place, hub: FakeHub, browser: Browser) -> None:
    browser.frame()
    put(hub, 2)
    assert set(browser.frame()[1]) == {"by-step"}
    with connect(f"{place.address}?run={RUN_ID}") as connection:
        assert set(Browser(connection).frame()[1]) == set(FIGURES)


def test_no_frame_comes_when_nothing_changed(browser: Browser) -> None:
    browser.frame()
    browser.say(next=1)
    assert_silent(browser)


def test_a_frame_comes_by_itself_when_something_changes_after_the_browser_asked(browser: Browser, hub: FakeHub) -> None:
    browser.frame()
    browser.say(next=1)
    put(hub, 2)
    header, _ = browser.hear()
    assert header["step"] == 2


def test_a_chart_that_a_browser_lacks_is_urgent_and_one_that_it_holds_waits_for_the_beat() -> None:
    watcher = Watcher(("accuracy", "health"))
    watcher.is_view_new = watcher.is_in_haste = False
    watcher.held["health"] = PackedChart(b"{}", b"")

    def asks(*charts: str) -> tuple[bool, bool]:
        watcher.charts, watcher.is_view_new, watcher.is_in_haste = (), False, False
        watcher.hear(json.dumps({"charts": charts}), ("accuracy", "health"))
        return watcher.is_view_new, watcher.is_in_haste

    assert asks("health") == (True, False)
    assert asks("accuracy", "health") == (True, True)
    assert asks() == (False, False)


def test_a_hidden_page_gets_no_frames_until_it_is_seen(browser: Browser, hub: FakeHub) -> None:
    browser.frame()
    browser.say(visible=False, next=1)
    put(hub, 2)
    time.sleep(QUIET_SECONDS)
    put(hub, 3)
    browser.say(visible=True)
    header, _ = browser.hear()
    assert header["step"] == 3


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_view_keeps_what_a_message_leaves_out() -> None:
    before = View(layer=2, unit=9, is_path=True)
    assert view_of({"axis": "images", "more": 1}, before) == View(layer=2, unit=9, is_path=True, axis=Axis.IMAGES)


def test_the_switches_of_a_landscape_are_fields_of_the_view() -> None:
    asked = {"batch": MEAN, "is_surface": True, "is_between": True}
    assert view_of(asked, View()) == View(batch=MEAN, is_surface=True, is_between=True)
    for wrong in ({"batch": 1.5}, {"is_surface": 1}, {"is_between": "yes"}):
        with pytest.raises(BadMessageError):
            view_of(wrong, View())


@pytest.mark.parametrize("values", [None, [], {"unit": 1.5}, {"is_path": 1}, {"axis": ["steps"]}, {"layer": "3"}])
def test_a_view_of_wrong_types_is_refused(values: Any) -> None:
    with pytest.raises(BadMessageError):
        view_of(json.loads(json.dumps(values)), View())
