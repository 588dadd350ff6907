"""The page where BN fails under AppTest: its parts, what they ask of the engine, and the way into the lab."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import DEPTH_SETTINGS, TRIALS, DepthConfig, Equal, Experiment, StudyConfig, settings_of
from bnviz.records import Badge
from bnviz.runs.engine import Engine
from bnviz.runs.recorded import recorded_run
from bnviz.ui.limits import PARTS
from bnviz.ui.presets import LIMITS_PRESETS
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/limits.py"
SHORT = {"batch_size-steps": "100", "batch_size-seeds": "1"}


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


def asked_for(engine: Engine, page: AppTest) -> StudyConfig | None:
    """What is being measured for this visitor; None while a recording is shown."""
    if "limits-run_id" not in page.session_state or page.session_state["limits-run_id"] is None:
        return None
    orders = engine.orders_of(page.session_state["limits-run_id"])
    return orders.study if orders else None


def test_it_has_its_heading_its_parts_and_every_control(engine: Engine) -> None:
    page = opened()
    assert [title.value for title in page.title] == ["Where Batch Normalization fails"]
    shown = {"steps": "Steps", "images": ""}
    for setting in settings_of(Experiment.BATCH_SIZE):
        if shown.get(setting.name, setting.label):
            control(page, setting.label)
    assert not page.warning
    assert not page.error


@pytest.mark.parametrize("part", PARTS)
def test_every_part_shows_its_recording_and_asks_for_nothing(engine: Engine, part: str) -> None:
    page = opened(part=part)
    assert not page.error
    assert asked_for(engine, page) is None
    recorded = recorded_run(engine.hub, f"limits-{part}")
    assert recorded.badge is Badge.RECORDED
    wanted: StudyConfig = DepthConfig() if part == "depth" else TRIALS[Experiment(part)]
    assert recorded.study is not None
    assert recorded.study.config == wanted
    assert recorded.study.done == 1


def test_the_part_on_depth_has_its_own_controls(engine: Engine) -> None:
    page = opened(part="depth")
    for setting in DEPTH_SETTINGS:
        control(page, setting.label)


def test_another_setting_is_run_here_at_once_and_is_in_the_address(engine: Engine) -> None:
    page = opened(**SHORT)
    control(page, "Learning rate").set_value(0.2).run()
    wanted = replace(TRIALS[Experiment.BATCH_SIZE], steps=100, seeds=1, learning_rate=0.2)
    eventually(lambda: asked_for(engine, page) == wanted)
    assert page.query_params["batch_size-lr"] in ("0.2", ["0.2"])


@pytest.mark.parametrize("part", ["initialization", "dropout"])
def test_a_part_shows_the_settings_that_its_experiment_has(engine: Engine, part: str) -> None:
    page = opened(part=part)
    shown = {one.label for one in (*page.select_slider, *page.selectbox, *page.slider, *page.number_input)}
    wanted = {one.label for one in settings_of(Experiment(part))}
    assert ("Learning rate" in wanted) is (part == "dropout")
    assert wanted <= shown


def test_the_button_runs_the_recorded_experiment_here(engine: Engine) -> None:
    page = opened(part="depth")
    (button,) = [one for one in page.button if one.label == "Run it here"]
    button.click().run()
    eventually(lambda: asked_for(engine, page) == DepthConfig())
    assert not [one for one in page.button if one.label == "Run it here"]


def test_steps_or_images_are_asked_for_not_both(engine: Engine) -> None:
    page = opened(**SHORT)
    control(page, "Equal for all").set_value(Equal.IMAGES).run()
    control(page, "Images")
    assert "Steps" not in {one.label for one in page.select_slider}


def test_what_would_take_too_long_is_refused_with_its_cost(engine: Engine) -> None:
    page = opened(**{"batch_size-steps": "5000", "batch_size-seeds": "1"})
    control(page, "Seeds").set_value(10).run()
    assert any("would take about" in warning.value for warning in page.warning)
    assert control(page, "Seeds").value == 1


def test_a_bad_value_in_the_link_falls_back_with_a_notice_that_names_it(engine: Engine) -> None:
    page = opened(**{"batch_size-steps": "many"})
    assert any("batch_size-steps=many" in warning.value for warning in page.warning)
    assert control(page, "Steps").value == TRIALS[Experiment.BATCH_SIZE].steps


def test_the_picker_chooses_whose_curves_are_shown_and_measures_nothing(engine: Engine) -> None:
    page = opened()
    control(page, "Batch size").set_value("8").run()
    assert page.session_state.view.trial == 3
    assert asked_for(engine, page) is None


@pytest.mark.parametrize("part", PARTS)
def test_every_preset_of_a_part_has_a_button_that_takes_it_to_the_lab(engine: Engine, part: str) -> None:
    preset = LIMITS_PRESETS[part][0]
    page = opened(part=part)
    assert {one.chip for one in LIMITS_PRESETS[part]} <= {one.label for one in page.button}
    (button,) = [one for one in page.button if one.label == preset.chip]
    button.click().run()
    assert page.session_state["settings"] == preset.settings
    assert engine.hub.get(page.session_state["run_id"]).settings == preset.settings


def test_what_others_measured_is_marked_as_reported_elsewhere(engine: Engine) -> None:
    page = opened()
    (heading,) = [one.value for one in page.markdown if "Small batches on ImageNet" in one.value]
    assert "reported elsewhere, not measured here" in heading
    assert any("34.7" in one.value and "1803.08494" in one.value for one in page.markdown)


def test_a_batch_of_one_is_a_stated_result(engine: Engine) -> None:
    assert any("A batch of one" in one.value for one in opened().markdown)
