"""The runs of one home: each a folder, with its settings, the journal of its history, pictures and last checkpoint.

`settings.json` is written last and names the files that belong to it, so a folder is either as before or as after a
save, whatever interrupts it. The journal besides grows from save to save. Nothing is ever unpickled.
"""

import contextlib
import io
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bnviz.errors import BnvizError, RunError
from bnviz.records import Run, Update
from bnviz.runs.store import journal
from bnviz.runs.store.arrays import picture_arrays
from bnviz.runs.store.disk import default_home, replace_whole, write_whole, writing
from bnviz.runs.store.loading import load_saved
from bnviz.runs.store.manifest import MANIFEST, Saved, asleep, entry_from, manifest_of, offer_to_json
from bnviz.runs.summary import Entry, Offer

SPARE_BYTES: Final = 4_000_000  # by which a journal may outgrow twice its beginning before it is begun anew
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")  # also: never a path
_DELETED: Final = ".deleted-"  # what a folder is called from its deletion until its files are gone

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Growing:
    """A journal that this process has begun, and which it may lengthen."""

    name: str
    size: int  # bytes that are good
    first_size: int  # of them when it was begun

    @property
    def is_long(self) -> bool:
        return self.size > 2 * self.first_size + SPARE_BYTES


class Store:
    """The runs under one home folder. One thread at a time writes; reading is free."""

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or default_home()) / "runs"
        self._growing: dict[str, _Growing] = {}

    # --- writing ------------------------------------------------------------------------------------------------------

    def save(self, saved: Saved, news: Update | None = None) -> None:
        """Write a run; `RunError` if the disk does not take it, and then the run on disk is what it was.

        `news` is what it has gained since it was last written here: then that is added to its journal, which stays
        although the disk may be full for the rest. Without, or where the journal has grown long, it begins a new one.
        """
        run = saved.run
        folder, tag = self.folder / run.run_id, _tag(run)
        with writing(folder), _cleaned(folder, tag):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            growing = self._growing.get(run.run_id)
            if growing is None or news is None or growing.is_long:
                growing = self._begun(folder, tag, run)
            else:
                growing = self._lengthened(run.run_id, growing, news)
            names = {"history": growing.name}
            if pictures := picture_arrays(run):
                names["pictures"] = f"pictures-{tag}.npz"
                write_whole(folder / names["pictures"], _npz(pictures))
            if saved.checkpoint is not None:
                names["checkpoint"] = f"checkpoint-{tag}.safetensors"
                write_whole(folder / names["checkpoint"], saved.checkpoint.blob)
            _write_manifest(folder, manifest_of(saved, names), tag)
            self._growing[run.run_id] = growing
        _remove_all_but(folder, {MANIFEST, *names.values()})

    def append(self, run_id: str, news: Update) -> None:
        """Add to the journal of a run that `is_growing`; `RunError` if the disk does not take it."""
        with writing(self.folder / run_id):
            self._lengthened(run_id, self._growing[run_id], news)

    def is_growing(self, run_id: str) -> bool:
        """Whether what a run gains can be added to its journal; otherwise `save` writes all of it."""
        return run_id in self._growing

    def _begun(self, folder: Path, tag: str, run: Run) -> _Growing:
        name = f"history-{tag}.journal"
        size = journal.begin(folder / name, run)
        return _Growing(name, size, size)

    def _lengthened(self, run_id: str, growing: _Growing, news: Update) -> _Growing:
        del self._growing[run_id]  # until it has worked out: after an error all of the run is written
        size = journal.append(self.folder / run_id / growing.name, growing.size, news)
        growing = self._growing[run_id] = replace(growing, size=size)
        return growing

    def retitle(self, run_id: str, owner: str, offer: Offer | None) -> None:
        """Note whose a run is and to whom it is offered; one that is not on disk yet will be saved with it."""
        folder = self.folder / run_id
        with writing(folder):
            try:
                manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            except FileNotFoundError:
                return
            manifest |= {"owner": owner, "offer": offer_to_json(offer)}
            tag = f"title-{secrets.token_hex(3)}"
            with _cleaned(folder, tag):
                _write_manifest(folder, manifest, tag)

    def delete(self, run_id: str) -> None:
        """Remove a run's folder; `RunError` if the disk does not let it go, and then it is still whole."""
        folder = self.folder / run_id
        self._growing.pop(run_id, None)
        gone = self.folder / f"{_DELETED}{run_id}-{secrets.token_hex(3)}"
        try:
            os.replace(folder, gone)  # at once, so that no half of it is left
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("%s could not be deleted (%s)", folder, error)
            raise RunError(
                f"The run could not be deleted ({error.strerror or 'the disk does not allow it'}): it is still there. "
                "Try again once the disk with the folder of runs can be written."
            ) from None
        shutil.rmtree(gone, ignore_errors=True)

    # --- reading ------------------------------------------------------------------------------------------------------

    def load(self, run_id: str) -> Saved:
        """A run as it was saved last, asleep; `RunError` if there is none or it is damaged."""
        folder = self.folder / run_id
        if not _RUN_ID.fullmatch(run_id) or not (folder / MANIFEST).is_file():
            raise RunError("There is no such run here: the link may be incomplete, or the run was deleted.")
        try:
            saved = load_saved(folder)
        except RunError:
            saved = load_saved(folder)  # a save may have replaced the files that the first reading was told of
        return replace(saved, run=saved.run.replace(run_id=run_id, status=asleep(saved.run.status)))

    def catalogue(self) -> dict[str, Entry]:
        """Every run there is, from its `settings.json` alone; damaged ones are left out, `load` says what is wrong."""
        entries = {}
        for path in sorted(self.folder.glob(f"*/{MANIFEST}")):
            run_id = path.parent.name
            if not _RUN_ID.fullmatch(run_id):
                continue
            try:
                manifest = json.loads(path.read_text("utf-8"))
                entries[run_id] = entry_from(manifest, run_id, path.stat().st_mtime)
            except (OSError, ValueError, KeyError, TypeError, BnvizError) as error:
                _log.warning("%s is left out of the list of runs: %s", path, error)
        return entries

    def sweep(self) -> None:
        """Remove what is left of deletions that were interrupted."""
        for folder in self.folder.glob(f"{_DELETED}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _tag(run: Run) -> str:
    """What the files of one save have in their names."""
    return f"{run.status.generation}-{run.status.step}-{secrets.token_hex(3)}"


def _npz(arrays: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _write_manifest(folder: Path, manifest: Mapping[str, Any], tag: str) -> None:
    replace_whole(folder / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode(), tag)


@contextlib.contextmanager
def _cleaned(folder: Path, tag: str) -> Iterator[None]:
    """Remove the files of a save that has failed."""
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            for path in folder.glob(f"*-{tag}*"):
                path.unlink(missing_ok=True)
        raise


def _remove_all_but(folder: Path, names: set[str]) -> None:
    """The files of the saves before; what does not go, as on Windows while somebody reads it, goes after the next."""
    prefixes = ("history-", "pictures-", "checkpoint-", f"{MANIFEST}-")
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name not in names and path.name.startswith(prefixes):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
