"""Large parts of answers of a worker on this machine lie in a private folder until they are taken, and no longer."""

import mmap
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from bnviz.worker import handover
from bnviz.worker.host import Checkpoint

LARGE = np.random.default_rng(0).bytes(handover.LARGE_BYTES)


def test_a_checkpoint_lies_in_the_folder_until_it_is_taken_and_is_not_copied(tmp_path: Path) -> None:
    pickled, files = handover.pack((Checkpoint(1, 60, LARGE), "news"), str(tmp_path))
    assert len(pickled) < 1000
    assert [Path(file).read_bytes() for file in files] == [LARGE]
    checkpoint, news = handover.unpack(pickled, files)
    assert (checkpoint.generation, checkpoint.step, bytes(checkpoint.blob), news) == (1, 60, LARGE, "news")
    assert list(tmp_path.iterdir()) == []
    assert isinstance(checkpoint.blob, mmap.mmap) == (os.name == "posix")


def test_a_large_array_comes_as_it_was(tmp_path: Path) -> None:
    array = np.frombuffer(LARGE, np.float32).reshape(4, -1)
    pickled, files = handover.pack(array, str(tmp_path))
    assert len(files) == 1
    assert np.array_equal(handover.unpack(pickled, files), array, equal_nan=True)


def test_a_small_answer_and_one_without_a_folder_go_as_they_are(tmp_path: Path) -> None:
    for blob, folder in ((LARGE[1:], str(tmp_path)), (LARGE, "")):
        pickled, files = handover.pack(Checkpoint(1, 60, blob), folder)
        assert files == []
        assert handover.unpack(pickled, files) == Checkpoint(1, 60, blob)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_for_which_there_is_no_room_goes_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(1, 60, LARGE)
    assert handover.unpack(*handover.pack(checkpoint, str(tmp_path / "gone"))) == checkpoint

    def full(file: Path, data: bytes) -> None:
        file.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert handover.unpack(*handover.pack(checkpoint, str(tmp_path))) == checkpoint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_checkpoint_that_was_taken_is_pickled_as_any_other(tmp_path: Path, protocol: int) -> None:
    taken = handover.unpack(*handover.pack(Checkpoint(1, 60, LARGE), str(tmp_path)))
    assert pickle.loads(pickle.dumps(taken, protocol)) == Checkpoint(1, 60, LARGE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_folder_is_its_owners_alone() -> None:
    with handover.new_folder() as folder:
        assert os.stat(folder).st_mode & 0o777 == 0o700
    assert not Path(folder).exists()


def test_a_system_without_a_folder_in_memory_has_one_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(handover, "MEMORY", tmp_path / "none")
    with handover.new_folder() as folder:
        pickled, files = handover.pack(Checkpoint(1, 60, LARGE), folder)
        assert len(files) == 1
        assert bytes(handover.unpack(pickled, files).blob) == LARGE
