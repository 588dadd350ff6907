"""The page on the paper under AppTest: its parts, one at a time, and what each of them says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import (
    CLAIM_KEY,
    RATE_AND_NONLINEARITY,
    RATE_AND_TRAINING_IMAGES,
    SWEEPS,
    ShiftMeasure,
    sweep_to_query,
)
from bnviz.figures.claims import CLAIMS
from bnviz.figures.rulings import Ruling
from bnviz.records import SweepPhase
from bnviz.runs import engine as engines
from bnviz.runs import recorded
from bnviz.runs.engine import Engine
from bnviz.runs.sweep_run import run_of
from bnviz.ui import claims, texts
from bnviz.ui import lab as commands
from bnviz.ui.claim_runs import runs_of
from bnviz.ui.claims import WORDS, summary
from bnviz.ui.entries import entries_of
from bnviz.ui.paper import PARTS
from tests.fake_worker import FakeCluster
from tests.figures import made_up_runs as made_up
from tests.figures.made_up_sweeps import a_sweep
from tests.pages.opening import open_page

PAGE = "pages/paper.py"


def opened(**query: str) -> AppTest:
    return open_page(PAGE, **query)


def said(page: AppTest) -> str:
    return "\n".join(one.value for one in page.markdown).replace("\N{NO-BREAK SPACE}", " ")


def press(page: AppTest, key: str) -> AppTest:
    (button,) = [one for one in page.button if one.key == key]
    return button.click().run()


@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens_from_its_link(engine: Engine, part: str) -> None:
    page = opened(part=part)
    assert [title.value for title in page.title] == [f"The paper, reproduced: {PARTS[part].label}"]
    assert page.session_state["part"] == part
    assert not page.error
    assert not page.warning


def test_a_link_shares_the_part_on_screen_and_nothing_of_the_visitors(engine: Engine) -> None:
    page = opened(part="since", present="1")
    (shared,) = [one.value for one in page.code]
    assert shared.endswith("?part=since")


# --- the claims -------------------------------------------------------------------------------------------------------


def test_every_claim_has_a_row_with_what_the_paper_says_the_numbers_and_a_verdict(engine: Engine) -> None:
    page = opened(part="claims")
    text = said(page)
    for name in CLAIMS:
        title, body = texts.title_and_body(f"claim-{name}")
        stated, tested, *watched = body.split("\n\n")
        assert len(watched) == len(runs_of(name))
        assert f"**{title}**" in text
        assert "section" in stated
        assert tested.strip() in text
    rows = [one.value for one in page.markdown if one.value.startswith(":material/")]
    assert len(rows) == len(CLAIMS)
    assert all(any(f"**{word}**" in row for word in WORDS.values()) for row in rows)
    assert text.count(":gray-badge[recorded]") == len(CLAIMS)
    assert "torch" in text


def test_the_summary_counts_the_verdicts() -> None:
    text = summary([Ruling.HOLDS, Ruling.HOLDS, Ruling.IN_PART, Ruling.INVERTS])
    assert text == "By the recordings, of 4 claims 2 hold, 1 holds in part, 1 inverts, at this scale."


def test_every_claim_opens_where_it_is_tested_and_in_the_lab(engine: Engine) -> None:
    page = opened(part="claims")
    for name in CLAIMS:
        labels = [one.label for one in page.button if str(one.key).startswith(f"open-{name}-")]
        runs = [run.label for run in runs_of(name)]
        assert len(labels) > len(runs) > 0
        assert labels[-len(runs) :] == runs


def test_a_map_opens_with_the_settings_of_its_recording(engine: Engine) -> None:
    page = opened(part="claims")
    press(page, "open-higher-rates-Map of nonlinearities")
    assert [title.value for title in page.title] == ["Which settings survive?"]
    for key in ("sweep-x", "sweep-y", "sweep-seeds"):
        value = page.query_params[key]
        assert (value if isinstance(value, str) else value[0]) == sweep_to_query(RATE_AND_NONLINEARITY)[key]


def first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]


@pytest.mark.parametrize("name", CLAIMS)
def test_the_lab_opens_with_the_claims_own_run_and_says_what_to_watch(engine: Engine, name: str) -> None:
    title, body = texts.title_and_body(f"claim-{name}")
    for run, watch in zip(runs_of(name), body.split("\n\n")[2:], strict=True):
        page = opened(part="claims")
        press(page, f"open-{name}-{run.label}")
        assert [one.value for one in page.title] == ["Live lab"]
        assert engine.hub.get(page.session_state["run_id"]).settings == run.settings
        assert f"**{title}?** {watch}" in [one.value for one in page.markdown]
        assert first(page.query_params[CLAIM_KEY]) == run.name
        assert first(page.query_params["run"]) == page.session_state["run_id"]
        assert not page.warning


def test_the_address_of_the_claims_stays_while_they_are_left(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change of it would be one more step for the browser's Back."""
    page = opened(part="claims")
    written: list[str] = []
    monkeypatch.setattr(commands, "_show_run_in_link", lambda role, run_id: written.append(run_id))
    press(page, "open-less-care-In the lab")
    assert not written


def test_a_map_opens_with_all_that_its_address_says(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []
    real = claims.st.switch_page

    def switch_page(page: str, query_params: dict[str, str]) -> None:
        given.append(query_params)
        real(page, query_params=query_params)

    monkeypatch.setattr(claims.st, "switch_page", switch_page)
    page = opened(part="claims")
    press(page, "open-less-dropout-Map of training images")
    assert given == [sweep_to_query(RATE_AND_TRAINING_IMAGES)]
    assert {key: first(value) for key, value in page.query_params.items()} == given[0]


def test_the_row_on_shift_opens_the_measure_that_it_tells(engine: Engine) -> None:
    page = opened(part="claims")
    press(page, "open-less-shift-Covariate shift")
    assert page.session_state["view"].shift_measure is ShiftMeasure.RELATIVE
    assert [one.value for one in page.title] == ["Does BN reduce covariate shift?"]


@pytest.mark.parametrize("part", ["claims", "since"])
def test_what_another_page_left_in_the_address_is_taken_out(engine: Engine, part: str) -> None:
    page = opened(part=part, lr="0.5", batch="60", claim="faster", **{"sweep-x": "lr:0.01,0.1"})
    assert set(page.query_params) == {"part"}


def test_a_map_that_the_visitor_has_swept_to_the_end_is_told_beside_its_recording(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SWEEPS["rate_and_scale"]
    own = run_of(a_sweep(config)).replace(run_id="sweep-of-the-visitors")
    engine.hub.put(own)
    monkeypatch.setattr(type(engine), "sweeps_of", lambda self, owner: ["sweep-gone", "sweep-of-the-visitors"])
    text = said(opened(part="claims"))
    assert text.count(":blue-badge[measured] **Your own run:") == 1  # only one claim takes this map alone


def test_a_map_that_is_not_whole_yet_is_not_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    half = run_of(a_sweep(SWEEPS["rate_and_scale"], known=70)).replace(run_id="sweep-half-of-it")
    engine.hub.put(half)
    monkeypatch.setattr(type(engine), "sweeps_of", lambda self, owner: ["sweep-half-of-it"])
    assert half.sweep is not None
    assert half.sweep.status.phase is SweepPhase.RUNNING
    assert "Your own run" not in said(opened(part="claims"))


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "another's"])
def test_what_the_visitors_own_run_measured_is_told_and_not_what_anothers_did(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    engine.hub.put(made_up.a_run(60, has_shift=True).replace(run_id="run-with-shift"))
    page = opened(part="claims")
    page.session_state["shift-run_id"] = "run-with-shift"
    owner = page.session_state["owner"] if is_own else "somebody else"
    monkeypatch.setattr(type(engine), "owner_of", lambda self, run_id: owner)
    page.run()
    assert said(page).count("**Your own run:") == is_own


# --- recordings that are missing or damaged ---------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the recordings, and an engine that has read none of them yet."""
    shutil.copytree(recorded.FOLDER, tmp_path / "recorded")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "recorded")
    engine = Engine(tmp_path / "runs", cluster=FakeCluster(workers=0))
    engine.start()
    monkeypatch.setattr(engines, "_the_engine", engine)
    yield tmp_path / "recorded"
    engine.close()


def test_a_missing_recording_is_named_in_its_rows_and_the_others_stand(folder: Path) -> None:
    shutil.rmtree(folder / "sweep-rate_and_depth")
    page = opened(part="claims")
    text = said(page)
    assert text.count("assets/recorded/sweep-rate_and_depth is missing or damaged") == 1
    assert "python -m assets.recorded.record --again sweep-rate_and_depth" in text
    assert text.count(":gray-badge[recorded]") == len(CLAIMS)  # its row still has the other map
    assert "1 is undecided" in text
    assert not page.error


@pytest.mark.parametrize("how", ["torn", "another map", "no JSON"])
def test_a_damaged_sweep_is_named_and_the_others_stand(folder: Path, how: str) -> None:
    manifest = folder / "sweep-rate_and_scale" / "sweep.json"
    if how == "torn":
        (folder / "sweep-rate_and_scale" / "cells.jsonl").write_text("", "utf-8")
    elif how == "no JSON":
        manifest.write_text("{", "utf-8")
    else:
        text = manifest.read_text("utf-8")
        assert '"steps": 1000' in text
        manifest.write_text(text.replace('"steps": 1000', '"steps": 900'), "utf-8")
    page = opened(part="claims")
    said_here = said(page)
    assert "2 are undecided" in said_here
    assert ("missing or damaged" in said_here) is (how != "torn")
    assert ("Not measured to the end yet" in said_here) is (how == "torn")
    assert not page.error


def test_a_damaged_run_is_named_and_the_others_stand(folder: Path) -> None:
    (folder / "shift" / "settings.json").write_text("nonsense", "utf-8")
    text = said(opened(part="claims"))
    assert "assets/recorded/shift is missing or damaged" in text
    assert "python -m assets.recorded.record --again shift" in text
    assert "1 is undecided" in text


def test_without_any_recording_every_row_says_so(folder: Path) -> None:
    shutil.rmtree(folder)
    page = opened(part="claims")
    assert "8 are undecided" in said(page)
    assert not page.error


# --- since 2015 -------------------------------------------------------------------------------------------------------


def test_the_timeline_and_the_corrections_are_all_there(engine: Engine) -> None:
    page = opened(part="since")
    text = said(page)
    for entry in (*entries_of("since").entries, *entries_of("corrections").entries):
        for paragraph in entry.paragraphs:
            assert paragraph in text
    assert "ImageNet" in text
    assert "Recurrent networks" in text
    assert [one.value for one in page.subheader] == ["What was said since", "Often told, and not so"]


def test_a_text_that_is_missing_is_said_and_nothing_else(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims.texts, "FOLDER", Path("nowhere"))
    for cached in (texts.text, entries_of):
        cached.cache_clear()
    try:
        page = opened(part="since")
        assert "assets/texts/" in page.error[0].value
    finally:
        monkeypatch.undo()
        texts.text.cache_clear()
