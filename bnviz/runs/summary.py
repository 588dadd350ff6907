"""What a list tells of a run: small enough to be kept of every run there is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnviz.config import Settings
from bnviz.records import Run, Status


@dataclass(frozen=True)
class Summary:
    """One run in a list.

    Attributes:
        created, changed: seconds since 1970: when it was begun, and when it was written down last.
        accuracy: [k] on the test images, of each network as measured last, in [0, 1]; NaN where it never was.
        is_study: it only carries the measurements of something that does not train.
    """

    run_id: str
    settings: Settings
    status: Status
    accuracy: tuple[float, ...]
    created: float
    changed: float
    is_study: bool = False


@dataclass(frozen=True)
class Offer:
    """The owner's offer of the controls to whoever has the code.

    Attributes:
        digest: SHA-256 of the code, in hexadecimal: who reads the folder of runs cannot take them.
        expires: seconds since 1970.
    """

    digest: str
    expires: float


@dataclass(frozen=True)
class Entry:
    """A run in the catalogue: whose it is, to whom it is offered, and what a list tells of it."""

    owner: str
    summary: Summary
    offer: Offer | None = None


def summary_of(run: Run, created: float, changed: float) -> Summary:
    """The summary of a run whose history is at hand."""
    return Summary(run.run_id, run.settings, run.status, newest_accuracy(run), created, changed, is_study=run.is_study)


def newest_accuracy(run: Run) -> tuple[float, ...]:
    """The newest test accuracy of every network: [k], NaN where there is none."""
    return tuple(_last_finite(row) for row in run.history.accuracy.T)


def _last_finite(values: Sequence[float]) -> float:
    measured = np.flatnonzero(np.isfinite(values))
    return float(values[measured[-1]]) if measured.size else float("nan")
