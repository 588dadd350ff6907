"""What the engine knows of a run that is not asleep, and of the place where it trains."""

import asyncio
from dataclasses import dataclass, field

from bnviz.worker.host import Checkpoint, Host, Orders


@dataclass(frozen=True)
class Limits:
    """How many runs there may be, and how long they are kept going; seconds.

    A run that nobody has watched for `pause_seconds` pauses, and after `sleep_seconds` it leaves its worker.
    A picture that nobody has looked at for `picture_seconds` is not drawn until somebody does.
    """

    runs_an_owner: int = 4
    runs_a_worker: int = 32
    runs_waiting: int = 100
    pause_seconds: float = 120.0
    sleep_seconds: float = 600.0
    picture_seconds: float = 15.0
    save_seconds: float = 10.0  # between two checkpoints on disk; its history is there after two seconds or so
    sweeps_an_owner: int = 2  # that run at the same time
    sweeps: int = 30


@dataclass(eq=False)
class Place:
    """A host, and the tasks that poll it and fetch its checkpoints."""

    address: str
    host: Host
    is_lost: bool = False
    is_warm: bool = False  # its host has answered: what is placed there trains at once
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    poller: "asyncio.Task[None] | None" = None
    keeper: "asyncio.Task[None] | None" = None
    asked_at: list[float] = field(default_factory=list)  # when each question was put that it has not answered

    @property
    def silent_since(self) -> float:
        """When the oldest of its open questions was put; infinity if there is none."""
        return min(list(self.asked_at), default=float("inf"))


@dataclass(frozen=True)
class Ahead:
    """A checkpoint that is newer than what has been told of its run, and the version of the news that catch up."""

    checkpoint: Checkpoint
    version: int


@dataclass(eq=False)
class Awake:
    """A run that is not asleep."""

    run_id: str
    owner: str
    orders: Orders
    checkpoint: Checkpoint | None = None
    ahead: Ahead | None = None  # it becomes the checkpoint
    fetched_at: float = float("-inf")  # when the checkpoint was
    fetch_seconds: float = 0.0  # that it took
    place: Place | None = None
    is_placed: bool = False  # its host holds it; until then the place is only kept for it
    is_gone: bool = False  # it fell asleep
    measured_generation: int = -1  # the newest of which the hub has a point
    told: Orders | None = None  # the orders that its host has
    steps_due: int = 0  # that its host has not been told of
    since: int = 0  # the version up to which the hub has its news
    seen_at: dict[str, float] = field(default_factory=dict)  # when each picture was asked for, or looked at last
    seen_count: dict[str, int] = field(default_factory=dict)  # how often it had been asked for then
    losses: int = 0  # workers that ended under it
    changed_at: float = float("-inf")
    saved_version: int = -1  # of the hub
    saved_at: float = float("-inf")
    appended_version: int = -1  # of the hub, up to which its history is on disk
    appended_at: float = float("-inf")
    is_appending: bool = False
    disk_notice: str = ""  # what it was told of a disk that does not take it
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # what is asked of its host goes in order


class HostLostError(Exception):
    """The host does not answer any more: its runs have been queued for another."""
