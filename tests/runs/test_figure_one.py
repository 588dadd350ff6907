"""The recordings of the paper's Figure 1 on disk: read back as written, and nothing else of the app needs them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnviz.config import FIGURE_ONE_STEPS, FigureOneConfig, Settings
from bnviz.errors import DataError
from bnviz.records import FIGURE_ONE_CHARTS, Badge, Condition, Health
from bnviz.runs import recorded
from bnviz.runs.figure_one import file_of, load_replica, save_replica
from bnviz.runs.hub import Hub
from bnviz.runs.recorded import figure_one, recorded_figure_one, with_recording
from tests.figures import made_up_runs as made_up
from tests.figures.made_up_figure_one import a_replica

CONFIG = FigureOneConfig(learning_rate=2.0, seed=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where recordings are looked for; nothing read from it is remembered."""
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    for cached in (recorded.figure_one, recorded._figure_one_curves):
        cached.cache_clear()
    yield tmp_path / "figure-one"
    for cached in (recorded.figure_one, recorded._figure_one_curves):
        cached.cache_clear()


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = replace(a_replica(CONFIG), health=(Health(Condition.DIVERGED, 7, 2, "weights"), Health()))
    save_replica(tmp_path, written)
    read, curves = load_replica(tmp_path, CONFIG, with_bands=True), load_replica(tmp_path, CONFIG)
    for name in ("step", "accuracy", "loss", "units", "bands"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == getattr(written, name).dtype
    assert (read.config, read.health, read.origin) == (CONFIG, written.health, "made up")
    assert curves.bands is None
    np.testing.assert_array_equal(curves.accuracy, written.accuracy)
    assert [path.name for path in tmp_path.iterdir()] == [f"{CONFIG.name}.npz"]


def test_a_missing_recording_says_how_to_make_it_again(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sgd-2-0\.1-1\.npz .*python -m assets\.recorded\.record --again figure-one"):
        load_replica(tmp_path, CONFIG)


@pytest.mark.parametrize("damage", ["torn", "garbled", "empty", "another"])
def test_a_damaged_recording_is_told_from_a_whole_one(tmp_path: Path, damage: str) -> None:
    save_replica(tmp_path, a_replica(CONFIG))
    path = file_of(tmp_path, CONFIG)
    data = bytearray(path.read_bytes())
    if damage == "torn":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "garbled":
        place = data.index(b"bands.npy") + 200
        data[place : place + 400] = bytes(400)
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        save_replica(tmp_path, a_replica(FigureOneConfig()))
        file_of(tmp_path, FigureOneConfig()).replace(path)
    with pytest.raises(DataError, match="missing or damaged"):
        load_replica(tmp_path, CONFIG, with_bands=True)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    with file_of(tmp_path, CONFIG).open("wb") as file:
        np.savez(file, about=np.array([{"config": object}], dtype=object))
    with pytest.raises(DataError):
        load_replica(tmp_path, CONFIG)


def test_a_recorded_run_carries_all_that_could_be_read(folder: Path) -> None:
    for config in CONFIG.replicas:
        save_replica(folder, a_replica(config))
    hub = Hub()
    run = recorded_figure_one(hub, CONFIG)
    assert run is recorded_figure_one(hub, CONFIG)
    assert run.badge is Badge.RECORDED
    assert (run.settings, run.status.step, run.origin) == (CONFIG.settings, FIGURE_ONE_STEPS, "made up")
    assert run.figure_one is not None
    assert run.figure_one.shown is not None
    assert run.figure_one.shown.bands is not None
    assert {one.config for one in run.figure_one.replicas} == set(CONFIG.replicas)
    assert not run.is_study
    assert "missing or damaged" in run.status.notice
    assert "more recordings" in run.status.notice


def test_without_any_recording_there_is_a_run_that_says_so(folder: Path) -> None:
    run = recorded_figure_one(Hub(), CONFIG)
    assert run.figure_one is not None
    assert run.figure_one.shown is None
    assert run.status.step == 0
    assert f"{CONFIG.name}.npz in assets/recorded/figure-one is missing" in run.status.notice


def test_a_run_is_accompanied_by_its_recording_where_a_chart_shows_that(folder: Path) -> None:
    save_replica(folder, a_replica(CONFIG))
    run = made_up.a_run(5).replace(settings=CONFIG.settings)
    assert with_recording(run, {"accuracy", "loss"}) is run
    assert with_recording(run, set()) is run
    dressed = with_recording(run, {FIGURE_ONE_CHARTS[0], "loss"})
    assert dressed.figure_one is figure_one(CONFIG)
    assert dressed.history is run.history
    other = run.replace(settings=Settings().replace(learning_rate=0.3))
    assert with_recording(other, FIGURE_ONE_CHARTS) is other
