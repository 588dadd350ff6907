"""Where the hosts live: an embedded cluster in a child process, or a running one; nothing else here knows Dask."""

import asyncio
import contextlib
import logging
import os
import pickle
import secrets
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from bnviz.config import SweepCell, SweepConfig
from bnviz.errors import BnvizError, EngineError
from bnviz.records import CellResult
from bnviz.runs.child import Child
from bnviz.runs.tls import address_of, check_peer, security_from_environment
from bnviz.runs.versions import check_scheduler, check_worker
from bnviz.worker import wire
from bnviz.worker.host import Host
from bnviz.worker.sweep_task import train_cells_here

if TYPE_CHECKING:
    from distributed import Client, Security

CONNECT_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 10.0

logger = logging.getLogger(__name__)


class WorkerEndedError(Exception):
    """A worker has ended under what it was doing."""


class Cluster(Protocol):
    """What the engine needs to know of the machines that train."""

    async def start(self) -> None:
        """Reach the cluster; `EngineError` says why it cannot be reached."""

    async def hosts(self) -> dict[str, Host]:
        """A host for each worker that is alive now, by the worker's address; `EngineError` if the cluster is gone."""

    async def train_cells(self, config: SweepConfig, cells: Sequence[SweepCell], token: str) -> tuple[CellResult, ...]:
        """Have some worker train a batch of a sweep's cells; empty if its host was told to stop what has this token.

        Not a certain one: Dask gives a task whose worker has ended to no other once it waits for that one.

        Raises:
            WorkerEndedError: the worker ended meanwhile.
            OSError: the cluster is gone.
            BnvizError: what went wrong there.
        """

    async def close(self) -> None:
        """Let go of the cluster, and end it if it was started here."""


class DaskCluster:
    """An embedded cluster, or the one at `scheduler`; its methods belong to one event loop.

    TLS for a scheduler of your own comes from BNVIZ_TLS_CA, BNVIZ_TLS_CERT and BNVIZ_TLS_KEY, or else from Dask's
    configuration (`distributed.comm.tls`), files or environment.
    """

    def __init__(self, scheduler: str | None = None, workers: int | None = None) -> None:
        self._scheduler, self._workers = scheduler, workers
        self._child: Child | None = None
        self._folder = ""  # that an embedded worker shares with this process alone
        self._has_started = False
        self._client: Client | None = None
        self._lines: dict[str, _Line] = {}  # by the worker's address
        self.task = train_cells_here  # another one in tests
        self._told: set[str] = set()  # the workers that are refused, as the log has said

    async def start(self) -> None:
        if self._scheduler is not None:
            self._client = await _join(self._scheduler)
            return
        self._child = Child(self._workers, is_staggered=not self._has_started)
        self._has_started = True  # later there are runs that want all workers at once
        _import_dask()  # while the child starts
        introduction = await asyncio.to_thread(self._child.introduction)
        self._folder = introduction.folder
        self._client = await _connect(introduction.address, _security(introduction.tls), is_embedded=True)

    async def hosts(self) -> dict[str, Host]:
        if self._client is None or (self._child is not None and not self._child.is_alive):
            raise EngineError("The process that trains has ended; it is being started again.")
        if self._client.status != "running":  # it would wait for its scheduler to come back, whose actors are gone
            raise EngineError(f"The connection to the cluster{self._where} is lost: runs wait until it is back.")
        try:
            workers = await asyncio.wait_for(self._client.nthreads(), ANSWER_SECONDS)
        except (OSError, TimeoutError, RuntimeError) as error:
            raise EngineError(f"The cluster{self._where} does not answer ({type(error).__name__}).") from None
        # A worker whose wire is cut has mostly ended: at the next look it is known.
        cut = {address for address, line in self._lines.items() if line.is_cut}
        for address in cut | (set(self._lines) - set(workers)):
            self._lines.pop(address).hang_up()
        new = set(workers) - set(self._lines) - cut
        refused = await self._refused(new) if new and self._scheduler is not None else {}
        await asyncio.gather(*(self._settle(address) for address in new - set(refused)))
        if refused and not self._lines:
            raise EngineError(next(iter(refused.values())))
        return cast("dict[str, Host]", dict(self._lines))

    @property
    def _where(self) -> str:
        return f" at {self._scheduler}" if self._scheduler is not None else ""

    async def _refused(self, addresses: set[str]) -> dict[str, str]:
        """Which of these workers run other versions than this server, and how they differ."""
        refused = {}
        versions = await _versions(self._client)
        for address in addresses & set(versions["workers"]):
            try:
                check_worker(versions, address)
            except EngineError as error:
                refused[address] = error.text
                if address not in self._told:
                    logger.error("%s", error.text)
        self._told = set(refused) | (self._told - addresses)
        return refused

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
        line = _Line(self._client, address, future)
        if self._folder and wire.IS_OFFERED:
            await line.lay_wire(str(Path(self._folder, secrets.token_hex(8))))
        self._lines[address] = line

    async def train_cells(self, config: SweepConfig, cells: Sequence[SweepCell], token: str) -> tuple[CellResult, ...]:
        if self._client is None:
            raise OSError("the cluster is gone")
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        future = self._client.submit(
            self.task, config, list(cells), token,
            key=token, pure=False,
        )  # fmt: skip
        try:
            results: tuple[CellResult, ...] = await cast("Any", future.result())
            return results
        except KilledWorker:
            raise WorkerEndedError from None
        except (FutureCancelledError, TimeoutError, RuntimeError) as error:
            raise OSError(str(error)) from None
        finally:
            future.release()

    async def close(self) -> None:
        client, child = self._client, self._child
        self._client, self._child = None, None
        for line in self._lines.values():
            line.hang_up()
        self._lines.clear()
        if client is not None:
            await _let_go(client)
        if child is not None:
            await asyncio.to_thread(child.end)


class _Line:
    """The line to a host, which answers on it as the host itself does: `await line.poll(...)`.

    What Dask's own proxy does, without its task, its event and its wake-up for each question. A poll is asked for
    several times a second: its arguments need no pickle either. Where a wire has been laid it carries the questions.
    """

    def __init__(self, client: "Client", address: str, future: Any) -> None:
        self._client, self._address = client, address
        self._future = future  # a host lives as long as the future that made it
        self._wire: wire.Wire | None = None

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any) -> Any:
            if self._future.status != "finished":
                raise OSError("its worker is gone")
            return await (self._ask if self._wire is None else self._wire.ask)(name, *args)

        return ask

    async def _ask(self, name: str, *args: Any) -> Any:
        """Through Dask."""
        sent = [name, *(_sendable(one) for one in args)]
        message = {"actor": self._future.key, "function": "packed", "args": sent}
        if self._client.direct_to_workers:
            answer = await self._client.rpc(self._address).actor_execute(**message)
        else:
            assert self._client.scheduler is not None
            message["op"] = "actor_execute"
            answer = await self._client.scheduler.proxy(worker=self._address, msg=message)
        if answer["status"] != "OK":
            raise answer["exception"]
        return pickle.loads(answer["result"])  # from our own host, over the same line as Dask's own pickles

    async def lay_wire(self, path: str) -> None:
        """Have a wire carry what is asked from now on; where there can be none, Dask goes on doing that."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask("listen", path)
                self._wire = await wire.Wire.to(path)
        except (OSError, BnvizError) as error:
            logger.warning("No wire to %s: %s", self._address, error)

    @property
    def is_cut(self) -> bool:
        return self._wire is not None and self._wire.is_cut

    def hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()


async def _let_go(client: "Client") -> None:
    with contextlib.suppress(OSError, TimeoutError, RuntimeError):
        await client.close(timeout=1)


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
    # Versions that differ are an error here, with both sides named.
    warnings.filterwarnings("ignore", category=distributed.versions.VersionMismatchWarning)


def _security(tls: dict[str, str]) -> "Security":
    from distributed import Security

    return Security(require_encryption=True, **tls)


async def _join(scheduler: str) -> "Client":
    """A client of the cluster that somebody else has started; `EngineError` or `ConfigError` says why there is none."""
    _import_dask()
    address = address_of(scheduler)
    security = security_from_environment()
    await asyncio.to_thread(check_peer, address, security)
    client = await _connect(scheduler, security)
    try:
        check_scheduler(await _versions(client), scheduler)
    except BaseException:  # also where the engine closes meanwhile
        await _let_go(client)
        raise
    return client


async def _versions(client: Any) -> dict[str, Any]:
    """What the machines run, as Dask tells it."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            versions: dict[str, Any] = await client.get_versions(packages=["torch"])
            return versions
    except (OSError, TimeoutError, RuntimeError) as error:
        raise EngineError(f"The cluster does not answer ({type(error).__name__}).") from None


async def _connect(address: str, security: "Security | None", is_embedded: bool = False) -> "Client":
    _import_dask()
    from distributed import Client

    client: Client | None = None
    try:
        # An actor's proxy finds its connection through the process's default client, so this has to be it.
        client = Client(
            address,
            security=security,
            asynchronous=True,
            direct_to_workers=is_embedded,
            timeout=CONNECT_SECONDS,
            name="bnviz",
        )
        await client
        return client
    except asyncio.CancelledError:  # the engine closes meanwhile
        if client is not None:
            await _let_go(client)
        raise
    except Exception as error:  # whatever a scheduler that is ending, or is another program, makes of it
        logger.debug("No connection to %s", address, exc_info=True)
        if client is not None:
            await _let_go(client)
        reason = str(error) if isinstance(error, OSError | TimeoutError) else type(error).__name__
        raise EngineError(f"The cluster at {address} cannot be reached ({reason}): is its scheduler running?") from None
