"""Sweeps with their real parts: a child process with Dask, and workers that train on MNIST and die."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnviz import data
from bnviz.config import Device, SweepAxis, SweepCell, SweepConfig
from bnviz.records import Outcome, Sweep, SweepPhase
from bnviz.runs.cluster import DaskCluster
from bnviz.runs.engine import Engine
from bnviz.training import train_cells
from tests.fake_worker import SMALL, eventually
from tests.runs.processes import one_thread

pytestmark = pytest.mark.slow

ME = "me"
START_SECONDS = 240.0
MAP = SweepConfig(
    SweepAxis("init_scale", (0.05, 0.5)),
    SweepAxis("learning_rate", (0.1, 0.5, 1.0, 3.0)),
    SMALL.replace(device=Device.CPU),
    steps=30,
    seeds=1,
)


def sweep_of(engine: Engine, sweep_id: str) -> Sweep:
    sweep = engine.hub.get(sweep_id).sweep
    assert sweep is not None
    return sweep


def poisonous(config: SweepConfig, cells: Sequence[SweepCell], token: str) -> Any:
    """The task, but that one cell ends its worker's process."""
    import os

    from bnviz.worker.sweep_task import train_cells_here

    if any((cell.row, cell.column) == (1, 2) for cell in cells):
        os._exit(1)
    return train_cells_here(config, cells, token)


poisonous.__module__ = "__main__"  # so that it is sent as it is: a worker cannot import the tests


def test_a_cell_that_kills_its_worker_three_times_fails_and_the_rest_finishes(tmp_path: Path) -> None:
    cluster = DaskCluster(workers=2)
    cluster.task = poisonous
    engine = Engine(tmp_path, cluster=cluster)
    engine.start()
    try:
        sweep_id = engine.start_sweep(ME, MAP)
        eventually(lambda: sweep_of(engine, sweep_id).status.phase is SweepPhase.FINISHED, START_SECONDS)
        sweep = sweep_of(engine, sweep_id)
    finally:
        engine.close()
    assert [one.cell for one in sweep.failures] == [SweepCell(1, 2, 0)]
    assert "ended 3 times" in sweep.failures[0].reason
    assert (sweep.outcome == Outcome.FAILED).sum() == 2
    assert sweep.status.cells_done == 7
    assert sweep.status.cells_failed == 1


def test_a_sweep_of_a_server_that_ended_goes_on_to_the_results_it_would_have_had(tmp_path: Path) -> None:
    engine = Engine(tmp_path, workers=1)
    engine.start()
    sweep_id = engine.start_sweep(ME, MAP)
    eventually(lambda: sweep_of(engine, sweep_id).status.runs_done > 0, START_SECONDS)
    engine.close()
    engine = Engine(tmp_path, workers=1)
    engine.start()
    eventually(lambda: engine.sweeps_of(ME) == [sweep_id])
    assert sweep_of(engine, sweep_id).status.runs_done > 0
    engine.resume_sweep(sweep_id, ME)
    eventually(lambda: sweep_of(engine, sweep_id).status.phase is SweepPhase.FINISHED, START_SECONDS)
    sweep = sweep_of(engine, sweep_id)
    engine.close()
    with one_thread():
        for cell in MAP.cells:
            *_, (alone,) = train_cells(MAP, [cell], data.load())
            assert np.array_equal(sweep.accuracy[:, cell.row, cell.column, 0], alone.accuracy, equal_nan=True)
