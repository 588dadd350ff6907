"""The page on whitening under AppTest: its controls, examples and links, and what they ask of the engine."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import LINEAR_UNIT_SETTINGS, LinearUnitConfig, RateRule, Whitening
from bnviz.runs.engine import Engine
from bnviz.ui import chosen
from bnviz.ui.whitening import EXAMPLES
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/whitening.py"


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


def measured(engine: Engine, page: AppTest) -> LinearUnitConfig | None:
    """The unit that has been measured for this visitor."""
    unit = engine.hub.get(page.session_state["linear-unit-run_id"]).linear_unit
    return unit.config if unit is not None and unit.done == 1 else None


def test_the_page_has_its_heading_and_every_control(engine: Engine) -> None:
    page = opened()
    assert [title.value for title in page.title] == ["Why whitening helps"]
    for setting in LINEAR_UNIT_SETTINGS:
        if setting.name != "learning_rate":
            control(page, setting.label)
    assert not page.warning
    assert not page.error


def test_the_unit_that_it_begins_with_is_a_recording_and_costs_no_worker_anything(engine: Engine) -> None:
    page = opened()
    before = len(engine.runs_of(page.session_state["owner"]))
    assert page.session_state["linear-unit-run_id"] is None
    assert before == 0


def test_opening_it_measures_the_unit_of_the_link(engine: Engine) -> None:
    page = opened(wrho="0.5", wkind="pca")
    eventually(lambda: measured(engine, page) == LinearUnitConfig(correlation=0.5, whitening=Whitening.PCA))


def test_a_bad_value_in_the_link_falls_back_with_a_notice_that_names_it(engine: Engine) -> None:
    page = opened(wrho="2", wbatch="256", wn="20")
    assert any("wrho=2" in warning.value for warning in page.warning)
    assert any("batch of 256 is more than the 20 samples" in warning.value for warning in page.warning)
    assert control(page, "Correlation").value == LinearUnitConfig().correlation


def test_a_control_measures_another_unit_and_is_in_the_address(engine: Engine) -> None:
    page = opened()
    control(page, "Mean of x₁").set_value(-10.0).run()
    eventually(lambda: measured(engine, page) == LinearUnitConfig(mean_1=-10))
    assert page.query_params["wm1"] in ("-10", ["-10"])


def test_the_rule_of_the_rate_says_which_rate_is_asked_for(engine: Engine) -> None:
    page = opened()
    labels = lambda: {one.label for one in page.select_slider}  # noqa: E731
    assert "Times the largest stable rate" in labels()
    control(page, "Learning rate").set_value(RateRule.SHARED).run()
    assert "Shared learning rate" in labels()
    control(page, "Learning rate").set_value(RateRule.BEST).run()
    assert not labels() & {"Shared learning rate", "Times the largest stable rate"}


def test_going_back_in_the_browser_shows_what_was_before(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "ON_ITS_WAY", 0.0)
    page = opened()
    control(page, "Correlation").set_value(0.5).run()
    assert page.query_params["wrho"] in ("0.5", ["0.5"])
    del page.query_params["wrho"]
    page.run()
    assert control(page, "Correlation").value == LinearUnitConfig().correlation
    page.query_params["wrho"] = "0.5"
    page.run()
    assert control(page, "Correlation").value == 0.5


def test_an_address_that_is_still_on_its_way_does_not_undo_a_choice(engine: Engine) -> None:
    page = opened()
    control(page, "Correlation").set_value(0.5).run()
    del page.query_params["wrho"]  # what the browser's next message would still say
    page.run()
    assert control(page, "Correlation").value == 0.5


def test_what_was_chosen_is_kept_from_page_to_page(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "ON_ITS_WAY", 0.0)
    page = opened()
    control(page, "Correlation").set_value(0.5).run()
    page.switch_page("pages/landscape.py").run()
    page.query_params.clear()  # as the browser does
    page.switch_page(PAGE).run()
    assert control(page, "Correlation").value == 0.5


def test_every_example_is_another_unit_and_says_what_to_look_for(engine: Engine) -> None:
    page = opened()
    assert len({example.config for example in EXAMPLES}) == len(EXAMPLES)
    for example in EXAMPLES:
        control(page, example.chip).click().run()
        assert not page.exception
        assert not page.warning
        assert any(example.sentence in caption.value for caption in page.caption)
    eventually(lambda: measured(engine, page) == EXAMPLES[-1].config)


def test_a_start_at_the_minimum_is_refused_and_the_unit_stays(engine: Engine) -> None:
    page = opened(wx="0", wy="0.1")
    control(page, "Start, w₂ − w₂*").set_value(0.0).run()
    assert any("is the minimum itself" in warning.value for warning in page.warning)
    assert control(page, "Start, w₂ − w₂*").value == 0.1
