"""Large parts of a worker's answers come through a private folder on this machine: TLS would decrypt them in Python.

A checkpoint of a 3 x 100 network is 1.9 MB every 1.5 s: through TLS it took a tenth of all that the server does. Most
are replaced before anybody reads them, so that the server maps a file instead of reading it.
"""

import contextlib
import mmap
import os
import pickle
import secrets
import tempfile
from pathlib import Path
from typing import Any, Final

LARGE_BYTES: Final = 2**18
MEMORY: Final = Path("/dev/shm")  # a folder in memory, where the system has one
IS_MAPPED: Final = os.name == "posix"  # elsewhere a file that is mapped cannot be removed


def new_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that only this user can open, in memory where there is such a place."""
    for parent in (MEMORY, None):
        with contextlib.suppress(OSError):
            return tempfile.TemporaryDirectory(prefix="bnviz-", dir=parent, ignore_cleanup_errors=True)
    raise OSError("There is no folder for temporary files.")


def pack(answer: object, folder: str) -> tuple[bytes, list[str]]:
    """An answer, pickled, and the files in which its large parts lie.

    A part is what offers itself to pickle as a buffer (PEP 574). One for which there is no room stays in the pickle,
    and so do all of them where `folder` is empty.
    """
    files: list[str] = []

    def stays(part: pickle.PickleBuffer) -> bool:
        memory = part.raw()
        if not folder or memory.nbytes < LARGE_BYTES:
            return True
        file = Path(folder, secrets.token_hex(8))
        try:
            file.write_bytes(memory)
        except OSError:  # a full memory, a folder that is gone
            file.unlink(missing_ok=True)
            return True
        files.append(str(file))
        return False

    return pickle.dumps(answer, protocol=5, buffer_callback=stays), files


def unpack(pickled: bytes, files: list[str]) -> Any:
    """The answer, from our own worker; its files are gone, and what lay in them lives as long as it is used."""
    return pickle.loads(pickled, buffers=[_taken(Path(file)) for file in files])


def _taken(file: Path) -> bytes | mmap.mmap:
    try:
        with file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if IS_MAPPED else opened.read()
    finally:
        file.unlink(missing_ok=True)
