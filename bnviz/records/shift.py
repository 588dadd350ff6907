"""Internal covariate shift and the smoothness of the loss, each at one step.

Source: Santurkar et al. 2018, Definition 2.1 and Figure 4. A competitor that has stopped has NaN.

Shapes: k = competitors, w = weight matrices, e = step sizes.
"""

from dataclasses import dataclass
from typing import Final

from bnviz.records.arrays import Floats

STEP_SIZES: Final = (0.5, 1.0, 2.0, 4.0)  # of the steps along the gradient, in learning rates


@dataclass(frozen=True, eq=False)
class Shift:
    """How each layer's gradient changes by the update of the layers below it, on the mini-batch of the step.

    G is the gradient of the loss with respect to W_i at the weights of step t, G' the same after the layers below i
    have taken their update, biases, gamma and beta included. Nothing lies below layer 1: its change is 0.
    """

    step: int
    change: Floats  # [k, w] ||G - G'||, Frobenius norm
    relative: Floats  # [k, w] ||G - G'|| / ||G||
    cosine: Floats  # [k, w] of the angle between G and G'


@dataclass(frozen=True, eq=False)
class Smoothness:
    """The loss and its gradient along the gradient g, at w - a g with a = STEP_SIZES x learning rate.

    On the mini-batch of the step, with respect to all parameters.
    """

    step: int
    learning_rate: Floats  # [k]
    loss: Floats  # [k] nats, at w itself
    loss_along: Floats  # [k, e] nats, at w - a g; inf where it overflows
    gradient_change: Floats  # [k, e] ||g - g(w - a g)||
    beta: Floats  # [k, e] effective smoothness, ||g - g(w - a g)|| / (a ||g||)
