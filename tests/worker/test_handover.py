"""Large answers of a worker on this machine lie in a private folder until they are read, and no longer."""

import os
import sys
from pathlib import Path

import pytest

from bnviz.worker import handover

LARGE = bytes(handover.LARGE_BYTES)


def test_a_large_answer_lies_in_the_folder_until_it_is_taken(tmp_path: Path) -> None:
    put = handover.put(LARGE, str(tmp_path))
    assert isinstance(put, str)
    assert Path(put).parent == tmp_path
    assert handover.take(put) == LARGE
    assert list(tmp_path.iterdir()) == []


def test_a_small_answer_and_one_without_a_folder_go_as_they_are(tmp_path: Path) -> None:
    assert handover.put(LARGE[1:], str(tmp_path)) == LARGE[1:]
    assert handover.put(LARGE, "") == LARGE
    assert handover.take(LARGE) == LARGE
    assert list(tmp_path.iterdir()) == []


def test_an_answer_for_which_there_is_no_room_goes_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert handover.put(LARGE, str(tmp_path / "gone")) == LARGE

    def full(file: Path, data: bytes) -> None:
        file.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert handover.put(LARGE, str(tmp_path)) == LARGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_folder_is_its_owners_alone() -> None:
    with handover.new_folder() as folder:
        assert os.stat(folder).st_mode & 0o777 == 0o700
    assert not Path(folder).exists()


def test_a_system_without_a_folder_in_memory_has_one_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(handover, "MEMORY", tmp_path / "none")
    with handover.new_folder() as folder:
        handover.take(handover.put(LARGE, folder))
