"""Where the hosts live: an embedded cluster in a child process, or a running one; nothing else here knows Dask."""

import asyncio
import contextlib
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from bnviz.config import SweepCell, SweepConfig
from bnviz.errors import EngineError
from bnviz.records import CellResult
from bnviz.runs.child import Child
from bnviz.worker.cells import train_cells
from bnviz.worker.host import Host

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


class WorkerKilledError(Exception):
    """So many workers ended under a task, one after the other."""

    def __init__(self, deaths: int) -> None:
        super().__init__(deaths)
        self.deaths = deaths


class Cluster(Protocol):
    """What the engine needs to know of the machines that train."""

    async def start(self) -> None:
        """Reach the cluster; `EngineError` says why it cannot be reached."""

    async def hosts(self) -> dict[str, Host]:
        """A host for each worker that is alive now, by the worker's address; `EngineError` if the cluster is gone."""

    async def train_cells(
        self, key: str, config: SweepConfig, cells: tuple[SweepCell, ...]
    ) -> tuple[CellResult, ...] | None:
        """Train a batch of a sweep on some worker; None where `Host.stop_cells` stopped it.

        `WorkerKilledError` if its workers ended, `EngineError` if the cluster is gone or the worker has no host yet.
        """

    async def close(self) -> None:
        """Let go of the cluster, and end it if it was started here."""


class DaskCluster:
    """An embedded cluster, or the one at `scheduler`; its methods belong to one event loop.

    TLS for a scheduler of your own comes from Dask's configuration (`distributed.comm.tls`), files or environment.
    """

    def __init__(self, scheduler: str | None = None, workers: int | None = None) -> None:
        self._scheduler, self._workers = scheduler, workers
        self._child: Child | None = None
        self._has_started = False
        self._client: Client | None = None
        self._hosts: dict[str, Host] = {}
        self.task = train_cells  # what a batch of a sweep is given to, on a worker

    async def start(self) -> None:
        if self._scheduler is not None:
            self._client = await _connect(self._scheduler)
            return
        self._child = Child(self._workers, is_staggered=not self._has_started)
        self._has_started = True  # later there are runs that want all workers at once
        _import_dask()  # while the child starts
        address, tls = await asyncio.to_thread(self._child.introduction)
        self._client = await _connect(address, tls)

    async def hosts(self) -> dict[str, Host]:
        if self._client is None or (self._child is not None and not self._child.is_alive):
            raise EngineError("The process that trains has ended; it is being started again.")
        try:
            workers = await asyncio.wait_for(self._client.nthreads(), ANSWER_SECONDS)
        except (OSError, TimeoutError, RuntimeError) as error:
            raise EngineError(f"The cluster does not answer ({error}).") from None
        for address in set(self._hosts) - set(workers):
            del self._hosts[address]
        await asyncio.gather(*(self._settle(address) for address in workers if address not in self._hosts))
        return dict(self._hosts)

    async def _settle(self, address: str) -> None:
        """Make a host on a worker; one that cannot be made now is tried again the next time."""
        assert self._client is not None
        key = f"bnviz-host-{secrets.token_hex(8)}"
        future = self._client.submit(Host, actor=True, workers=[address], pure=False, key=key)
        try:
            await asyncio.wait_for(future, ANSWER_SECONDS)
        except Exception as error:  # whatever a worker that is ending says
            logger.warning("No host on %s yet: %s", address, error)
            return
        self._hosts[address] = cast("Host", _Line(self._client, address, future))  # it answers as the host does

    async def train_cells(
        self, key: str, config: SweepConfig, cells: tuple[SweepCell, ...]
    ) -> tuple[CellResult, ...] | None:
        from distributed.scheduler import KilledWorker

        if self._client is None:
            raise EngineError("The cluster is not there yet.")
        future = self._client.submit(self.task, key, config, cells, key=key, pure=False)
        try:
            return cast("tuple[CellResult, ...] | None", await future)
        except KilledWorker as error:
            raise WorkerKilledError(error.allowed_failures + 1) from None
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise EngineError("The cluster has ended under them.") from None
        except (OSError, TimeoutError, RuntimeError) as error:
            raise EngineError(f"The cluster does not answer ({error}).") from None

    async def close(self) -> None:
        client, child = self._client, self._child
        self._client, self._child = None, None
        self._hosts.clear()
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                await client.close(timeout=1)
        if child is not None:
            await asyncio.to_thread(child.end)


class _Line:
    """The line to a host: what Dask's own proxy does, without its task, its event and its wake-up for each question.

    A poll is asked for several times a second: its arguments need no pickle either.
    """

    def __init__(self, client: "Client", address: str, future: Any) -> None:
        self._client, self._address = client, address
        self._future = future  # a host lives as long as the future that made it

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any) -> Any:
            if self._future.status != "finished":
                raise OSError("its worker is gone")
            message = {"actor": self._future.key, "function": name, "args": [_sendable(one) for one in args]}
            if self._client.direct_to_workers:
                answer = await self._client.rpc(self._address).actor_execute(**message)
            else:
                assert self._client.scheduler is not None
                message["op"] = "actor_execute"
                answer = await self._client.scheduler.proxy(worker=self._address, msg=message)
            if answer["status"] != "OK":
                raise answer["exception"]
            return answer["result"]

        return ask


def _sendable(argument: Any) -> Any:
    """An argument as a message holds it: plain values as they are, all else pickled."""
    if isinstance(argument, dict | str | float | int):
        return argument
    from distributed.protocol.serialize import to_serialize

    return to_serialize(argument)


def _import_dask() -> None:
    # Else a client asks its scheduler every two seconds for what nobody reads here.
    os.environ.setdefault("DASK_DISTRIBUTED__CLIENT__SCHEDULER_INFO_INTERVAL", "1h")
    import distributed

    # On import Dask gives its loggers a handler and sets them to INFO: the terminal is for what goes wrong.
    logging.getLogger(distributed.__name__).setLevel(logging.WARNING)


async def _connect(address: str, tls: dict[str, str] | None = None) -> "Client":
    _import_dask()
    from distributed import Client, Security

    security = None if tls is None else Security(require_encryption=True, **tls)
    is_embedded = tls is not None
    try:
        # An actor's proxy finds its connection through the process's default client, so this has to be it.
        client: Client = await Client(
            address,
            security=security,
            asynchronous=True,
            direct_to_workers=is_embedded,
            timeout=CONNECT_SECONDS,
            name="bnviz",
        )
        return client
    except (OSError, TimeoutError, RuntimeError, ValueError, TypeError) as error:
        raise EngineError(f"The cluster at {address} cannot be reached ({error}): is its scheduler running?") from None
