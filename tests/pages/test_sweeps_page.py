"""The page of sweeps under AppTest: its controls, what they ask of the engine, and what a link brings."""

import io
import json
from dataclasses import replace

import pyarrow.csv
import pyarrow.parquet
import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import RATE_AND_SCALE, SWEEPS, SweepAxis, SweepConfig, sweep_from_json, sweep_to_query
from bnviz.records import Outcome, Sweep, SweepPhase
from bnviz.runs.engine import Engine
from bnviz.ui import sweep_export
from bnviz.ui.sweeps import EXAMPLES
from tests.fake_worker import SMALL
from tests.figures.made_up_sweeps import a_sweep
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually

PAGE = "pages/sweeps.py"
TINY = SweepConfig(
    y=SweepAxis("init_scale", (0.1, 1.0)), x=SweepAxis("learning_rate", (0.1, 1.0)), base=SMALL, steps=50, seeds=1
)
LONG = replace(TINY, base=TINY.base.replace(hidden_layers=3, width=100), steps=5000, seeds=10)


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


def said(page: AppTest, key: str) -> str:
    """What the address says."""
    value = page.query_params[key]
    return value if isinstance(value, str) else str(value[0])


def shown_sweep(engine: Engine, page: AppTest) -> Sweep:
    """The one that the address names."""
    sweep_id = said(page, "sweep")
    sweep = engine.hub.get(sweep_id).sweep
    assert sweep is not None
    return sweep


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [one for one in page.button if one.label == label]
    return button.click().run()


def started(engine: Engine, config: SweepConfig = TINY) -> AppTest:
    page = press(opened(**sweep_to_query(config)), "Start")
    assert not page.error
    return page


def test_it_has_its_heading_and_every_control(engine: Engine) -> None:
    page = opened()
    assert [title.value for title in page.title] == ["Which settings survive?"]
    for label in ("Across", "Up", "Steps", "Seeds", "Compare", "Optimizer", "Initialization", "Width"):
        control(page, label)
    assert {"Start", "Present"} <= {one.label for one in page.button}
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("name", SWEEPS)
def test_a_preset_is_a_chip_away_and_starts_nothing(engine: Engine, name: str) -> None:
    (chip,) = [one.chip for one in EXAMPLES if one.config == SWEEPS[name]]
    page = press(opened(), chip)
    assert not page.error
    assert "sweep" not in page.query_params
    assert said(page, "sweep-x") == sweep_to_query(SWEEPS[name])["sweep-x"]


def test_start_begins_the_chosen_sweep_and_names_it_in_the_address(engine: Engine) -> None:
    page = started(engine)
    assert shown_sweep(engine, page).config == TINY
    eventually(lambda: shown_sweep(engine, page).status.phase is SweepPhase.FINISHED)
    assert shown_sweep(engine, page).status.cells_done == 4


def test_its_link_finds_it_again_and_only_its_owner_steers_it(engine: Engine) -> None:
    page = started(engine)
    sweep_id = said(page, "sweep")
    again = opened(sweep=sweep_id)  # another session, without the cookie: somebody else
    assert not again.error
    assert "Start my own" in {one.label for one in again.button}
    assert {"Pause", "Cancel", "Resume"}.isdisjoint(one.label for one in again.button)


def test_a_sweep_is_paused_resumed_and_cancelled(engine: Engine) -> None:
    page = started(engine, LONG)
    page = press(page, "Pause")
    assert shown_sweep(engine, page).status.phase is SweepPhase.PAUSED
    page = press(page, "Resume")
    assert shown_sweep(engine, page).status.phase is SweepPhase.RUNNING
    page = press(page, "Cancel")
    assert shown_sweep(engine, page).status.phase is SweepPhase.CANCELLED
    assert "Start again" in {one.label for one in page.button}


def test_another_value_shows_another_map_and_starts_nothing(engine: Engine) -> None:
    page = started(engine)
    control(page, "Steps").set_value(100).run()
    assert "sweep" not in page.query_params
    assert said(page, "sweep-steps") == "100"
    assert "Start" in {one.label for one in page.button}


def test_another_setting_on_a_side_has_its_usual_values(engine: Engine) -> None:
    page = opened()
    control(page, "Up").set_value("nonlinearity").run()
    assert not page.error
    assert said(page, "sweep-y") == "g:sigmoid,tanh,relu,leaky_relu,gelu,identity"
    assert "sweeps-base-nonlinearity" not in {one.key for one in page.selectbox}  # no more the same in all cells


def test_what_does_not_go_together_is_refused_in_words_and_nothing_is_lost(engine: Engine) -> None:
    page = opened()
    (values,) = [one for one in page.multiselect if one.label == "Values of learning rate"]
    values.set_value([]).run()
    assert any("learning rate has none of the values" in one.value.lower() for one in page.warning)
    (values,) = [one for one in page.multiselect if one.label == "Values of learning rate"]
    assert tuple(values.value) == RATE_AND_SCALE.x.values


@pytest.mark.parametrize("sweep_id", ["nonsense", "sweep-unknown-0000000000", "../../x"])
def test_a_link_to_no_sweep_says_so_and_shows_a_map(engine: Engine, sweep_id: str) -> None:
    page = opened(sweep=sweep_id)
    assert any("no such" in one.value for one in page.warning)
    assert "Start" in {one.label for one in page.button}


def test_a_bad_value_in_a_link_falls_back_with_a_notice(engine: Engine) -> None:
    page = opened(**{"sweep-x": "lr:0.1,nonsense", "sweep-seeds": "99"})
    assert "sweep-x" in page.warning[0].value
    assert "sweep-seeds" in page.warning[0].value


def test_a_cell_opens_in_the_lab_with_its_own_settings(engine: Engine) -> None:
    page = opened()
    (row,) = [one for one in page.selectbox if one.label == "Initial scale"]
    row.set_value(6).run()
    press(page, "Open in the lab")
    (run_id,) = engine.runs_of(page.session_state["owner"])
    orders = engine.orders_of(run_id)
    assert orders is not None
    assert orders.settings.get("init_scale") == RATE_AND_SCALE.y.values[6]
    assert orders.settings.get("learning_rate") == RATE_AND_SCALE.x.values[0]
    assert orders.is_playing


# --- downloads --------------------------------------------------------------------------------------------------------


def test_a_download_has_a_row_for_every_run_and_network() -> None:
    sweep = a_sweep()
    for found in (
        pyarrow.csv.read_csv(io.BytesIO(sweep_export.csv(sweep))),
        pyarrow.parquet.read_table(io.BytesIO(sweep_export.parquet(sweep))),
    ):
        assert found.num_rows == 64 * 3 * 2
        rows = found.to_pylist()
        one = next(
            row
            for row in rows
            if (row["learning_rate"], row["init_scale"], row["seed"], row["network"]) == (0.3, 0.2, 1, "with BN")
        )
        assert one["test_accuracy"] == pytest.approx(sweep.accuracy[1, 4, 3, 1])
        assert one["outcome"] == "trained"
        assert one["test_accuracy_step_1000"] == pytest.approx(one["test_accuracy"])
        lost = [row for row in rows if row["outcome"] == "diverged"]
        assert len(lost) == int((sweep.outcome == Outcome.DIVERGED).sum())
        assert {row["test_accuracy"] for row in lost} == {None}


def test_a_parquet_file_holds_what_reproduces_the_sweep() -> None:
    sweep = a_sweep(replace(TINY, seeds=2))
    metadata = pyarrow.parquet.read_table(io.BytesIO(sweep_export.parquet(sweep))).schema.metadata
    assert sweep_from_json(json.loads(metadata[b"bnviz.sweep"])) == sweep.config
