"""Cells of sweeps on a worker: the Dask task that trains a batch of them, a facade without torch at its top.

The task itself only waits: its work is done item by item on the training thread of the worker's host, between the
slices of live runs, so that both never compute at once. While live work is due it gets `LEAST_SHARE` of the thread.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from bnviz.config import SweepCell, SweepConfig
from bnviz.errors import BnvizError, EngineError
from bnviz.records import CellResult

if TYPE_CHECKING:
    from bnviz.worker.slices import Slices

LEAST_SHARE: Final = 0.1  # of the training thread, while live runs want all of it
LOOK_SECONDS: Final = 0.02  # between two looks at the flag while it waits
MOST_FLAGS: Final = 1000

logger = logging.getLogger(__name__)
_offered: "list[Slices]" = []  # of this worker's newest host
_one_at_a_time = threading.Lock()
_stopped: deque[str] = deque(maxlen=MOST_FLAGS)


def offer(slices: "Slices") -> None:
    """Let cells be trained on this worker, by the training thread of its host.

    Not as a resource of Dask's: one that a worker gets later on does not wake the tasks that wait for it.
    """
    _offered[:] = [slices]


def stop(keys: Sequence[str]) -> None:
    """Raise the flag of these tasks, whether they have begun here or not."""
    _stopped.extend(keys)


def train_cells(key: str, config: SweepConfig, cells: Sequence[SweepCell]) -> tuple[CellResult, ...] | None:
    """The Dask task: the results of one of `batches`; None where it was stopped at its flag. Raises `BnvizError`s."""
    try:
        if not _offered:
            raise EngineError("This worker has no host yet: try again in a moment.")
        with _one_at_a_time:  # a worker of an external cluster may have more threads than one
            return give_way(_work(config, cells), _offered[0], lambda: key in _stopped)
    except BnvizError as error:
        text, kind = error.text, type(error)
    except Exception:
        logger.exception("Cells %s of %s failed", cells, config)
        text, kind = "The computation failed: the server's log says why.", BnvizError
    raise kind(text)  # outside the handlers: without the cause, which might be torch's


def _work(config: SweepConfig, cells: Sequence[SweepCell]) -> Iterator[tuple[CellResult, ...]]:
    from bnviz import data
    from bnviz.training import run_cells

    return run_cells(config, cells, data.load())


def give_way(
    work: Iterator[tuple[CellResult, ...]],
    slices: "Slices",
    is_stopped: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[CellResult, ...] | None:
    """Have the training thread do the work an item at a time, and rest in between while it has live work due."""
    found: tuple[CellResult, ...] | None = ()
    while found is not None and not is_stopped():
        begun = clock()
        results, found = found, slices.call(lambda: next(work, None)).result()
        ended = clock()
        until = ended + (ended - begun) * (1 / LEAST_SHARE - 1)
        while not slices.is_idle.is_set() and clock() < until and not is_stopped():
            slices.is_idle.wait(LOOK_SECONDS)
    return results if found is None else None
