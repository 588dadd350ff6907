"""What a step costs with BN and without it.

Shapes: a = shapes of the network (fully connected, convolutional), w = widths, b = batch sizes, e = loops (this app's,
a bare PyTorch loop), k = the twins, n = repetitions. What is not timed yet is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import BATCHES_TIMED, SHAPES, TWINS, WIDTHS_TIMED, CostConfig
from bnviz.records.arrays import Floats

LOOPS: Final = ("this app", "bare PyTorch")


@dataclass(frozen=True, eq=False)
class Cost:
    """Times of one step: mini-batch, forward, backward and update of one network alone.

    The processor's, of the one thread that computes it; on a GPU by the clock.
    """

    config: CostConfig
    done: float  # share of the work, in [0, 1]
    milliseconds: Floats  # [a, w, b, e, k, n]
    threads: int  # that torch computed with
    is_gpu: bool

    @property
    def ratio(self) -> Floats:
        """With BN ÷ without, both of the same repetition: [a, w, b, e, n]."""
        ratio: Floats = self.milliseconds[..., 1, :] / self.milliseconds[..., 0, :]
        return ratio


def nothing_timed(config: CostConfig, threads: int, is_gpu: bool) -> Cost:
    """The record before anything is timed."""
    widths = len(WIDTHS_TIMED[SHAPES[0]])
    shape = (len(SHAPES), widths, len(BATCHES_TIMED), len(LOOPS), len(TWINS), config.repetitions)
    return Cost(config, 0.0, np.full(shape, np.nan), threads, is_gpu)
