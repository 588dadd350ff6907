"""What is measured of plain and residual networks, without BN and with it, before any training.

Shapes: c = connections (plain, residual), k = the twins, l = hidden layers. What is not computed yet, or not finite, is
NaN.
"""

from dataclasses import dataclass

from bnviz.config import DepthConfig
from bnviz.records.arrays import Floats


@dataclass(frozen=True, eq=False)
class Depth:
    """On one batch of 256 training images, BN with that batch's statistics."""

    config: DepthConfig
    done: float  # share of the work, in [0, 1]
    gradient: (
        Floats  # [c, k, l] mean over the images of ||dL_i/dh_l||², h_l a hidden layer's outputs, L_i image i's loss
    )
    spread: Floats  # [c, k, l] standard deviation of each hidden layer's outputs, over images and units
