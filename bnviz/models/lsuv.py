"""Layer-sequential unit-variance initialization: matrices scaled until each layer's outputs have a variance of one.

Source: Mishkin & Matas 2016, Algorithm 1. From the first layer to the last, the output layer included: while
|Var(W u) - 1| >= 0.1, W <- W / sqrt(Var(W u)), the variance over all units and images of one mini-batch.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from torch import Tensor

from bnviz.config import ModelConfig, Nonlinearity
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.patches import seen_by

LSUV_IMAGES: Final = 512
TOLERANCE: Final = 0.1  # of the variance, as the paper's
MOST_DIVISIONS: Final = 10

Layer = Callable[[int, Tensor, Tensor], Tensor]  # number from 0, inputs u [m, n_in], products [m, n_out]: its outputs


def unit_variance(weights: Iterable[Tensor], u: Tensor, layer: Layer) -> Iterator[Tensor]:
    """Orthogonal matrices [n_out, n_in], one after the other, with LSUV's scale; u: the first's inputs [m, n_0]."""
    for number, weight in enumerate(weights):
        weight = _scaled(weight, u)
        yield weight
        u = layer(number, u, u @ weight.T)


def plain_layers(model: ModelConfig) -> Layer:
    """Layers without normalization, skips or biases: what the layer above sees of g(W u)."""
    g_of = fully_connected(model.nonlinearity)

    def outputs(number: int, u: Tensor, products: Tensor) -> Tensor:
        g = g_of(number, u, products)
        return seen_by(model, number + 1, g) if number < model.hidden_layers else g

    return outputs


def fully_connected(nonlinearity: Nonlinearity) -> Layer:
    """The same where every layer sees all of the one below: g(W u)."""

    def outputs(number: int, u: Tensor, products: Tensor) -> Tensor:
        NONLINEARITIES[nonlinearity].forward(products, out=(g := products.clone()))
        return g

    return outputs


def _scaled(weight: Tensor, u: Tensor) -> Tensor:
    """One matrix; as it is where its products are all alike or not finite, so that no scale would help."""
    for _ in range(MOST_DIVISIONS):
        variance = float((u @ weight.T).double().var(correction=0))
        if not 0 < variance < float("inf") or abs(variance - 1) < TOLERANCE:
            break
        weight = weight / variance**0.5
    return weight
