"""The page on covariate shift under AppTest: four networks, what it has measured, and the guess before the verdicts."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import BY_NAME, NOISE_SETTINGS, WITH_NOISE, Measure, networks_of
from bnviz.figures.verdicts import MEASURES
from bnviz.runs.engine import Engine
from bnviz.ui import texts
from bnviz.ui.presets import SHIFT_PRESETS
from tests.pages.test_lab_page import ROOT, control, eventually

PAGE = "pages/shift.py"


@pytest.fixture
def page(engine: Engine) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    page.run()
    page.switch_page(PAGE).run()
    assert not page.exception
    return page


def run_id_of(page: AppTest) -> str:
    return str(page.session_state["shift-run_id"])


def shown(page: AppTest) -> str:
    return "\n".join(one.value for one in (*page.markdown, *page.caption))


def test_the_page_has_its_heading_its_controls_and_the_noises_constants(page: AppTest) -> None:
    assert [title.value for title in page.title] == ["Does BN reduce covariate shift?"]
    for label in ("Play", "+10", "Reset", "Presets", "Learning rate", "Unit", "Your guess"):
        control(page, label)
    for name in NOISE_SETTINGS:
        control(page, BY_NAME[name].label)
    assert not page.warning
    assert not page.error


def test_play_trains_four_networks_and_asks_for_shift_and_smoothness(page: AppTest, engine: Engine) -> None:
    control(page, "+1").click().run()
    run_id = run_id_of(page)
    eventually(lambda: engine.hub.get(run_id).status.step == 1)
    page.run()
    eventually(lambda: bool(engine.hub.get(run_id).shift and engine.hub.get(run_id).smoothness))
    run = engine.hub.get(run_id)
    assert [one.name for one in run.competitors] == ["plain", "bn", "noisy", "noise"]
    orders = engine.orders_of(run_id)
    assert orders is not None
    assert orders.measures == {Measure.SHIFT, Measure.SMOOTHNESS}


def test_it_is_another_run_than_the_labs(page: AppTest, engine: Engine) -> None:
    control(page, "+1").click().run()
    page.switch_page("pages/lab.py").run()
    assert page.session_state.run_id is None
    page.switch_page(PAGE).run()
    assert page.query_params["run"] in (run_id_of(page), [run_id_of(page)])


def test_the_noise_changes_live(page: AppTest, engine: Engine) -> None:
    control(page, "+10").click().run()
    run_id = run_id_of(page)
    eventually(lambda: engine.hub.get(run_id).status.step == 10)
    control(page, BY_NAME["noise_mean"].label).set_value(1.0).run()
    eventually(lambda: engine.hub.get(run_id).settings.hyper.noise_mean == 1.0)
    assert engine.hub.get(run_id).status.generation == 0


def test_the_verdicts_come_after_the_guess_with_what_papers_report(page: AppTest) -> None:
    questions = [texts.title_and_body(f"verdict-{measure}")[0] for measure in MEASURES]
    assert not any(question in shown(page) for question in questions)
    control(page, "Your guess").set_value("lower").run()
    assert not page.exception
    assert all(question in shown(page) for question in questions)
    assert "You guessed" in shown(page)
    assert "Santurkar et al. 2018" in shown(page)
    assert "no evidence" in shown(page)


def test_the_presets_hold_a_setting_for_either_sign_and_all_have_four_networks() -> None:
    assert {"More shift with BN", "Less shift with BN"} <= {preset.label for preset in SHIFT_PRESETS}
    assert {preset.settings.model.networks for preset in SHIFT_PRESETS} == {networks_of(WITH_NOISE)}
