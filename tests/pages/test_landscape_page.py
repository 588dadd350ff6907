"""The loss landscape's page under AppTest: its controls, what they ask of the run, links, refusals."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import LANDSCAPE_SETTINGS, Directions, LandscapeConfig, Measure, Statistics, WeightPoint
from bnviz.records import Landscape
from bnviz.runs.engine import Engine, Orders
from bnviz.ui.landscape import LOOKS
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/landscape.py"
SMALL = LandscapeConfig(resolution=11, batches=1, images=60)  # drawn at once


def a_page(**query: str) -> AppTest:
    return open_page(PAGE, **query)


@pytest.fixture
def page(engine: Engine) -> AppTest:
    return a_page(res="11", batches="1", pimages="60")


@pytest.fixture
def stepped(page: AppTest, engine: Engine) -> AppTest:
    """With a run of its own, ten steps on."""
    control(page, "+10").click().run()
    eventually(lambda: engine.hub.get(run_id_of(page)).status.step == 10)
    page.run()
    return page


def run_id_of(page: AppTest) -> str:
    return str(page.session_state["run_id"])


def orders_of(page: AppTest, engine: Engine) -> Orders:
    orders = engine.orders_of(run_id_of(page))
    assert orders is not None
    return orders


def landscape_of(page: AppTest, engine: Engine) -> Landscape | None:
    return engine.hub.get(run_id_of(page)).landscape


def in_link(page: AppTest, key: str) -> str:
    """A query parameter, which AppTest gives as a list or as it is."""
    found = page.query_params[key]
    return found if isinstance(found, str) else found[0]


def said(page: AppTest) -> str:
    return "\n".join(one.value for one in (*page.warning, *page.caption))


def test_the_page_has_its_heading_its_controls_and_says_that_it_is_a_slice(page: AppTest) -> None:
    assert [title.value for title in page.title] == ["Loss landscape"]
    for label in ("Play", "Presets", "Draw anew", "Cancel", "Axis", "Refreshed while the run plays"):
        control(page, label)
    for setting in LANDSCAPE_SETTINGS:
        control(page, setting.label)
    assert "2-D slice" in said(page)
    assert "recorded" in said(page)
    assert not page.warning
    assert not page.error


def test_the_visitors_run_draws_the_landscape_and_measures_its_sharpness(stepped: AppTest, engine: Engine) -> None:
    eventually(lambda: (one := landscape_of(stepped, engine)) is not None and one.done == 1 and one.step == 10)
    eventually(lambda: bool(engine.hub.get(run_id_of(stepped)).sharpness))
    orders = orders_of(stepped, engine)
    assert orders.landscape == SMALL
    assert Measure.SHARPNESS in orders.measures


def test_what_is_chosen_is_drawn_and_in_the_link(stepped: AppTest, engine: Engine) -> None:
    control(stepped, "Plane").set_value(Directions.GRADIENT).run()
    control(stepped, "BN statistics").set_value(Statistics.RUNNING).run()
    control(stepped, "Resolution").set_value(25).run()
    wanted = SMALL.replace(directions=Directions.GRADIENT, statistics=Statistics.RUNNING, resolution=25)
    assert orders_of(stepped, engine).landscape == wanted
    eventually(lambda: (one := landscape_of(stepped, engine)) is not None and one.config == wanted and one.done == 1)
    assert [in_link(stepped, key) for key in ("plane", "stats", "res")] == ["gradient", "running", "25"]


def test_a_link_says_what_is_drawn_and_a_bad_one_falls_back_with_a_notice(engine: Engine) -> None:
    page = a_page(plane="random", res="500", pa="nobody@3", layers="2", width="20")
    assert control(page, "Plane").value is Directions.RANDOM
    assert control(page, "Resolution").value == LandscapeConfig().resolution
    assert "res=500" in said(page)
    assert "nobody@3" in said(page)


def test_every_chip_shows_its_landscape_and_its_sentence(stepped: AppTest, engine: Engine) -> None:
    for look in LOOKS:
        control(stepped, look.chip).click().run()
        assert not stepped.exception
        assert orders_of(stepped, engine).landscape == look.config
        assert look.sentence in said(stepped)


def test_three_points_are_chosen_among_those_of_the_paths(stepped: AppTest, engine: Engine) -> None:
    eventually(lambda: landscape_of(stepped, engine) is not None)
    control(stepped, "Plane").set_value(Directions.POINTS).run()
    third = control(stepped, "Point C")
    assert third.value == WeightPoint("bn")
    third.set_value(WeightPoint("bn", 0)).run()
    eventually(lambda: "span no plane" in getattr(landscape_of(stepped, engine), "problem", ""))
    assert engine.hub.get(run_id_of(stepped)).status.step == 10
    assert engine.hub.get(run_id_of(stepped)).status.notice == ""
    control(stepped, "Point C").set_value(WeightPoint("bn")).run()
    eventually(lambda: (one := landscape_of(stepped, engine)) is not None and not one.problem and one.done == 1)


def test_cancelled_it_stays_cancelled_until_something_is_wanted(stepped: AppTest, engine: Engine) -> None:
    control(stepped, "Cancel").click().run()
    assert orders_of(stepped, engine).landscape is None
    stepped.run()
    assert orders_of(stepped, engine).landscape is None
    assert "Nothing is drawn just now" in said(stepped)
    control(stepped, "Draw anew").click().run()
    assert orders_of(stepped, engine).landscape == SMALL
    control(stepped, "Cancel").click().run()
    control(stepped, "Span").set_value(2).run()
    assert orders_of(stepped, engine).landscape == SMALL.replace(span=2)


def test_one_that_would_take_too_long_is_refused_once_and_the_run_goes_on(stepped: AppTest, engine: Engine) -> None:
    before = orders_of(stepped, engine).landscape
    control(stepped, "Resolution").set_value(101).run()
    control(stepped, "Batches").set_value(8).run()
    control(stepped, "Images a batch").set_value(2000).run()
    assert "choose a lower resolution" in said(stepped)
    assert orders_of(stepped, engine).landscape not in (None, before)  # the last one that could be drawn
    control(stepped, "+1").click().run()
    eventually(lambda: engine.hub.get(run_id_of(stepped)).status.step == 11)
    assert "choose a lower resolution" not in said(stepped)
    control(stepped, "Images a batch").set_value(60).run()
    assert orders_of(stepped, engine).landscape.images == 60  # type: ignore[union-attr]


def test_how_often_it_is_refreshed_is_a_choice(stepped: AppTest, engine: Engine) -> None:
    assert orders_of(stepped, engine).landscape_seconds == 10
    control(stepped, "Refreshed while the run plays").set_value(0.0).run()
    assert orders_of(stepped, engine).landscape_seconds is None


def test_the_run_is_the_labs(stepped: AppTest) -> None:
    run_id = run_id_of(stepped)
    stepped.switch_page("pages/lab.py").run()
    assert run_id_of(stepped) == run_id
    assert "plane" not in stepped.query_params


def test_the_controls_show_what_is_in_force_on_the_way_to_the_lab_and_back(engine: Engine) -> None:
    page = open_page("pages/lab.py")
    control(page, "Learning rate").set_value(2.0).run()
    for script in ("pages/landscape.py", "pages/lab.py", "pages/landscape.py", "pages/lab.py"):
        page.switch_page(script).run()
        assert control(page, "Learning rate").value == 2.0, script
        assert control(page, "Batch size").value == 60, script
        assert control(page, "Hidden layers").value == 3, script
