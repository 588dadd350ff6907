"""What is measured of two networks, without BN and with it, before any training.

Shapes: k = the twins, l = hidden layers, w = weight matrices (l + 1), j = layers whose Jacobian is taken,
q = quantile levels, a = step sizes. What is not computed yet, or not finite, is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import UntrainedConfig
from bnviz.records.arrays import Floats, Ints
from bnviz.records.measures import Gradients

SINGULAR_LEVELS: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
RELATIVE_STEPS: Final[Floats] = np.logspace(-3, 3, 37)  # a, times the gradient itself [a]
DIVERGED_RATIO: Final = 1e3  # Bjorck et al. 2018


@dataclass(frozen=True, eq=False)
class Untrained:
    """On one batch of 128 training images, BN with that batch's statistics."""

    config: UntrainedConfig
    done: float  # share of the work, in [0, 1]
    overflow_layer: Ints  # [k] the first layer (1 .. w) whose outputs are not finite; 0 if all are
    activation_mean: Floats  # [k, l] of the outputs of each hidden layer, over units and images
    activation_std: Floats  # [k, l]
    top_class_share: Floats  # [k, l] most frequent answer's share where the output layer reads hidden layer l
    gradient_norm: Floats  # [k, w] Frobenius norm of dl/dW
    gradients: Gradients | None  # histograms and moments of dl/dW, at step 0
    loss: Floats  # [k] nats
    jacobian_layers: Ints  # [j] hidden layers l, for d(output of l) / d(output of l - 1), evenly sampled from 2 on
    singular_values: Floats  # [k, j, q] SINGULAR_LEVELS over the singular values at a few images
    relative_loss: Floats  # [k, a] L(w - a g) / L(w); inf where it overflows
