"""What is measured of the paper's scaled-down cousins: a convolutional network in variants of rate and nonlinearity.

Shapes: k = the twins, x = conditions, r = seeds, t = moments of a run. What is not measured, not yet, or of a network
that has diverged, is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import CousinsConfig
from bnviz.records.arrays import Floats, Ints

COUSIN_MOMENTS: Final[Floats] = np.array([0, 0.0025, 0.005, 0.01, 0.015, 0.02, *np.linspace(1, 32, 32) / 32])
"""The share of its steps that a run has taken at each of its moments. [t]"""


@dataclass(frozen=True, eq=False)
class Cousins:
    """Accuracies are shares of the 10,000 test images at inference, in [0, 1]."""

    config: CousinsConfig
    done: float  # share of the work, in [0, 1]
    accuracy: Floats  # [k, x, r, t]
    diverged_step: Floats  # [k, x, r] 0 where a network did not
    step_milliseconds: Floats  # [k, x, r] of a step of this network alone, median of some; by the clock
    ensemble_accuracy: Floats  # [k, x, r] of the mean softmax outputs of the first r + 1 seeds, but for the diverged

    @property
    def steps(self) -> Ints:
        """Taken at each moment: [t]."""
        return np.round(COUSIN_MOMENTS * self.config.steps).astype(np.int64)


def nothing_of_cousins(config: CousinsConfig) -> Cousins:
    """The record before anything is measured."""
    shape = (len(config.competitors), len(config.conditions), config.seeds)
    return Cousins(
        config=config,
        done=0.0,
        accuracy=np.full((*shape, len(COUSIN_MOMENTS)), np.nan),
        diverged_step=np.full(shape, np.nan),
        step_milliseconds=np.full(shape, np.nan),
        ensemble_accuracy=np.full(shape, np.nan),
    )
