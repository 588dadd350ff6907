"""The journal only grows, and comes back whole up to wherever a process was killed or a disk was full."""

import errno
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnviz.records import MEASURES, SERIES, Intervention, Phase, Run, Status, Update, kept_units
from bnviz.runs.hub import Hub
from bnviz.runs.store import MANIFEST, Saved, Store, journal
from bnviz.worker.host import Checkpoint
from tests.fake_worker import SMALL, FakeClock, Workbench
from tests.runs.test_store import RUN_ID, assert_same


def measured(step: int, **more: Any) -> Update:
    """What a worker tells after a step."""
    trainer = Workbench(take=FakeClock().pass_)(SMALL)
    trainer.step_count = step
    series = {"gradients": (trainer.gradients(),), "shift": (trainer.shift(),)} if step % 3 == 0 else {}
    return Update(step + 1, Status(Phase.PLAYING, 0, step, 9.0, "CPU", ()), (trainer.measure(True),), **series | more)


@pytest.fixture
def hub() -> Hub:
    hub = Hub()
    hub.open(RUN_ID, SMALL, Status(Phase.PLAYING, 0, 0, 0.0, "CPU", ()))
    hub.apply(RUN_ID, measured(0, units=kept_units(1, 10)))
    return hub


def save(hub: Hub, store: Store) -> None:
    run, news = hub.take_news(RUN_ID)
    store.save(Saved(run, "me", Checkpoint(run.status.generation, run.status.step, b"weights")), news)


def append(hub: Hub, store: Store) -> None:
    _, news = hub.take_news(RUN_ID)
    assert news is not None
    store.append(RUN_ID, news)


def journal_of(home: Path) -> Path:
    (path,) = (home / "runs" / RUN_ID).glob("*.journal")
    return path


def assert_same_records(found: Run, expected: Run) -> None:
    for name in ("history", *SERIES, "interventions", "settings"):
        assert_same(getattr(found, name), getattr(expected, name), name)
    assert found.status.step == expected.status.step


def test_what_is_appended_comes_back_as_the_hub_has_it(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(hub, store)
    for step in range(1, 30):
        changed = (Intervention(step, "momentum", 0.0, 0.5),) if step == 7 else None
        hub.apply(RUN_ID, measured(step, interventions=changed))
        if step % 4 == 0:
            append(hub, store)
    append(hub, store)
    assert_same_records(Store(tmp_path).load(RUN_ID).run, hub.get(RUN_ID))


def test_a_history_that_has_been_thinned_comes_back_thinned_the_same(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(hub, store)
    for step in range(1, 700):
        hub.apply(RUN_ID, measured(step))
        if step % 50 == 0:
            append(hub, store)
        if step == 600:
            save(hub, store)
    append(hub, store)
    found = Store(tmp_path).load(RUN_ID).run
    assert len(found.history) == 500
    assert_same_records(found, hub.get(RUN_ID))


def test_an_append_leaves_every_byte_before_it_and_costs_what_is_new(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for step in range(1, 400):
        hub.apply(RUN_ID, measured(step))
    save(hub, store)
    before = journal_of(tmp_path).read_bytes()
    hub.apply(RUN_ID, measured(400))
    append(hub, store)
    after = journal_of(tmp_path).read_bytes()
    assert after.startswith(before)
    assert len(after) - len(before) < len(before) / 20


@pytest.mark.parametrize("lost", [1, 7, 8, 9, 100])
def test_a_record_that_ends_in_the_middle_is_left_out_and_all_before_it_is_whole(
    hub: Hub, tmp_path: Path, lost: int
) -> None:
    store = Store(tmp_path)
    save(hub, store)
    hub.apply(RUN_ID, measured(1))
    append(hub, store)
    expected = hub.get(RUN_ID)
    hub.apply(RUN_ID, measured(2))
    append(hub, store)
    path = journal_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-lost])
    assert_same_records(Store(tmp_path).load(RUN_ID).run, expected)


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\xff" * 3, b"\x10\0\0\0\0\0\0\0sixteen bytes of."])
def test_a_tail_of_anything_else_is_left_out(hub: Hub, tmp_path: Path, tail: bytes) -> None:
    store = Store(tmp_path)
    save(hub, store)
    with journal_of(tmp_path).open("ab") as file:
        file.write(tail)
    assert_same_records(Store(tmp_path).load(RUN_ID).run, hub.get(RUN_ID))


def test_a_flipped_bit_ends_the_history_before_it(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    save(hub, store)
    expected, size = hub.get(RUN_ID), journal_of(tmp_path).stat().st_size
    for step in (1, 2):
        hub.apply(RUN_ID, measured(step))
        append(hub, store)
    content = bytearray(journal_of(tmp_path).read_bytes())
    content[size + 60] ^= 1
    journal_of(tmp_path).write_bytes(content)
    assert_same_records(Store(tmp_path).load(RUN_ID).run, expected)


def test_after_a_disk_that_was_full_the_whole_run_is_written_and_nothing_is_lost(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    save(hub, store)
    hub.apply(RUN_ID, measured(1))

    def half(path: Path, size: int, update: Update) -> int:
        with path.open("ab") as file:
            file.write(b"half of a reco")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(journal, "append", half)
        with pytest.raises(Exception, match="No space left"):
            append(hub, store)
    assert not store.is_growing(RUN_ID)
    assert Store(tmp_path).load(RUN_ID).run.history.step.tolist() == [0]
    hub.lose_news(RUN_ID)
    hub.apply(RUN_ID, measured(2))
    save(hub, store)
    assert_same_records(Store(tmp_path).load(RUN_ID).run, hub.get(RUN_ID))


def test_where_there_is_room_for_the_history_but_not_for_the_rest_the_history_is_kept(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    save(hub, store)
    hub.apply(RUN_ID, measured(1))

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bnviz.runs.store.folder.write_whole", no_space)
    with pytest.raises(Exception, match="No space left"):
        save(hub, store)
    assert store.is_growing(RUN_ID)
    assert_same_records(Store(tmp_path).load(RUN_ID).run, hub.get(RUN_ID))


def test_a_restart_begins_a_journal_of_its_own_with_the_run_before_as_its_ghost(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for step in range(1, 60):
        hub.apply(RUN_ID, measured(step))
    save(hub, store)
    before = journal_of(tmp_path).name
    hub.apply(RUN_ID, Update(99, Status(Phase.PLAYING, 1, 0, 0.0, "CPU", ()), settings=SMALL))
    assert hub.take_news(RUN_ID)[1] is None
    hub.lose_news(RUN_ID)
    save(hub, store)
    assert journal_of(tmp_path).name != before
    found = Store(tmp_path).load(RUN_ID).run
    assert len(found.history) == 0
    assert_same(found.ghost, hub.get(RUN_ID).ghost)


def test_a_run_that_goes_on_from_a_checkpoint_is_written_whole(hub: Hub, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for step in range(1, 9):
        hub.apply(RUN_ID, measured(step))
    save(hub, store)
    hub.rewind(RUN_ID, 5)
    save(hub, store)
    assert Store(tmp_path).load(RUN_ID).run.history.step.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_journal_that_has_grown_long_is_begun_anew(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnviz.runs.store.folder.SPARE_BYTES", 0)
    store = Store(tmp_path)
    save(hub, store)
    first = journal_of(tmp_path).name
    for step in range(1, 20):
        hub.apply(RUN_ID, measured(step))
        append(hub, store)
    save(hub, store)
    assert journal_of(tmp_path).name != first
    assert_same_records(Store(tmp_path).load(RUN_ID).run, hub.get(RUN_ID))


def test_another_process_never_lengthens_a_journal_that_it_has_not_begun(hub: Hub, tmp_path: Path) -> None:
    save(hub, Store(tmp_path))
    assert not Store(tmp_path).is_growing(RUN_ID)


def test_nothing_is_read_as_numbers_that_is_none(tmp_path: Path, hub: Hub) -> None:
    path = tmp_path / "a.journal"
    journal.begin(path, hub.get(RUN_ID))
    content = path.read_bytes().replace(b'"<f8"', b'"|O8"')
    length = int.from_bytes(content[16:20], "little")
    body = content[24 : 24 + length]
    path.write_bytes(content[:20] + zlib.crc32(body).to_bytes(4, "little") + body)
    with pytest.raises(ValueError, match="is of kind"):
        journal.read(path)


def test_more_news_than_anybody_will_write_are_let_go(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnviz.runs.hub.MOST_NEWS", 5)
    hub.take_news(RUN_ID)
    for step in range(1, 10):
        hub.apply(RUN_ID, measured(step))
    assert hub.take_news(RUN_ID)[1] is None


def test_every_measure_of_a_point_is_in_its_record(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    size = journal.begin(path, hub.get(RUN_ID))
    update = replace(measured(3), settings=SMALL, interventions=())
    journal.append(path, size, update)
    _, (found,) = journal.read(path)
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(found.points[0], name), getattr(update.points[0], name), name)
    assert (tmp_path / MANIFEST).exists() is False
