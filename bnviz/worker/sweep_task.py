"""A batch of a sweep's cells as a Dask task: it gives way to live runs, and stops when it is told to.

The web server names this function to Dask, so nothing at the top imports torch.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from bnviz.config import SweepCell, SweepConfig
from bnviz.errors import BnvizError, EngineError
from bnviz.records import CellResult

if TYPE_CHECKING:
    from bnviz.worker.host import Host

SHARE: Final = 0.1  # of a worker's time, for sweeps while live runs want all of it
MOST_WAIT_SECONDS: Final = 1.0  # at a time
LOOK_SECONDS: Final = 0.005  # between two looks whether live work is done

logger = logging.getLogger(__name__)


def train_cells_here(config: SweepConfig, cells: Sequence[SweepCell], token: str) -> tuple[CellResult, ...]:
    """Train these cells on this worker; empty if the host was told to stop what has this token.

    Raises:
        BnvizError: what went wrong; nothing else leaves a worker.
    """
    from distributed import get_worker

    from bnviz.worker.host import Host

    hosts = [one for one in get_worker().state.actors.values() if isinstance(one, Host)]
    try:
        return trained(_items(config, cells), hosts, token)
    except BnvizError:
        raise
    except Exception as error:
        logger.exception("Cells %s of a sweep failed", list(cells))
        text = f"Its training failed ({type(error).__name__}); the log of its worker says why."
    raise EngineError(text)  # outside the handler: without the cause, which might be torch's


def _items(config: SweepConfig, cells: Sequence[SweepCell]) -> Iterable[tuple[CellResult, ...]]:
    import torch

    from bnviz import data
    from bnviz.training import train_cells

    torch.set_num_threads(1)
    return train_cells(config, cells, data.load())


def trained(
    items: Iterable[tuple[CellResult, ...]],
    hosts: Sequence["Host"],
    token: str,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[CellResult, ...]:
    """The last of these items; after each one the live work of these hosts comes first, but for `SHARE` of the time."""
    results: tuple[CellResult, ...] = ()
    begun = clock()
    for newest in items:
        results = newest
        if any(host.is_stopped(token) for host in hosts):
            return ()
        used = clock() - begun
        until = clock() + min(used * (1 / SHARE - 1), MOST_WAIT_SECONDS)
        while clock() < until and any(host.is_busy for host in hosts):
            sleep(LOOK_SECONDS)
        begun = clock()
    return results
