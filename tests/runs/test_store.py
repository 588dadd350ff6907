"""A run on disk comes back as it was; a damaged one names the file and the remedy; a full disk is said."""

import errno
import json
import os
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnviz.config import TWINS, WITH_NOISE, Directions, LandscapeConfig, WeightPoint, networks_of
from bnviz.errors import RunError
from bnviz.records import Badge, Condition, Health, Intervention, Phase, Run, Status, Update, kept_units
from bnviz.runs import store
from bnviz.runs.hub import Hub
from bnviz.runs.recorded import FOLDER
from bnviz.runs.store import MANIFEST, Saved, Store, default_home, load_run, save_run
from bnviz.worker.host import Checkpoint
from tests.fake_worker import SMALL, FakeClock, Workbench
from tests.figures import made_up_runs as made_up

RUN_ID = "an-unguessable-name_1"
LANDSCAPE = LandscapeConfig("points", "running", points=(WeightPoint("bn", 3), WeightPoint("bn"), WeightPoint("plain")))


def full_run() -> Run:
    """A run with something in every field."""
    trainer = Workbench(take=FakeClock().pass_)(SMALL)
    hub = Hub()
    hub.open(RUN_ID, SMALL, Status(Phase.PLAYING, 0, 0, 0.0, "CPU", ()))
    long_ago = [trainer.measure(True)]
    trainer.step_count = 60
    hub.apply(RUN_ID, Update(1, hub.status(RUN_ID), (*long_ago, trainer.measure(True)), units=kept_units(1, 10)))
    hub.apply(RUN_ID, Update(2, Status(Phase.PLAYING, 0, 60, 0.0, "CPU", ())))
    health = (Health(Condition.DIVERGED, 3, 2, "gradient"), Health())
    status = Status(Phase.PLAYING, 1, 60, 812.5, "CPU", health, "a notice", None)
    update = Update(
        3,
        status,
        (trainer.measure(False),),
        settings=SMALL.replace(learning_rate=0.1 + 0.2),
        units=kept_units(1, 10),
        interventions=(Intervention(3, "learning_rate", 0.5, 0.1 + 0.2),),
        gradients=(trainer.gradients(),),
        shift=(trainer.shift(),),
        smoothness=(trainer.smoothness(),),
        sharpness=(made_up.sharpness(60),),
        contour=next(trainer.contour(Directions.RANDOM)),
        landscape=list(trainer.landscape(LANDSCAPE))[-1],
    )
    hub.apply(RUN_ID, update)
    return hub.get(RUN_ID).replace(badge=Badge.RECORDED, origin="2026-01-01, torch, a laptop")


def assert_same(found: Any, expected: Any, where: str = "run") -> None:
    if is_dataclass(expected):
        assert type(found) is type(expected), where
        for one in fields(expected):
            assert_same(getattr(found, one.name), getattr(expected, one.name), f"{where}.{one.name}")
    elif isinstance(expected, tuple):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{number}]")
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, where
        np.testing.assert_array_equal(found, expected, where)
    else:
        assert found == expected, where
        assert type(found) is type(expected), where


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def owners(home: Path) -> dict[str, str]:
    return {run_id: entry.owner for run_id, entry in Store(home).catalogue().items()}


def files(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in folder.iterdir()}


def test_a_recorded_run_comes_back_in_every_field(tmp_path: Path) -> None:
    run = full_run()
    assert run.ghost is not None
    save_run(run, tmp_path / "recorded")
    assert_same(load_run(tmp_path / "recorded"), run)


@pytest.mark.parametrize("name", ["linear-unit", "untrained"])
def test_a_recorded_study_comes_back_in_every_field(name: str, tmp_path: Path) -> None:
    shipped = load_run(FOLDER / name)
    assert shipped.study is not None
    assert shipped.study.done == 1
    save_run(shipped, tmp_path / "again")
    assert_same(load_run(tmp_path / "again"), shipped)


@pytest.mark.parametrize("name", ["linear-unit", "untrained"])
def test_a_recorded_study_is_of_the_defaults_that_a_page_begins_with(name: str) -> None:
    study = load_run(FOLDER / name).study
    assert study is not None
    assert study.config == type(study.config)()


def test_a_visitors_own_study_is_not_kept(home: Path) -> None:
    run = load_run(FOLDER / "linear-unit").replace(run_id=RUN_ID, badge=Badge.MEASURED)
    Store(home).save(Saved(run, "me", None))
    assert Store(home).load(RUN_ID).run.study is None


@pytest.mark.parametrize(("name", "networks"), [("lab", TWINS), ("shift", WITH_NOISE)])
def test_the_shipped_recordings_have_the_networks_that_they_were_made_with(name: str, networks: Any) -> None:
    run = load_run(FOLDER / name)
    assert run.settings.model.networks == networks_of(networks)
    assert run.competitors == networks


@pytest.mark.parametrize(("lineup", "networks"), [("twins", TWINS), ("noisy", WITH_NOISE)])
def test_a_run_saved_when_there_were_two_lineups_is_read_as_before(tmp_path: Path, lineup: str, networks: Any) -> None:
    save_run(full_run(), tmp_path / "old")
    manifest = json.loads((tmp_path / "old" / MANIFEST).read_text("utf-8"))
    for name in ("networks", "groups", "r_max", "d_max"):
        del manifest["settings"][name]
    manifest["settings"]["lineup"] = lineup
    (tmp_path / "old" / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert load_run(tmp_path / "old").settings == full_run().settings.replace(networks=networks_of(networks))


def test_an_unfinished_landscape_is_not_kept(tmp_path: Path) -> None:
    run = full_run()
    assert run.landscape is not None
    for landscape in (replace(run.landscape, done=0.9), replace(run.landscape, problem="no plane")):
        save_run(run.replace(landscape=landscape), tmp_path / "recorded")
        assert load_run(tmp_path / "recorded").landscape is None


def test_a_saved_run_comes_back_asleep_with_its_owner_and_checkpoint(home: Path) -> None:
    saved = Saved(full_run(), "me", Checkpoint(1, 60, b"weights"))
    Store(home).save(saved)
    found = Store(home).load(RUN_ID)
    assert (found.owner, found.checkpoint) == ("me", Checkpoint(1, 60, b"weights"))
    assert found.run.status.phase is Phase.ASLEEP
    assert found.run.status.steps_per_second == 0
    assert_same(found.run.history, saved.run.history)
    assert owners(home) == {RUN_ID: "me"}


def test_saving_again_replaces_and_leaves_nothing_behind(home: Path) -> None:
    for step in (1, 2, 3):
        Store(home).save(Saved(full_run(), "me", Checkpoint(1, step, b"weights")))
    folder = home / "runs" / RUN_ID
    assert Store(home).load(RUN_ID).checkpoint == Checkpoint(1, 3, b"weights")
    assert len(list(folder.iterdir())) == 4
    assert files(folder) == {"settings.json", "history", "pictures", "checkpoint"}


def test_a_save_that_is_interrupted_leaves_the_run_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Store(home)
    one.save(Saved(full_run(), "me", Checkpoint(1, 1, b"first")))

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(RunError, match=r"could not be saved .*No space left.*downloads go on.*BNVIZ_HOME") as caught:
        one.save(Saved(full_run(), "me", Checkpoint(1, 2, b"second")))
    assert str(home) not in caught.value.text
    assert one.load(RUN_ID).checkpoint == Checkpoint(1, 1, b"first")
    assert len(list((home / "runs" / RUN_ID).iterdir())) == 4


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(RunError, match="could not be saved"):
        Store(tmp_path).save(Saved(full_run(), "me", None))


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a", "x" * 65, "..", "a/b" * 8, "nobody-has-this-run"])
def test_a_name_without_a_run_leads_nowhere(home: Path, name: str) -> None:
    with pytest.raises(RunError, match="no such run"):
        Store(home).load(name)


def test_a_name_never_leads_out_of_the_home(home: Path) -> None:
    save_run(full_run(), home / "elsewhere-beside-runs")
    (home / "runs").mkdir()
    with pytest.raises(RunError, match="no such run"):
        Store(home).load("../elsewhere-beside-runs")


@pytest.mark.parametrize("file", ["history", "pictures", "checkpoint"])
def test_a_missing_file_is_named(home: Path, file: str) -> None:
    Store(home).save(Saved(full_run(), "me", Checkpoint(1, 1, b"weights")))
    path = next((home / "runs" / RUN_ID).glob(f"{file}-*"))
    path.unlink()
    with pytest.raises(RunError, match=f"{path.name} of the run {RUN_ID} is missing: restore it") as caught:
        Store(home).load(RUN_ID)
    assert str(home) not in caught.value.text


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no more", b"not a zip file"])
@pytest.mark.parametrize("file", ["history", "pictures"])
def test_a_damaged_file_is_named_and_its_place_is_for_the_log_alone(
    home: Path, file: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    Store(home).save(Saved(full_run(), "me", None))
    path = next((home / "runs" / RUN_ID).glob(f"{file}-*"))
    path.write_bytes(content)
    with pytest.raises(RunError, match=f"{path.name} of the run {RUN_ID} cannot be read") as caught:
        Store(home).load(RUN_ID)
    assert str(home) not in caught.value.text
    assert str(path) in caplog.text


def test_arrays_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    save_run(full_run(), tmp_path)
    path = next(tmp_path.glob("history-*"))
    with np.load(path) as arrays:
        values = dict(arrays)
    np.savez(path, **(values | {"history.bands": values["history.bands"][..., :2]}))
    with pytest.raises(RunError, match="bands has shape"):
        load_run(tmp_path)


def test_a_pickle_in_an_array_is_never_opened(tmp_path: Path) -> None:
    save_run(full_run(), tmp_path)
    path = next(tmp_path.glob("history-*"))
    with np.load(path) as arrays:
        values = dict(arrays)
    np.savez(path, **(values | {"history.loss": np.array([{"a": 1}], dtype=object)}))
    with pytest.raises(RunError, match="cannot be read"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 99},
        {"status": {}},
        {"settings": {"schema": 1, "learning_rate": 1e9}},
        {"files": {"history": "../../../elsewhere.journal"}},
        {"offer": "mine"},
        {"badge": "gold"},
        {"interventions": 3},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(home: Path, change: dict[str, object]) -> None:
    Store(home).save(Saved(full_run(), "me", None))
    path = home / "runs" / RUN_ID / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match="restore it from a copy"):
        Store(home).load(RUN_ID)


def test_a_run_of_the_first_schema_is_still_read(home: Path) -> None:
    folder = home / "runs" / RUN_ID
    save_run(full_run(), folder)
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    assert manifest["schema"] == 1
    for name in ("offer", "created", "changed", "accuracy", "is_study"):  # of the second
        del manifest[name]
    (folder / "checkpoint-1-60-abc.safetensors").write_bytes(b"weights")
    manifest |= {"owner": "me", "checkpoint": [1, 60]}
    manifest["files"]["checkpoint"] = "checkpoint-1-60-abc.safetensors"
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    found = Store(home).load(RUN_ID)
    assert (found.owner, found.checkpoint) == ("me", Checkpoint(1, 60, b"weights"))
    assert_same(found.run.history, full_run().history)
    entry = Store(home).catalogue()[RUN_ID]
    assert entry.owner == "me"
    assert np.isnan(entry.summary.accuracy).all()
    assert entry.summary.created > 0


def test_one_damaged_run_does_not_hide_the_others(home: Path) -> None:
    Store(home).save(Saved(full_run(), "me", None))
    other = home / "runs" / "another-run-that-is-damaged"
    other.mkdir()
    (other / MANIFEST).write_text("{")
    assert owners(home) == {RUN_ID: "me"}


def test_the_home_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv(store.HOME_VARIABLE)
    assert default_home().name == "bnviz"
    assert default_home().is_absolute()


@pytest.mark.parametrize(("name", "steps"), [("lab", 1500), ("shift", 1000)])
def test_every_shipped_recording_is_read_whole(name: str, steps: int) -> None:
    run = load_run(FOLDER / name)
    assert run.history.step[-1] == steps
    assert run.contour is not None
    if name == "lab":
        assert run.sharpness
        assert run.landscape is not None
        assert run.landscape.done == 1
