"""The parts of the page on the paper about its scaled-down cousins and about the cost of BN, under AppTest."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from bnviz.config import COST_SETTINGS, COUSINS_SETTINGS, CostConfig, CousinsConfig, StudyConfig
from bnviz.figures.cousins_words import TABLE, cousins_table, cousins_verdicts
from bnviz.records import Badge
from bnviz.runs import recorded
from bnviz.runs.engine import Engine
from bnviz.runs.recorded import recorded_run
from bnviz.ui.cousins import EXAMPLES
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/paper.py"
PARTS: dict[str, tuple[Any, str, StudyConfig]] = {
    "cousins": (COUSINS_SETTINGS, "paper-cousins", CousinsConfig()),
    "cost": (COST_SETTINGS, "paper-cost", CostConfig()),
}


def opened(part: str, **query: str) -> AppTest:
    return open_page(PAGE, part=part, **query)


def asked_for(engine: Engine, page: AppTest) -> StudyConfig | None:
    """What is being measured for this visitor; None while a recording is shown."""
    if "paper-run_id" not in page.session_state or page.session_state["paper-run_id"] is None:
        return None
    orders = engine.orders_of(page.session_state["paper-run_id"])
    return orders.study if orders else None


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_every_control_and_shows_its_recording(engine: Engine, part: str) -> None:
    table, name, wanted = PARTS[part]
    page = opened(part)
    for setting in table:
        control(page, setting.label)
    assert not page.error
    assert not page.warning
    assert asked_for(engine, page) is None
    run = recorded_run(engine.hub, name)
    assert run.badge is Badge.RECORDED
    assert run.study is not None
    assert run.study.config == wanted
    assert run.study.done == 1


@pytest.mark.parametrize("part", PARTS)
def test_the_button_runs_the_recorded_study_here(engine: Engine, part: str) -> None:
    page = opened(part)
    (button,) = [one for one in page.button if one.label == "Run it here"]
    button.click().run()
    eventually(lambda: asked_for(engine, page) == PARTS[part][2])
    assert not [one for one in page.button if one.label == "Run it here"]


def test_another_setting_is_run_here_at_once_and_is_in_the_address(engine: Engine) -> None:
    page = opened("cousins", **{"cousins-steps": "300"})
    control(page, "Seeds").set_value(2).run()
    eventually(lambda: asked_for(engine, page) == CousinsConfig(steps=300, seeds=2))
    assert page.query_params["cousins-seeds"] in ("2", ["2"])
    assert any("Nothing is measured yet" in one.value for one in page.caption)


def shown_button(page: AppTest, label: str) -> Any:
    return next((one for one in page.button if one.label == label), None)


def test_what_runs_here_can_be_stopped_stays_as_far_as_it_is_and_begins_again_at_a_press(engine: Engine) -> None:
    page = opened("cousins", **{"cousins-steps": "2000", "cousins-seeds": "2", "cousins-lr": "0.02"})
    wanted = asked_for(engine, page)
    run_id = page.session_state["paper-run_id"]

    def study() -> Any:
        return engine.hub.get(run_id).study

    eventually(lambda: study() is not None and study().config == wanted)
    shown_button(page.run(), "Stop").click().run()
    assert asked_for(engine, page) is None
    assert shown_button(page.run(), "Stop") is None
    assert asked_for(engine, page) is None  # nor does the page ask for it again
    assert study().config == wanted
    assert study().done < 1
    assert any("Measured here so far" in one.value for one in page.caption)
    shown_button(page, "Run it here").click().run()
    assert asked_for(engine, page) == wanted


def test_what_would_take_too_long_is_refused_with_its_cost(engine: Engine) -> None:
    page = opened("cousins")
    control(page, "Seeds").set_value(10).run()
    assert any("would take about" in warning.value for warning in page.warning)
    assert control(page, "Seeds").value == CousinsConfig().seeds


@pytest.mark.parametrize(("part", "key"), [("cousins", "cousins-steps"), ("cost", "cost-times")])
def test_a_bad_value_in_the_link_falls_back_with_a_notice_that_names_it(engine: Engine, part: str, key: str) -> None:
    page = opened(part, **{key: "many"})
    assert any(f"{key}=many" in warning.value for warning in page.warning)
    assert not page.error


def test_the_table_and_the_verdicts_are_those_of_the_recording(engine: Engine) -> None:
    page = opened("cousins")
    cousins = recorded_run(engine.hub, "paper-cousins").cousins
    assert cousins is not None
    told = "\n".join(one.value for one in page.markdown)
    for row in (TABLE, *cousins_table(cousins)):
        assert f"| {' | '.join(row)} |" in told
    for verdict in cousins_verdicts(cousins):
        assert f"**{verdict.answer.capitalize()}.** {verdict.finding}" in told


def test_the_confounds_and_what_is_out_of_reach_are_said(engine: Engine) -> None:
    told = "\n".join(one.value for one in opened("cousins").markdown)
    for words in ("dropout", "local response", "L2 penalty", "six times as fast", "shuffled better", "distorted less"):
        assert words in told
    assert "ImageNet is out of reach here" in told
    assert "recurrent networks" in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.chip)
def test_an_example_is_shown_from_its_recording_or_run_here(engine: Engine, example: Any) -> None:
    page = opened("cousins")
    (chip,) = [one for one in page.button if one.label == example.chip]
    chip.click().run()
    assert any(example.sentence == one.value for one in page.caption)
    folders = {"paper-cousins", "paper-cousins-tenth"}
    known = {recorded_run(engine.hub, name).cousins.config for name in folders}  # type: ignore[union-attr]
    if example.config in known:
        assert asked_for(engine, page) is None
    else:
        eventually(lambda: asked_for(engine, page) == example.config)


def test_a_damaged_recording_is_measured_anew_and_the_page_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    monkeypatch.setattr(recorded, "run_id_of", lambda name: f"damaged-{name}")  # not the one that the hub has read
    page = opened("cost")
    assert not page.error
    eventually(lambda: asked_for(engine, page) == CostConfig())


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(sorted(PARTS)),
    values=st.lists(
        st.sampled_from(["", "nan", "-1", "1e999", "relu", "3", "5", "0.01", "1000", "<script>", "٣"]),
        min_size=3, max_size=3,
    ),
)  # fmt: skip
def test_any_settings_in_a_link_show_the_part_and_no_traceback(engine: Engine, part: str, values: list[str]) -> None:
    keys = [one.key for one in PARTS[part][0]]
    page = opened(part, **dict(zip(keys, values, strict=True)))
    assert page.title
    assert not page.error
