"""Figure 1 of Ioffe & Szegedy 2015, recorded: what each of its runs came to, step by step."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from bnviz.config import TWINS, Competitor, FigureOneConfig
from bnviz.records.arrays import Floats, Ints, kept_units
from bnviz.records.status import Health

FIGURE_ONE_CHARTS: Final = (
    "figure-one-accuracy",
    "figure-one-bands",
    "figure-one-rates",
    "figure-one-optimizers",
    "figure-one-tuned",
)
"""The charts that show a run beside what is recorded of it."""
UNIT_STRIDE: Final = 2  # of the units whose bands a live run keeps, every second one is recorded


@dataclass(frozen=True, eq=False)
class Replica:
    """One run from one seed, both networks in lock-step, as it was recorded.

    Measured as in every run (`records.Point`): on all 10,000 test images, and on the held-out probe with BN's own
    statistics of that batch, which is the paper's N_BN^tr.

    Attributes:
        step: [m], as scheduled: each of the first 20, then about 30 a decade, and the last.
        accuracy: [m, k] in [0, 1]; NaN from where a network has diverged.
        loss: [m, k] training loss in nats, mean over the last twentieth of the run at least.
        units: [l, u] whose bands are kept.
        bands: [m, k, l, u, 3] BAND_LEVELS of the inputs to the nonlinearity; None where only the curves are wanted.
        health: of each network at the end.
        origin: date, torch version and machine class.
    """

    config: FigureOneConfig
    step: Floats
    accuracy: Floats
    loss: Floats
    units: Ints
    bands: Floats | None
    health: tuple[Health, ...]
    origin: str = ""

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        return TWINS


@dataclass(frozen=True, eq=False)
class FigureOne:
    """All the recorded runs as far as they could be read, and which of them is looked at.

    Attributes:
        config: the run that is looked at.
        replicas: curves of all runs.
        shown: the one that is looked at, with its bands; None if it could not be read.
        notice: which recordings are missing or damaged, and what to do; empty if none is.
    """

    config: FigureOneConfig
    replicas: tuple[Replica, ...]
    shown: Replica | None
    notice: str = ""
    done: float = 1.0

    @cached_property
    def by_config(self) -> dict[FigureOneConfig, Replica]:
        return {one.config: one for one in self.replicas}

    def of(self, config: FigureOneConfig) -> tuple[Replica, ...]:
        """The recorded runs that differ from this one in the seed alone, itself included."""
        return tuple(self.by_config[one] for one in config.replicas if one in self.by_config)


def recorded_units(layers: int, width: int) -> Ints:
    """The units whose bands are recorded: every second one of those that a live run keeps. [l, u]"""
    return kept_units(layers, width)[:, ::UNIT_STRIDE]


def at_step(replica: Replica, values: Floats, step: float) -> Floats:
    """What was measured last up to a step. values: [m, ...] to [...]"""
    place = max(int(np.searchsorted(replica.step, step, side="right")) - 1, 0)
    found: Floats = values[place]
    return found
