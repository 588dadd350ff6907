"""Competitors that share initial weights, computed as one.

K networks of the same shape are K slices of every buffer: activations are [K, b, p], weights [K, n_in, n_out], and each
operation of a step is one call for all of them. Forward and backward are written out beside each other.

Shapes used throughout: K = networks, b = batch, n = units of a layer, p = n padded to a multiple of 32 (see
`parameters`).
"""

from bnviz.models import optimizers
from bnviz.models.activations import Activations
from bnviz.models.combinations import Combinations, states_of
from bnviz.models.draws import Draws
from bnviz.models.initialization import initial_weights
from bnviz.models.noise import Batch, Noise
from bnviz.models.optimizers import make_optimizer
from bnviz.models.parameters import Parameters
from bnviz.models.stack import Collect, Stack

__all__ = [
    "Activations",
    "Batch",
    "Collect",
    "Combinations",
    "Draws",
    "Noise",
    "Parameters",
    "Stack",
    "initial_weights",
    "make_optimizer",
    "optimizers",
    "states_of",
]
