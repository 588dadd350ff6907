"""The host: the Dask actor through which the engine reaches the runs of one worker, a facade without torch at its top.

An actor's proxy imports this module in the web server process, so its methods import whatever needs torch. Every
control method is a coroutine: it runs on the worker's event loop, hands the work to the training thread, never blocks.
"""

import asyncio
import contextlib
import functools
import logging
import pickle
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, SupportsIndex, TypeVar

from bnviz.config import AnatomyConfig, Directions, LandscapeConfig, Measure, Settings, StudyConfig
from bnviz.errors import BnvizError, EngineError
from bnviz.records import Update
from bnviz.worker import wire

if TYPE_CHECKING:
    from bnviz.worker.slices import Slices

P = ParamSpec("P")
T = TypeVar("T")

END_SECONDS: Final = 2.0
MOST_STOPPED: Final = 1000  # batches of sweeps that are remembered as stopped

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Orders:
    """What is wanted of a run, all of it each time: to send it twice, or after a lost worker, does no harm.

    Attributes:
        generation: counts the restarts; a new one discards the networks and begins again from `settings`.
        settings: the hyper-parameters are in force from the next step on.
        steps_per_second: the pace of slow motion; None is as fast as it goes.
        until_step: playing ends in a pause at this step; None: never by itself.
        directions: what the loss contour's plane is spanned by.
        contour_seconds: while playing, a new contour is begun this long after the one before; None: only on pause.
        measures: what is measured besides what every run measures.
        landscape: what the loss landscape shows, drawn when it changes; None: none, and an unfinished one is left.
        landscape_count: it is drawn anew when this grows.
        landscape_seconds: and while playing this long after the one before, and on pause; None: never by itself.
        anatomy: which BN layer a mini-batch is walked through, measured when it changes; None: none.
        anatomy_count: it is measured anew when this grows; besides now and then while playing, and on pause.
        unseen: of the pictures (landscape, anatomy, contour), those that nobody looks at: they rest meanwhile.
        study: what to measure beside the run, whatever it trains.
        is_on_cpu: it trains on the CPU whatever its settings say, because its GPU has failed it.
    """

    generation: int
    settings: Settings
    is_playing: bool = False
    steps_per_second: float | None = None
    until_step: int | None = None
    directions: Directions = Directions.PATHS
    contour_seconds: float | None = 10.0
    measures: frozenset[Measure] = frozenset()
    landscape: LandscapeConfig | None = None
    landscape_count: int = 0
    landscape_seconds: float | None = 10.0
    anatomy: AnatomyConfig | None = None
    anatomy_count: int = 0
    unseen: frozenset[str] = frozenset()
    study: StudyConfig | None = None
    is_on_cpu: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to go on bitwise, as the bytes of a safetensors file.

    They may be mapped from memory that the worker has written: `bytes(blob)` copies them.
    """

    generation: int
    step: int
    blob: bytes | mmap

    def __reduce_ex__(self, protocol: SupportsIndex) -> "tuple[type[Checkpoint], tuple[object, ...]]":
        blob = pickle.PickleBuffer(self.blob) if int(protocol) >= 5 else bytes(self.blob)
        return Checkpoint, (self.generation, self.step, blob)


def _answers_plainly(
    method: "Callable[Concatenate[Host, P], Awaitable[T]]",
) -> "Callable[Concatenate[Host, P], Awaitable[T]]":
    """Let only a BnvizError leave the worker: a pickled torch exception would import torch in the server."""

    @functools.wraps(method)
    async def answer(self: "Host", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, *args, **kwargs)
        except BnvizError as error:
            text, kind = error.text, type(error)
        except Exception:
            logger.exception("The host failed in %s", method.__name__)
            text, kind = f"The worker failed in {method.__name__}: its log says why. Try again.", EngineError
        raise kind(text)  # outside the handlers: without the cause, which might be torch's

    return answer


def _slices_of_this_worker() -> "Slices":
    from distributed import get_worker

    from bnviz.worker.slices import Slices
    from bnviz.worker.workshop import build, measure_study, warm

    name = get_worker().name
    number = name if isinstance(name, int) else 0
    return Slices(build, functools.partial(warm, number), measure_study=measure_study)


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
        loop.call_soon_threadsafe(function)


def _end(slices: "Slices") -> None:
    slices.close()
    slices.join(END_SECONDS)


class Host:
    """The runs of one worker. Each of its answers is a record, a checkpoint or a `BnvizError`."""

    def __init__(self, slices: "Slices | None" = None) -> None:
        self._slices = slices or _slices_of_this_worker()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news, self._command = asyncio.Event(), asyncio.Event()
        self._stopped: deque[str] = deque(maxlen=MOST_STOPPED)  # batches of sweeps
        self._slices.start()
        # The scheduler drops the actor when its client is gone; and a process must not end under a training thread.
        weakref.finalize(self, _end, self._slices)

    @_answers_plainly
    async def ready(self) -> str:
        """Wait until the worker is warm; the name of the device it trains on."""
        return await asyncio.wrap_future(self._slices.call(lambda: self._slices.device_name))

    @_answers_plainly
    async def place(self, run_id: str, orders: Orders, blob: bytes | None = None) -> tuple[Update, ...]:
        """Take in a run, from its settings or from a checkpoint of the same generation."""
        return await self._carried_out(lambda: self._slices.place(run_id, orders, blob))

    @_answers_plainly
    async def obey(self, run_id: str, orders: Orders, since: int) -> tuple[Update, ...]:
        """Change what a run does; the updates since a version, a generation that ended first."""
        return await self._carried_out(lambda: self._slices.obey(run_id, orders, since))

    @_answers_plainly
    async def step(self, run_id: str, count: int, since: int) -> tuple[Update, ...]:
        """Pause a run after `count` more steps, taken as fast as it goes."""
        return await self._carried_out(lambda: self._slices.step(run_id, count, since))

    @_answers_plainly
    async def checkpoint(self, run_id: str, since: int) -> tuple[Checkpoint | None, tuple[Update, ...]]:
        """The present state and everything measured up to it; None before the networks exist."""
        return await asyncio.wrap_future(self._slices.call(lambda: self._slices.checkpoint(run_id, since)))

    @_answers_plainly
    async def drop(self, run_id: str) -> None:
        """Forget a run and give its memory back."""
        await asyncio.wrap_future(self._slices.call(lambda: self._slices.drop(run_id)))

    @_answers_plainly
    async def poll(
        self, since_versions: Mapping[str, int], patience_seconds: float = 0.0, breath_seconds: float = 0.0
    ) -> dict[str, Update]:
        """What is new of many runs, each since a version; a run without news, or unknown here, is left out.

        With patience the answer waits for a measurement, and for no longer than that; however much there is to tell, it
        takes a breath first. A command ends both, since what is asked for may have changed with it.
        """
        self._listen()
        self._command.clear()
        if breath_seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._command.wait(), breath_seconds)
        self._news.clear()
        if patience_seconds > 0 and not self._command.is_set() and not self._slices.has_news(since_versions):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), patience_seconds)
        return self._slices.poll(since_versions)

    def _listen(self) -> None:
        """Have the training thread ring here, on the event loop that asks."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._news, self._command = loop, asyncio.Event(), asyncio.Event()
            self._slices.on_news = functools.partial(_call_soon, loop, self._news.set)

    async def _carried_out(self, order: Callable[[], T]) -> T:
        """The training thread's answer to an order."""
        self._command.set()
        self._news.set()
        return await asyncio.wrap_future(self._slices.call(order))

    @_answers_plainly
    async def stop_batch(self, token: str) -> None:
        """Have the batch of a sweep that has this token end without results, if it is on this worker."""
        self._stopped.append(token)

    def is_stopped(self, token: str) -> bool:
        """For the batch itself, from its own thread."""
        return token in self._stopped

    def work(self, function: Callable[[], T]) -> T:
        """Have the training thread do something between two slices, and wait for it; for a batch's own thread."""
        return self._slices.call(function).result()

    @property
    def is_busy(self) -> bool:
        """Whether live work is due, to which a sweep gives way; for its thread."""
        return self._slices.is_busy

    async def packed(self, name: str, *args: object) -> bytes:
        """The answer of another method, pickled: one frame for Dask to carry, not one for every array in it."""
        return pickle.dumps(await getattr(self, name)(*args), protocol=5)

    @_answers_plainly
    async def listen(self, path: str) -> None:
        """Answer at this path too, from the server on the same machine: see `worker.wire`."""
        host = weakref.ref(self)  # the wire keeps no host alive that the scheduler has dropped
        server = await wire.answer(path, lambda name: getattr(host(), name))
        weakref.finalize(self, _call_soon, asyncio.get_running_loop(), server.close)

    @_answers_plainly
    async def run_ids(self) -> list[str]:
        """The runs that live here."""
        return self._slices.run_ids()
