"""Sweeps of the engine, with cells that a fake cluster trains: paused, cancelled, retried, killed, found again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnviz.config import RATE_AND_SCALE, SweepAxis, SweepCell, SweepConfig
from bnviz.errors import BnvizError, RunError
from bnviz.records import Outcome, SweepPhase, cells_in
from bnviz.runs.awake import Limits
from bnviz.runs.cluster import WorkerKilledError
from bnviz.runs.engine import Engine
from tests.fake_worker import FakeCluster, Sweeper, eventually

ME, YOU = "me", "you"
MAP = SweepConfig(SweepAxis("init_scale", (0.01, 0.1, 1.0)), SweepAxis("learning_rate", (0.1, 1.0)), steps=100, seeds=2)
GUILTY = SweepCell(1, 1, 0)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(workers=2)


@pytest.fixture
def engine(tmp_path: Path, cluster: FakeCluster) -> Iterator[Engine]:
    engine = Engine(tmp_path, cluster=cluster)
    engine.start()
    eventually(lambda: engine.is_ready)
    yield engine
    engine.close()


def phase_is(engine: Engine, sweep_id: str, phase: SweepPhase) -> None:
    eventually(lambda: engine.sweep(sweep_id).status.phase is phase)


def finished(engine: Engine, sweep: SweepConfig = MAP) -> str:
    sweep_id = engine.start_sweep(ME, sweep)
    phase_is(engine, sweep_id, SweepPhase.FINISHED)
    return sweep_id


def test_every_cell_comes_in_with_its_own_result(engine: Engine) -> None:
    sweep = engine.sweep(finished(engine))
    assert (sweep.outcome == Outcome.TRAINED).all()
    for cell in MAP.cells:
        expected = Sweeper.result(MAP, cell).accuracy
        assert sweep.accuracy[:, cell.row, cell.column, cell.seed].tolist() == expected.tolist()
    assert (sweep.status.cells_done, sweep.status.runs_done) == (6, 12)


def test_no_more_batches_are_under_way_than_there_are_workers(engine: Engine, cluster: FakeCluster) -> None:
    both = [engine.start_sweep(ME, MAP), engine.start_sweep(YOU, MAP)]
    for sweep_id in both:
        phase_is(engine, sweep_id, SweepPhase.FINISHED)
    assert cluster.sweeper.most_at_once == 2


def test_the_map_shows_what_is_under_way_and_fills_in_live(engine: Engine, cluster: FakeCluster) -> None:
    cluster.sweeper.is_open = False
    sweep_id = engine.start_sweep(ME, MAP)
    eventually(lambda: len(cells_in(engine.sweep(sweep_id), Outcome.TRAINING)) >= 4)
    assert engine.sweep(sweep_id).status.cells_done == 0
    cluster.sweeper.is_open = True
    phase_is(engine, sweep_id, SweepPhase.FINISHED)


def test_a_paused_sweep_gives_its_workers_back_and_resumes_where_it_was(engine: Engine, cluster: FakeCluster) -> None:
    cluster.sweeper.is_open = False
    sweep_id = engine.start_sweep(ME, MAP)
    eventually(lambda: len(cluster.sweeper.batches) == 2)
    engine.pause_sweep(sweep_id, ME)
    eventually(lambda: len(cells_in(engine.sweep(sweep_id), Outcome.WAITING)) == 12)
    assert engine.sweep(sweep_id).status.phase is SweepPhase.PAUSED
    cluster.sweeper.is_open = True
    engine.resume_sweep(sweep_id, ME)
    phase_is(engine, sweep_id, SweepPhase.FINISHED)


def test_a_cancelled_sweep_keeps_what_has_come_in_and_cannot_be_resumed(engine: Engine, cluster: FakeCluster) -> None:
    cluster.sweeper.is_open = False
    sweep_id = engine.start_sweep(ME, MAP)
    engine.cancel_sweep(sweep_id, ME)
    eventually(lambda: not cells_in(engine.sweep(sweep_id), Outcome.TRAINING))
    assert engine.sweep(sweep_id).status.phase is SweepPhase.CANCELLED
    with pytest.raises(RunError, match="was cancelled: start it again"):
        engine.resume_sweep(sweep_id, ME)


def test_the_cell_that_kills_its_worker_three_times_fails_and_the_rest_finishes(
    engine: Engine, cluster: FakeCluster
) -> None:
    cluster.sweeper.poisonous[GUILTY] = WorkerKilledError(1)
    sweep = engine.sweep(finished(engine))
    assert [one.cell for one in sweep.failures] == [GUILTY]
    assert "ended its worker 3 times" in sweep.failures[0].reason
    assert sum(GUILTY in batch for batch in cluster.sweeper.batches) == 3
    assert (sweep.status.cells_done, sweep.status.cells_failed, sweep.status.runs_done) == (5, 1, 12)
    assert len(cells_in(sweep, Outcome.TRAINED)) == 11


def test_a_cell_that_cannot_be_computed_fails_with_the_reason_and_alone(engine: Engine, cluster: FakeCluster) -> None:
    cluster.sweeper.poisonous[GUILTY] = BnvizError("no such thing")
    sweep = engine.sweep(finished(engine))
    assert [(one.cell, one.reason) for one in sweep.failures] == [(GUILTY, "no such thing")]
    assert len(cells_in(sweep, Outcome.TRAINED)) == 11


def test_failed_cells_are_tried_again(engine: Engine, cluster: FakeCluster) -> None:
    cluster.sweeper.poisonous[GUILTY] = WorkerKilledError(1)
    sweep_id = finished(engine)
    cluster.sweeper.poisonous.clear()
    engine.retry_sweep(sweep_id, ME)
    phase_is(engine, sweep_id, SweepPhase.FINISHED)
    eventually(lambda: engine.sweep(sweep_id).status.cells_done == 6)
    assert engine.sweep(sweep_id).failures == ()


# --- on disk ----------------------------------------------------------------------------------------------------------


def halted(home: Path) -> str:
    """A sweep whose server ended with some cells come in and one failed."""
    cluster = FakeCluster(workers=1)
    cluster.sweeper.poisonous[SweepCell(0, 0, 0)] = BnvizError("why")
    engine = Engine(home, cluster=cluster)
    engine.start()
    sweep_id = engine.start_sweep(ME, replace(MAP, seeds=1))
    phase_is(engine, sweep_id, SweepPhase.FINISHED)
    engine.close()
    manifest = home / "sweeps" / sweep_id / "settings.json"
    manifest.write_text(manifest.read_text().replace('"finished"', '"running"'))
    results = manifest.with_name("results.jsonl")
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(lines[1:])[:-20])  # one never came in, and one was cut off as it was written
    return sweep_id


def test_a_server_started_again_finds_a_sweep_with_what_had_come_in_and_goes_on(tmp_path: Path) -> None:
    sweep_id = halted(tmp_path)
    cluster = FakeCluster(workers=1)
    engine = Engine(tmp_path, cluster=cluster)
    engine.start()
    eventually(lambda: engine.sweeps_of(ME) == [sweep_id])
    sweep = engine.sweep(sweep_id)
    assert sweep.status.phase is SweepPhase.INTERRUPTED
    assert sweep.status.runs_done == 4
    known = set(cells_in(sweep, Outcome.TRAINED, Outcome.FAILED))
    engine.resume_sweep(sweep_id, ME)
    phase_is(engine, sweep_id, SweepPhase.FINISHED)
    assert not known & {cell for batch in cluster.sweeper.batches for cell in batch}
    whole = engine.sweep(sweep_id)
    engine.close()
    again = Engine(tmp_path, cluster=FakeCluster())
    again.start()
    found = again.sweep(sweep_id)
    again.close()
    assert found.config == whole.config
    assert found.status.phase is SweepPhase.FINISHED
    for name in ("outcome", "since_step", "accuracy", "accuracy_over_steps"):
        assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=True), name
    assert found.failures == whole.failures


@pytest.mark.parametrize(
    "line", ["", "[]", '{"cell": [9, 9, 9]}', '{"cell": [0, 0, 0], "outcome": [9, 9]}', "\x00\xff", '{"cell": "abc"}']
)
def test_a_damaged_line_is_a_run_that_has_not_come_in(engine: Engine, tmp_path: Path, line: str) -> None:
    sweep_id = finished(engine)
    path = tmp_path / "sweeps" / sweep_id / "results.jsonl"
    lines = path.read_text().splitlines()
    first = SweepCell(*json.loads(lines[0])["cell"])
    path.write_text("\n".join([line, *lines[1:]]))
    sweep = engine._sweep_store.load(sweep_id).sweep
    assert cells_in(sweep, Outcome.WAITING) == [first]


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 2}', "[1]"])
def test_a_damaged_sweep_is_refused_in_words(engine: Engine, tmp_path: Path, text: str) -> None:
    sweep_id = finished(engine)
    (tmp_path / "sweeps" / sweep_id / "settings.json").write_text(text)
    with pytest.raises(RunError, match="cannot be read"):
        engine._sweep_store.load(sweep_id)


@pytest.mark.parametrize("sweep_id", ["x" * 22, "../../etc/passwd", ""])
def test_there_is_no_such_sweep(engine: Engine, sweep_id: str) -> None:
    with pytest.raises(RunError, match="no such sweep"):
        engine.sweep(sweep_id)
    with pytest.raises(RunError, match="no such sweep"):
        engine.pause_sweep(sweep_id, ME)


# --- owners and limits ------------------------------------------------------------------------------------------------


def test_only_its_owner_commands_a_sweep_and_everybody_watches(engine: Engine) -> None:
    sweep_id = finished(engine)
    for command in (engine.pause_sweep, engine.resume_sweep, engine.cancel_sweep, engine.retry_sweep):
        with pytest.raises(RunError, match="somebody else's"):
            command(sweep_id, YOU)
    assert engine.sweep(sweep_id).status.phase is SweepPhase.FINISHED
    assert engine.owner_of_sweep(sweep_id) == ME


def test_an_owner_and_a_server_have_so_many_sweeps_at_once(tmp_path: Path, cluster: FakeCluster) -> None:
    cluster.sweeper.is_open = False
    engine = Engine(tmp_path, cluster=cluster, limits=Limits(sweeps_an_owner=1, sweeps_in_all=2))
    engine.start()
    first = engine.start_sweep(ME, MAP)
    with pytest.raises(RunError, match="You have 1 sweeps going or paused, and 1 is the most"):
        engine.start_sweep(ME, MAP)
    engine.start_sweep(YOU, MAP)
    with pytest.raises(RunError, match="2 sweeps are going or paused here, and 2 is the most"):
        engine.start_sweep("third", MAP)
    engine.cancel_sweep(first, ME)
    engine.start_sweep(ME, MAP)
    engine.close()


def test_a_sweep_without_workers_waits_and_says_so(tmp_path: Path) -> None:
    cluster = FakeCluster(workers=0)
    engine = Engine(tmp_path, cluster=cluster)
    engine.start()
    sweep_id = engine.start_sweep(ME, RATE_AND_SCALE)
    assert engine.sweep(sweep_id).status.notice == "Waiting for a worker."
    engine.close()
