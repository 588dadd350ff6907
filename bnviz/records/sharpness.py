"""The largest curvature of the loss at one step.

Source: Cohen et al. 2021. Gradient descent on a fixed batch is stable along a direction of curvature h only while
h < 2 / learning rate, with momentum beta h < (2 + 2 beta) / learning rate.

Shapes: k = competitors.
"""

from dataclasses import dataclass

from bnviz.records.arrays import Floats


@dataclass(frozen=True, eq=False)
class Sharpness:
    """The largest eigenvalue of the Hessian H of the loss with respect to all parameters, on a fixed batch.

    A competitor that has stopped has NaN, one whose loss is not finite has no eigenvalue.
    """

    step: int
    learning_rate: Floats  # [k] in force at this step, each competitor's own
    eigenvalue: Floats  # [k]
    residual: Floats  # [k] ||H v - eigenvalue v|| of the unit vector v found: an eigenvalue is at most so far away
