"""The page of a visitor's runs under AppTest: what it lists, and what opening, handing over and deleting do."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import Settings
from bnviz.errors import RunError
from bnviz.records import Phase
from bnviz.runs.engine import Engine
from bnviz.ui.downloads import _weights
from bnviz.ui.lab import HAND_OVER_KEY
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually, opened

PAGE = "pages/runs.py"


def listed(page: AppTest) -> list[str]:
    """The ids of the runs on the page, in order."""
    return [str(one.key).removeprefix("open-") for one in page.button if str(one.key).startswith("open-")]


def run_of_mine(page: AppTest, engine: Engine, **changes: object) -> str:
    """A run of whoever looks at the page, with ten steps behind it."""
    owner = page.session_state["owner"]
    run_id = engine.create(owner, Settings().replace(hidden_layers=1, width=20, **changes))
    engine.step(run_id, owner, 10)
    eventually(lambda: engine.hub.status(run_id).step == 10)
    return run_id


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def test_without_a_run_the_page_says_what_it_is_for_and_leads_to_the_lab(engine: Engine) -> None:
    page = open_page(PAGE)
    assert [one.value for one in page.title] == ["My runs"]
    assert any("press Play in the lab" in one.value for one in page.markdown)
    assert listed(page) == []


def test_the_visitors_runs_stand_there_the_newest_first_and_nobody_elses(engine: Engine) -> None:
    page = open_page(PAGE)
    first, second = run_of_mine(page, engine), run_of_mine(page, engine, nonlinearity="relu")
    other = engine.create("somebody else", Settings())
    page.run()
    assert listed(page) == [second, first]
    assert other not in listed(page)


def test_a_deleted_run_is_gone_from_page_disk_and_hub_once_it_was_asked_twice(engine: Engine) -> None:
    page = open_page(PAGE)
    run_id = run_of_mine(page, engine)
    folder = engine._store.folder / run_id
    eventually(folder.exists)
    page.run()
    press(page, f"delete-{run_id}")
    assert folder.exists()
    press(page, f"delete-really-{run_id}")
    assert not folder.exists()
    with pytest.raises(RunError, match="no such run"):
        engine.hub.get(run_id)
    assert run_id not in listed(page.run())


def test_a_run_is_opened_in_the_lab(engine: Engine) -> None:
    page = open_page(PAGE)
    run_id = run_of_mine(page, engine)
    page.run()
    press(page, f"open-{run_id}")
    assert [one.value for one in page.title] == ["Live lab"]
    assert page.session_state["run_id"] == run_id
    assert not control(page, "Play").disabled


def test_whoever_opens_a_hand_over_link_steers_and_its_old_owner_watches(engine: Engine) -> None:
    mine = opened()
    control(mine, "+1").click().run()
    run_id, owner = mine.session_state["run_id"], mine.session_state["owner"]
    code = engine.offer_controls(run_id, owner)
    yours = opened(run=run_id, **{HAND_OVER_KEY: code})
    assert any("yours now" in one.value for one in yours.warning)
    assert not control(yours, "Play").disabled
    assert engine.owner_of(run_id) == yours.session_state["owner"] != owner
    mine.run()
    assert any("You have handed over" in one.value for one in mine.warning)
    assert control(mine, "Play").disabled
    third = opened(run=run_id, **{HAND_OVER_KEY: code})
    assert any("used already" in one.value for one in third.warning)
    assert control(third, "Play").disabled


def test_the_weights_are_a_safetensors_file_with_all_to_go_on_from(engine: Engine) -> None:
    run_id = run_of_mine(open_page(PAGE), engine)
    blob = _weights(engine, run_id)
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    assert {"plain/weight.1", "bn/running_mean.1", "position", "epoch"} <= set(header)


def test_runs_asleep_are_listed_without_being_read(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page(PAGE)
    run_id, owner = run_of_mine(page, engine), page.session_state["owner"]
    engine.stop(run_id, owner)
    eventually(lambda: engine.hub.status(run_id).phase is Phase.ASLEEP)
    engine.hub.drop_idle(-1)

    def never(_: str) -> None:
        raise AssertionError("a history was read")

    monkeypatch.setattr(engine._store, "load", never)
    (summary,) = engine.summaries(owner)
    assert (summary.run_id, summary.status.phase, summary.status.step) == (run_id, Phase.ASLEEP, 10)
    assert all(0 < one < 1 for one in summary.accuracy)
    assert run_id in listed(page.run())
