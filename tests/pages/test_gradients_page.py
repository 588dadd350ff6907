"""The gradients page under AppTest: its two parts, their controls, and what they ask of the engine."""

from streamlit.testing.v1 import AppTest

from bnviz.config import UNTRAINED_SETTINGS, Connections, Measure, UntrainedConfig
from bnviz.runs.engine import Engine
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/gradients.py"


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


def measured(engine: Engine, page: AppTest) -> UntrainedConfig | None:
    """The untrained networks that have been measured for this visitor."""
    run = engine.hub.get(page.session_state["untrained-run_id"])
    return run.study.config if run.study is not None and run.study.done == 1 else None


def test_the_part_before_training_has_its_heading_and_every_control(engine: Engine) -> None:
    page = opened()
    assert [title.value for title in page.title] == ["Gradients"]
    for setting in UNTRAINED_SETTINGS:
        control(page, setting.label)
    assert [slider.label for slider in page.slider] == ["Weight layer"]
    assert not page.warning
    assert not page.error


def test_opening_it_measures_the_networks_of_the_link(engine: Engine) -> None:
    page = opened(depth="7", connections="residual")
    assert control(page, "Depth").value == 7
    eventually(lambda: measured(engine, page) == UntrainedConfig(depth=7, connections=Connections.RESIDUAL))


def test_a_bad_value_in_the_link_falls_back_with_a_notice_that_names_it(engine: Engine) -> None:
    page = opened(depth="1000")
    assert control(page, "Depth").value == UntrainedConfig().depth
    assert any("depth=1000" in warning.value for warning in page.warning)


def test_a_control_measures_other_networks_and_is_in_the_address(engine: Engine) -> None:
    page = opened()
    control(page, "Depth").set_value(3).run()
    eventually(lambda: measured(engine, page) == UntrainedConfig(depth=3))
    assert page.query_params["depth"] in ("3", ["3"])


def test_what_would_take_too_long_is_refused_where_it_is_chosen_with_its_cost(engine: Engine) -> None:
    page = opened(depth="100")
    control(page, "Width").set_value(512).run()
    assert any("100 layers of 512 would take about" in warning.value for warning in page.warning)
    assert control(page, "Width").value == UntrainedConfig().width


def test_the_layer_slider_reaches_the_output_layer_and_measures_nothing_again(engine: Engine) -> None:
    page = opened(depth="5")
    eventually(lambda: measured(engine, page) == UntrainedConfig(depth=5))
    before = engine.hub.version(page.session_state["untrained-run_id"])
    page.slider[0].set_value(4).run()
    assert page.session_state.view.untrained_layer == 4
    assert engine.hub.version(page.session_state["untrained-run_id"]) == before
    control(page, "Depth").set_value(2).run()
    assert (page.slider[0].max, page.slider[0].value) == (3, 3)


def test_an_example_takes_its_networks(engine: Engine) -> None:
    page = opened()
    control(page, "Residual").click().run()
    assert control(page, "Connections").value is Connections.RESIDUAL


def test_the_part_during_training_steers_the_labs_own_run(engine: Engine) -> None:
    page = opened(part="training")
    for label in ("Play", "+10", "Reset", "Learning rate", "Hidden layers", "Unit"):
        control(page, label)
    control(page, "+10").click().run()
    run_id = page.session_state.run_id
    eventually(lambda: engine.hub.get(run_id).status.step == 10)
    page.run()
    orders = engine.orders_of(run_id)
    assert orders is not None
    assert Measure.GRADIENTS in orders.measures
    page.switch_page("pages/lab.py").run()
    assert page.session_state.run_id == run_id
    assert page.query_params["run"] in (run_id, [run_id])


def test_it_shows_the_recording_before_there_is_a_run(engine: Engine) -> None:
    page = opened(part="training")
    assert page.session_state.run_id is None
