"""Series that thin themselves: the early records are never lost, and there are never more than so many."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from bnviz.records.arrays import Floats

MOST_POINTS: Final = 500


class Dated(Protocol):
    """A record of one step."""

    @property
    def step(self) -> int: ...


D = TypeVar("D", bound=Dated)


def holes(step: Floats) -> Floats:
    """The hole that each inner one of these steps would leave, on a linear and a logarithmic axis together. [m - 2]"""
    hole: Floats = (step[2:] - step[:-2]) / step[-1] + np.log((step[2:] + 1) / (step[:-2] + 1)) / np.log(step[-1] + 1)
    return hole


def appended(records: Sequence[D], record: D, most: int = MOST_POINTS) -> tuple[D, ...]:
    """The records and a newer one, which replaces one of the same step; beyond `most` the least missed one goes.

    Raises:
        ValueError: its step lies before the last one.
    """
    if records and record.step < records[-1].step:
        raise ValueError(f"step {record.step} follows {records[-1].step}")
    kept = [*(records[:-1] if records and records[-1].step == record.step else records), record]
    if len(kept) > most:
        steps: Any = np.array([one.step for one in kept], np.float64)
        del kept[1 + int(np.argmin(holes(steps)))]
    return tuple(kept)
