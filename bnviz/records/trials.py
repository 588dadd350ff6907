"""What is measured of several short runs under different conditions.

Shapes: k = competitors, x = conditions, r = seeds, t = moments of a run, l = hidden layers, c = changes of the test
images, a = amounts of a change. What is not measured, not yet, or of a network that has diverged, is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import TrialsConfig
from bnviz.records.arrays import Floats, Ints

MOMENTS: Final[Floats] = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0])
"""The share of its steps that a run has taken at each of its moments. [t]"""

CHANGES: Final = ("inverted", "noisy", "shifted")
AMOUNTS: Final[Floats] = np.array([np.linspace(0, 1, 9), np.linspace(0, 1, 9), np.arange(9.0)])
"""Of each change: the share of the way to the negative, the noise's standard deviation, pixels. [c, a]"""

STATISTICS: Final = ("running", "batch")


@dataclass(frozen=True, eq=False)
class Trials:
    """Accuracies are shares of the 10,000 test images unless said otherwise, in [0, 1]."""

    config: TrialsConfig
    done: float  # share of the work, in [0, 1]
    steps: Ints  # [x] of each run
    accuracy: Floats  # [k, x, r, t] at inference; before the last moment on every fifth test image
    batch_accuracy: Floats  # [k, x, r] at the end, with the statistics of each 1,000 test images
    training_accuracy: Floats  # [k, x, r] at the end, of 10,000 images trained on or fewer, where that is asked for
    diverged_step: Floats  # [k, x, r] 0 where a network did not
    spread: Floats  # [k, x, r, 2, l] std of each hidden layer's inputs to the nonlinearity, at step 0 and at the end
    changed_accuracy: Floats  # [k, r, c, a, 2] of changed test images, with running statistics and with their own
    changed_digits: Floats  # [c, a, 28, 28] a test image as each change leaves it, in [0, 1]
