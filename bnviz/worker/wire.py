"""The wire: a Unix socket between the server and an embedded worker, in a private folder that only their user can open.

Through Dask, its protocols and TLS a question cost the server as much as a chart, four times a second while a run is
watched. Whoever can open the folder is its owner: that is what TLS proves elsewhere, and what is unpickled is our own.

A message is its length (uint64, little-endian) and a pickle. A question is (number, name, arguments); an answer is what
`handover.pack` makes of (number, result, error). Any number of questions may be open, and answers come in any order.
"""

import asyncio
import itertools
import logging
import os
import pickle
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from bnviz.errors import BnvizError
from bnviz.worker import handover

IS_OFFERED: Final = os.name == "posix"
HEAD_BYTES: Final = 8

Method = Callable[..., Awaitable[Any]]

logger = logging.getLogger(__name__)


class _Messages(asyncio.Protocol):
    """Whole messages out of what comes in pieces."""

    def __init__(self) -> None:
        self._arrived = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        while len(self._arrived) >= HEAD_BYTES:
            end = HEAD_BYTES + int.from_bytes(self._arrived[:HEAD_BYTES], "little")
            if len(self._arrived) < end:
                return
            message = bytes(self._arrived[HEAD_BYTES:end])
            del self._arrived[:end]
            self.received(message)

    def received(self, message: bytes) -> None:
        raise NotImplementedError

    @property
    def is_cut(self) -> bool:
        """Whether the other end is gone."""
        return self._transport is None or self._transport.is_closing()

    def send(self, message: bytes) -> None:
        """`OSError` if the other end is gone."""
        if self._transport is None or self.is_cut:
            raise OSError("its worker is gone")
        self._transport.write(len(message).to_bytes(HEAD_BYTES, "little") + message)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _AnsweringEnd(_Messages):
    def __init__(self, method: Callable[[str], Method], folder: str) -> None:
        super().__init__()
        self._method, self._folder = method, folder
        self._answering: set[asyncio.Task[None]] = set()

    def received(self, message: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(*pickle.loads(message)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            packed = handover.pack((number, await self._method(name)(*arguments), None), self._folder)
        except BnvizError as error:
            packed = handover.pack((number, None, error), self._folder)
        except Exception:  # the one who asks takes a wire that is cut for a worker that has ended
            logger.exception("%s could not be answered", name)
            self.close()
            return
        if not self.is_cut:
            self.send(pickle.dumps(packed, protocol=5))


async def answer(path: str, method: Callable[[str], Method]) -> asyncio.AbstractServer:
    """Answer at this path, with the method of each name; large parts of answers lie in files beside it."""
    loop, folder = asyncio.get_running_loop(), str(Path(path).parent)
    return await loop.create_unix_server(lambda: _AnsweringEnd(method, folder), path)


class Wire(_Messages):
    """The asking end; it belongs to one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}  # the questions without an answer

    @classmethod
    async def to(cls, path: str) -> "Wire":
        """A wire to who answers at this path; `OSError` if nobody does."""
        _, wire = await asyncio.get_running_loop().create_unix_connection(cls, path)
        return wire

    async def ask(self, name: str, *arguments: Any) -> Any:
        """The other end's answer; its `BnvizError`, or `OSError` if the wire is cut."""
        number, answered = next(self._numbers), asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        try:
            self.send(pickle.dumps((number, name, arguments), protocol=5))
            return await answered
        finally:
            del self._asked[number]

    def received(self, message: bytes) -> None:
        number, result, error = handover.unpack(*pickle.loads(message))
        answered = self._asked.get(number)
        if answered is None or answered.done():  # nobody waits for it any more
            return
        if error is None:
            answered.set_result(result)
        else:
            answered.set_exception(error)

    def connection_lost(self, reason: Exception | None) -> None:
        for answered in self._asked.values():
            if not answered.done():
                answered.set_exception(OSError("its worker is gone"))
