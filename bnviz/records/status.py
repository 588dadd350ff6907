"""What a run is doing, and how its competitors fare."""

from dataclasses import dataclass
from enum import StrEnum


class Badge(StrEnum):
    """Where the data of a chart come from."""

    MEASURED = "measured"
    RECORDED = "recorded"
    NOTHING = "not run yet"
    ILLUSTRATION = "illustration"


class Condition(StrEnum):
    """How one competitor fares."""

    TRAINING = "training"
    STALLED = "stalled"  # chance accuracy over 200 steps
    DIVERGED = "diverged"  # a non-finite loss; the competitor stopped


class Phase(StrEnum):
    """What a run is doing."""

    QUEUED = "queued"
    PLAYING = "playing"
    PAUSED = "paused"
    STOPPED = "stopped"  # every competitor diverged: nothing left to step
    ASLEEP = "asleep"  # only on disk; its link brings it back


@dataclass(frozen=True)
class Health:
    """The condition of one competitor, and where and when it began.

    Attributes:
        since_step: the step at which the condition began, None while training.
        layer: for a diverged competitor the weight layer (1 .. w) whose values went non-finite first, else None.
        what: what went first there: "inputs", "gradient", "weights" or "loss"; empty while training.
    """

    condition: Condition = Condition.TRAINING
    since_step: int | None = None
    layer: int | None = None
    what: str = ""


@dataclass(frozen=True)
class Intervention:
    """A live setting changed by its visitor: in force from the step after `step` on."""

    step: int
    name: str  # a name in config.SETTINGS
    old: float
    new: float


@dataclass(frozen=True)
class Status:
    """What a run is doing now: small, and fresh at every poll.

    Attributes:
        generation: counts the restarts of a run; a new generation starts with an empty history.
        steps_per_second: over the last second of playing; 0 while paused.
        device: such as "CPU" or the GPU's name.
        notice: one sentence for the visitor, such as why the run stopped; empty if there is none.
        measuring: share of the last seconds of training time that went into measurements, in [0, 1].
        place_in_queue: 1 for the next to be placed; None unless queued.
    """

    phase: Phase
    generation: int
    step: int
    steps_per_second: float
    device: str
    health: tuple[Health, ...]  # one a competitor
    notice: str = ""
    place_in_queue: int | None = None
    measuring: float = 0.0
