"""The child process that holds the embedded cluster: started, heard and ended, without importing Dask."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bnviz.errors import EngineError

END_SECONDS: Final = 6.0


@dataclass(frozen=True)
class Introduction:
    """How to reach an embedded cluster.

    Attributes:
        address: of its scheduler.
        tls: material, by the names that `distributed.Security` gives it.
        folder: where its workers put large answers.
    """

    address: str
    tls: dict[str, str]
    folder: str


class Child:
    """`python -m bnviz.worker.cluster`, in a session of its own, where Ctrl-C does not reach it.

    It ends when its standard input does: by `end`, or whatever becomes of this process.

    Args:
        workers: how many; None is one a core, or one a GPU.
        is_staggered: whether the first worker starts alone, before anybody has a run to place.
    """

    def __init__(self, workers: int | None = None, is_staggered: bool = False) -> None:
        package_folder = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package_folder, os.environ.get("PYTHONPATH")]))
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bnviz.worker.cluster",
                *([] if workers is None else [str(workers)]),
                *(["--staggered"] if is_staggered else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            **apart,
        )
        self.pid = self._process.pid
        self._folder = ""

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def introduction(self) -> Introduction:
        """Wait for the cluster."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EngineError(f"The process that trains ended with status {self._process.wait()}: the log says why.")
        introduction = Introduction(**json.loads(line))
        self._folder = introduction.folder
        return introduction

    def end(self) -> None:
        """Close its input and wait until it is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        if self._folder:  # a process that was killed has left it
            shutil.rmtree(self._folder, ignore_errors=True)
