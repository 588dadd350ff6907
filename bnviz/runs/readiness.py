"""Whether the lab can train, part by part, as `/healthz` tells it: no address, no path, nothing of any visitor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Readiness:
    """How the parts behind the server are.

    Attributes:
        scheduler: "starting" until it has been reached once, then "ok" or "unreachable".
        workers: those that the scheduler has.
        workers_alive: those of them that answer.
        runs: placed on each worker that is alive.
        runs_waiting: for a place.
    """

    scheduler: str = "starting"
    workers: int = 0
    workers_alive: int = 0
    runs: tuple[int, ...] = ()
    runs_waiting: int = 0

    @property
    def can_train(self) -> bool:
        return self.scheduler == "ok" and self.workers_alive > 0
