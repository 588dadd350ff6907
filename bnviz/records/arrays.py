"""The arrays of all records: their types, and the levels and bins that they share."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

MOST_UNITS: Final = 64
BAND_LEVELS: Final = (0.15, 0.50, 0.85)  # Ioffe & Szegedy 2015, Fig. 1(b, c)

# Levels at which the whole distribution of a layer's inputs is kept: every 1/48, and finer in both tails. [q]
QUANTILE_LEVELS: Final[Floats] = np.unique(
    np.concatenate([np.linspace(0, 1, 49), [0.001, 0.005, 0.01, 0.99, 0.995, 0.999]])
)

GRADIENT_BINS: Final = 81
# Edges of the standardised gradient histogram, in standard deviations; the outer bins take what lies beyond. [b + 1]
STANDARDISED_EDGES: Final[Floats] = np.linspace(-12.15, 12.15, GRADIENT_BINS + 1)


def kept_units(layers: int, width: int) -> Ints:
    """The units whose bands are kept: all of them up to `MOST_UNITS`, else evenly sampled. [l, u]"""
    count = min(width, MOST_UNITS)
    units = np.unique(np.linspace(0, width - 1, count).round().astype(np.int64))
    return np.tile(units, (layers, 1))
