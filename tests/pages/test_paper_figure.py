"""Figure 1 on the page on the paper, under AppTest: its controls, its recordings, a run of one's own."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import FIGURE_ONE_STEPS, GRIDS, FigureOneConfig, UpdateRule
from bnviz.records import Phase, Run
from bnviz.runs import engine as engines
from bnviz.runs import recorded
from bnviz.runs.engine import Engine
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually


def opened(**query: str) -> AppTest:
    return open_page("pages/paper.py", **query)


def shown_run(page: AppTest) -> Run:
    """The run of this visitor's that the page is about; it must have one."""
    engine = engines.engine()
    return engine.hub.get(page.session_state["figure-one-run_id"])


def buttons(page: AppTest) -> set[str]:
    return {one.label for one in page.button}


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [one for one in page.button if one.label == label]
    return button.click().run()


def has_run(page: AppTest) -> bool:
    return "figure-one-run_id" in page.session_state and page.session_state["figure-one-run_id"] is not None


def test_figure_one_begins_with_its_recording_and_every_control(engine: Engine) -> None:
    page = opened(part="figure-one")
    for label in ("Optimizer", "Learning rate", "Initial scale σ", "Seed", "Layer", "Unit"):
        control(page, label)
    assert {"Run it live", "Open in the lab", "Present"} <= buttons(page)
    assert any("which optimizer" in one.value for one in page.markdown)
    assert not has_run(page)
    assert not page.warning
    recorded = engine.hub.get(f"recorded-figure-one-{FigureOneConfig().name}")
    assert recorded.figure_one is not None
    assert recorded.figure_one.shown is not None


def test_a_choice_shows_another_recording_and_is_in_the_address(engine: Engine) -> None:
    page = opened(part="figure-one")
    control(page, "Learning rate").set_value(2.0).run()
    control(page, "Seed").set_value(1).run()
    assert not page.exception
    assert not has_run(page)
    wanted = FigureOneConfig(learning_rate=2.0, seed=1)
    assert engine.hub.get(f"recorded-figure-one-{wanted.name}").settings == wanted.settings
    assert page.query_params["rate"] in ("2", ["2"])
    control(page, "Optimizer").set_value(UpdateRule.ADAM).run()
    assert control(page, "Learning rate").value in GRIDS[UpdateRule.ADAM].rates
    assert not page.warning


def test_a_link_to_what_is_not_recorded_falls_back_with_a_notice(engine: Engine) -> None:
    page = opened(part="figure-one", rate="0.3")
    assert any("not recorded here" in one.value for one in page.warning)
    assert control(page, "Learning rate").value == FigureOneConfig().learning_rate


def test_a_live_run_has_the_chosen_settings_ends_by_itself_and_is_steered_as_in_the_lab(engine: Engine) -> None:
    page = press(opened(part="figure-one", rate="2", replica="1"), "Run it live")
    wanted = FigureOneConfig(learning_rate=2.0, seed=1)
    run = shown_run(page)
    assert run.settings == wanted.settings
    assert page.query_params["run"] in (run.run_id, [run.run_id])
    orders = engine.orders_of(run.run_id)
    assert orders is not None
    assert (orders.is_playing, orders.until_step) == (True, FIGURE_ONE_STEPS)
    assert orders.contour_seconds is None  # what no chart here shows is not drawn
    eventually(lambda: shown_run(page).status.step > 0)
    assert {"Pause", "Restart"} <= buttons(page.run())
    press(page, "Pause")
    eventually(lambda: shown_run(page).status.phase is Phase.PAUSED)
    assert "Go on" in buttons(page.run())
    press(page, "Go on")
    orders = engine.orders_of(run.run_id)
    assert orders is not None
    assert (orders.is_playing, orders.until_step) == (True, FIGURE_ONE_STEPS)
    press(page, "Restart")
    assert shown_run(page).run_id == run.run_id
    press(page, "Pause")


def test_another_choice_shows_its_recording_and_the_live_run_is_there_again_with_its_own(engine: Engine) -> None:
    page = press(opened(part="figure-one"), "Run it live")
    run_id = shown_run(page).run_id
    control(page, "Learning rate").set_value(0.5).run()
    assert "Run it live" in buttons(page)
    assert "run" not in page.query_params
    control(page, "Learning rate").set_value(FigureOneConfig().learning_rate).run()
    assert "Run it live" not in buttons(page)
    assert shown_run(page).run_id == run_id
    press(page, "Pause")


def test_whoever_has_the_link_of_a_live_run_watches_it(engine: Engine) -> None:
    owner = press(opened(part="figure-one", rate="0.5"), "Run it live")
    run_id = shown_run(owner).run_id
    other = opened(part="figure-one", run=run_id)
    assert not other.warning
    assert "Run my own" in buttons(other)
    assert "Pause" not in buttons(other)
    assert control(other, "Learning rate").value == 0.5
    control(owner, "Learning rate").set_value(2.0).run()
    press(owner, "Run it live")  # the same run, restarted
    assert shown_run(owner).run_id == run_id
    assert control(other.run(), "Learning rate").value == 2.0
    assert "Run my own" in buttons(other)
    press(owner, "Pause")


def test_a_run_of_ones_own_opens_in_the_lab_with_these_settings(engine: Engine) -> None:
    page = press(opened(part="figure-one", rule="momentum", rate="0.2"), "Open in the lab")
    assert page.session_state["settings"] == FigureOneConfig(UpdateRule.MOMENTUM, 0.2).settings


def test_without_its_recordings_the_part_says_so_and_the_others_stand(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caches = (recorded.figure_one, recorded._figure_one_curves)
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    for one in caches:
        one.cache_clear()
    engine.hub.forget(f"recorded-figure-one-{FigureOneConfig(seed=2).name}")
    page = opened(part="figure-one", replica="2")
    notice = engine.hub.get(f"recorded-figure-one-{FigureOneConfig(seed=2).name}").status.notice
    for one in caches:
        one.cache_clear()
    engine.hub.forget(f"recorded-figure-one-{FigureOneConfig(seed=2).name}")
    assert not page.error
    assert "python -m assets.recorded.record --again figure-one" in notice  # the live charts say it
    press(page, "Run it live")
    eventually(lambda: shown_run(page).status.step > 0)
    press(page, "Pause")
