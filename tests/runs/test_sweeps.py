"""Sweeps under way: cells handed to workers, taken in, kept on disk, stopped, resumed, and what may go wrong."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from bnviz.config import SweepAxis, SweepCell, SweepConfig
from bnviz.errors import ConfigError, RunError
from bnviz.records import Outcome, Phase, Sweep, SweepPhase
from bnviz.runs.awake import Limits
from bnviz.runs.engine import Engine
from bnviz.runs.sweep_store import SweepStore
from bnviz.runs.sweeps import MOST_ENDS
from tests.fake_worker import SMALL, FakeCluster, a_cell_result, eventually

ME, ANOTHER = "me", "another"
CONFIG = SweepConfig(
    y=SweepAxis("init_scale", (0.01, 0.1, 1.0)),
    x=SweepAxis("learning_rate", (0.1, 0.3, 1.0, 3.0)),
    base=SMALL,
    steps=100,
    seeds=2,
)
Make = Callable[..., Engine]


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(workers=2)


@pytest.fixture
def make(tmp_path: Path, cluster: FakeCluster) -> Iterator[Make]:
    engines = []

    def make(home: Path | None = None, **limits: int) -> Engine:
        engine = Engine(home or tmp_path, cluster=cluster, limits=Limits(**limits))
        engine.start()
        engines.append(engine)
        eventually(lambda: engine.is_ready)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(make: Make) -> Engine:
    return make()


def sweep_of(engine: Engine, sweep_id: str) -> Sweep:
    sweep = engine.hub.get(sweep_id).sweep
    assert sweep is not None
    return sweep


def finished(engine: Engine, sweep_id: str) -> Sweep:
    eventually(lambda: sweep_of(engine, sweep_id).status.phase is SweepPhase.FINISHED)
    return sweep_of(engine, sweep_id)


def is_as_made_up(sweep: Sweep, cells: list[SweepCell]) -> bool:
    """Whether these cells hold what the fake workers have told, and all others nothing."""
    for cell in sweep.config.cells:
        place = (slice(None), cell.row, cell.column, cell.seed)
        expected = a_cell_result(sweep.config, cell)
        if cell in cells and not np.array_equal(sweep.accuracy[place], expected.accuracy, equal_nan=True):
            return False
        if cell not in cells and not np.isnan(sweep.accuracy[place]).all():
            return False
    return True


def test_a_sweep_fills_in_until_every_cell_has_come_in(engine: Engine, cluster: FakeCluster) -> None:
    sweep = finished(engine, engine.start_sweep(ME, CONFIG))
    assert is_as_made_up(sweep, CONFIG.cells)
    assert sweep.status.cells_done == sweep.status.cells_all == 12
    assert sweep.status.runs_done == 24
    assert sorted((cell for _, batch in cluster.batches for cell in batch), key=astuple) == sorted(
        CONFIG.cells, key=astuple
    )


def test_a_worker_has_one_batch_at_a_time(engine: Engine, cluster: FakeCluster) -> None:
    cluster.may_finish = False
    engine.start_sweep(ME, CONFIG)
    engine.start_sweep(ME, CONFIG)
    eventually(lambda: len(cluster.batches) == 2)
    assert len({address for address, _ in cluster.batches}) == 2


def test_two_sweeps_take_turns(make: Make, cluster: FakeCluster) -> None:
    engine = make()
    cluster.may_finish = False
    first, second = engine.start_sweep(ME, CONFIG), engine.start_sweep(ANOTHER, CONFIG)
    cluster.may_finish = True
    finished(engine, first)
    finished(engine, second)


def test_what_is_under_way_is_marked(engine: Engine, cluster: FakeCluster) -> None:
    cluster.may_finish = False
    sweep_id = engine.start_sweep(ME, CONFIG)
    eventually(lambda: len(cluster.batches) == 2)
    sweep = sweep_of(engine, sweep_id)
    count = sum(len(batch) for _, batch in cluster.batches)
    assert int((sweep.outcome[0] == Outcome.TRAINING).sum()) == count
    assert engine.hub.status(sweep_id).phase is Phase.PLAYING


def test_a_paused_sweep_goes_on_with_what_is_left(engine: Engine, cluster: FakeCluster) -> None:
    cluster.may_finish = False
    sweep_id = engine.start_sweep(ME, CONFIG)
    eventually(lambda: len(cluster.batches) == 2)
    engine.pause_sweep(sweep_id, ME)
    paused = sweep_of(engine, sweep_id)
    assert paused.status.phase is SweepPhase.PAUSED
    assert not (paused.outcome == Outcome.TRAINING).any()
    cluster.may_finish = True
    engine.resume_sweep(sweep_id, ME)
    assert is_as_made_up(finished(engine, sweep_id), CONFIG.cells)


def test_a_cancelled_sweep_keeps_what_has_come_in_and_takes_no_more(engine: Engine, cluster: FakeCluster) -> None:
    cluster.faulty = {SweepCell(2, 3, 1)}
    sweep_id = engine.start_sweep(ME, CONFIG)
    finished(engine, sweep_id)
    cluster.may_finish = False
    engine.retry_sweep(sweep_id, ME)
    engine.cancel_sweep(sweep_id, ME)
    cluster.may_finish, cluster.faulty = True, set()
    sweep = sweep_of(engine, sweep_id)
    assert sweep.status.phase is SweepPhase.CANCELLED
    assert is_as_made_up(sweep, [cell for cell in CONFIG.cells if cell != SweepCell(2, 3, 1)])


def test_a_cell_that_ends_its_worker_three_times_fails_alone(engine: Engine, cluster: FakeCluster) -> None:
    guilty = SweepCell(1, 2, 0)
    cluster.deadly = {guilty}
    sweep = finished(engine, engine.start_sweep(ME, CONFIG))
    assert [one.cell for one in sweep.failures] == [guilty]
    assert f"ended {MOST_ENDS} times" in sweep.failures[0].reason
    assert sum(guilty in batch for _, batch in cluster.batches) == MOST_ENDS
    assert is_as_made_up(sweep, [cell for cell in CONFIG.cells if cell != guilty])
    assert sweep.status.cells_failed == 1


def test_a_cell_that_cannot_be_trained_fails_with_its_reason_and_can_be_tried_again(
    engine: Engine, cluster: FakeCluster
) -> None:
    cluster.faulty = {SweepCell(0, 0, 0), SweepCell(2, 1, 1)}
    sweep_id = engine.start_sweep(ME, CONFIG)
    sweep = finished(engine, sweep_id)
    assert {one.cell for one in sweep.failures} == cluster.faulty
    assert {one.reason for one in sweep.failures} == {"Its training failed."}
    cluster.faulty = set()
    engine.retry_sweep(sweep_id, ME)
    sweep = finished(engine, sweep_id)
    assert not sweep.failures
    assert is_as_made_up(sweep, CONFIG.cells)


def test_a_worker_lost_for_another_reason_costs_nobody_a_cell(engine: Engine, cluster: FakeCluster) -> None:
    cluster.may_finish = False
    sweep_id = engine.start_sweep(ME, CONFIG)
    eventually(lambda: len(cluster.batches) == 2)
    cluster.kill(cluster.batches[0][0])
    cluster.add_worker()
    cluster.may_finish = True
    assert is_as_made_up(finished(engine, sweep_id), CONFIG.cells)


# --- owners and limits ------------------------------------------------------------------------------------------------


def test_only_its_owner_steers_a_sweep(engine: Engine) -> None:
    sweep_id = engine.start_sweep(ME, CONFIG)
    for command in (engine.pause_sweep, engine.resume_sweep, engine.cancel_sweep, engine.retry_sweep):
        with pytest.raises(RunError, match="somebody else's"):
            command(sweep_id, ANOTHER)
    assert engine.owner_of_sweep(sweep_id) == ME
    assert engine.sweeps_of(ME) == [sweep_id]
    assert engine.sweeps_of(ANOTHER) == []


def test_a_sweep_too_many_is_refused_with_the_limit(make: Make, cluster: FakeCluster) -> None:
    engine = make(sweeps_an_owner=1, sweeps=2)
    cluster.may_finish = False
    first = engine.start_sweep(ME, CONFIG)
    with pytest.raises(RunError, match="1 is the most"):
        engine.start_sweep(ME, CONFIG)
    engine.start_sweep(ANOTHER, CONFIG)
    with pytest.raises(RunError, match="that is the most"):
        engine.start_sweep("a third", CONFIG)
    engine.pause_sweep(first, ME)
    engine.start_sweep("a third", CONFIG)


@pytest.mark.parametrize("sweep_id", ["", "sweep-unknown-0000000000", "../../etc/passwd", "sweep-" + "a" * 500])
def test_an_unknown_sweep_is_refused_without_a_path(engine: Engine, sweep_id: str) -> None:
    with pytest.raises(RunError, match="no such") as caught:
        engine.pause_sweep(sweep_id, ME)
    assert "/" not in caught.value.text
    with pytest.raises(RunError, match="no such"):
        engine.hub.get(sweep_id)


def test_the_engine_refuses_what_no_page_could_ask_for(engine: Engine) -> None:
    wrong = SweepConfig(y=CONFIG.y, x=CONFIG.x, base=SMALL, steps=100, seeds=1)
    object.__setattr__(wrong, "steps", 10**9)
    with pytest.raises(ConfigError):
        engine.start_sweep(ME, wrong)


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_a_sweep_of_an_engine_that_has_ended_is_found_and_goes_on(
    make: Make, cluster: FakeCluster, tmp_path: Path
) -> None:
    first = make()
    sweep_id = first.start_sweep(ME, CONFIG)
    finished(first, sweep_id)
    folder = tmp_path / "sweeps" / sweep_id
    lines = (folder / "cells.jsonl").read_text().splitlines(keepends=True)
    first.close()
    # As a kill leaves it: half of the cells, the last line torn, and no word of an end.
    (folder / "cells.jsonl").write_text("".join(lines[:10]) + lines[10][:25])
    manifest = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(manifest | {"phase": "running"}))

    second = make()
    assert second.sweeps_of(ME) == [sweep_id]
    sweep = sweep_of(second, sweep_id)
    assert sweep.status.phase is SweepPhase.INTERRUPTED
    assert sweep.status.runs_done == 10
    cluster.batches.clear()
    second.resume_sweep(sweep_id, ME)
    assert is_as_made_up(finished(second, sweep_id), CONFIG.cells)
    assert sum(len(batch) for _, batch in cluster.batches) == 14


def test_what_a_slow_disk_is_still_taking_is_there_when_the_engine_has_closed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_phase = SweepStore.set_phase

    def slowly(store: SweepStore, sweep: Sweep, owner: str) -> None:
        time.sleep(0.3)
        set_phase(store, sweep, owner)

    monkeypatch.setattr(SweepStore, "set_phase", slowly)
    engine = make()
    sweep_id = engine.start_sweep(ME, CONFIG)
    finished(engine, sweep_id)
    engine.close()
    assert json.loads((tmp_path / "sweeps" / sweep_id / "sweep.json").read_text())["phase"] == "finished"


def test_a_disk_that_takes_nothing_is_a_notice_and_the_sweep_goes_on(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "sweeps").write_text("a file where a folder should be")
    sweep_id = engine.start_sweep(ME, CONFIG)
    sweep = finished(engine, sweep_id)
    assert "could not be saved" in sweep.status.notice
    assert str(tmp_path) not in sweep.status.notice
    assert is_as_made_up(sweep, CONFIG.cells)


def test_a_damaged_sweep_is_an_error_in_words_and_the_others_are_there(make: Make, tmp_path: Path) -> None:
    engine = make()
    good, bad = engine.start_sweep(ME, CONFIG), engine.start_sweep(ME, CONFIG)
    finished(engine, good)
    finished(engine, bad)
    engine.close()
    (tmp_path / "sweeps" / bad / "sweep.json").write_text('{"owner": "me"}')
    again = make()
    assert set(again.sweeps_of(ME)) == {good, bad}
    assert sweep_of(again, good).status.runs_done == 24
    with pytest.raises(RunError, match="damaged") as caught:
        again.hub.get(bad)
    assert str(tmp_path) not in caught.value.text
