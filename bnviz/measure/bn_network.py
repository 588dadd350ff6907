"""One network with BN as a plain function: with any statistics, from any layer on, up to any layer.

`Stack` goes the whole way with the statistics of the batch, in place. This one begins and ends in the middle, takes
statistics, weights and values of a layer that are not the network's own, and autograd differentiates it.

Shapes: b = images, in the hidden layers of a convolutional network images times positions, n = units of a layer; no
padding. In front of b there may be further axes, as of several batches:
each has a mean and a variance of its own. Hidden layers count from 0, and `layer` = their number is the output layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bnviz.config import BnPlacement, ModelConfig
from bnviz.models import Stack
from bnviz.models.functional import activation
from bnviz.models.normalizations import EPS
from bnviz.models.patches import seen_by

Moments = tuple[Tensor, Tensor]  # mean and variance of every unit, [..., 1, n] or [n]


def moments(x: Tensor) -> Moments:
    """Mean and biased variance over the images. [..., b, n] to [..., 1, n] each"""
    mean = x.mean(dim=-2, keepdim=True)
    return mean, (x - mean).square().mean(dim=-2, keepdim=True)


@dataclass(frozen=True)
class BnNetwork:
    """A network that has BN in every hidden layer, without noise.

    Attributes:
        model: its shape.
        numbers: parameters and running statistics by the names of `Stack.named`.
    """

    model: ModelConfig
    numbers: Mapping[str, Tensor]

    @classmethod
    def of(cls, stack: Stack, network: int = 0) -> "BnNetwork":
        """One of a stack's networks: its numbers are views, which follow it."""
        return cls(stack.model, stack.named(network))

    @property
    def is_before(self) -> bool:
        """Whether BN stands before the nonlinearity."""
        return self.model.bn_placement is BnPlacement.BEFORE

    @property
    def running(self) -> list[Moments]:
        """The running statistics of every hidden layer."""
        layers = range(1, self.model.hidden_layers + 1)
        return [(self.numbers[f"running_mean.{layer}"], self.numbers[f"running_var.{layer}"]) for layer in layers]

    def of_layer(self, layer: int, kind: str) -> Tensor:
        """One hidden layer's "weight", "bias", "gamma" or "beta"."""
        return self.numbers[f"{kind}.{layer + 1}"]

    def x(self, layer: int, u: Tensor, weight: Tensor | None = None) -> Tensor:
        """What a hidden layer's BN normalizes, where the layer sees u: u W, or g(u W + b). [..., b, n_in], [..., b, n]

        weight: [n_in, n] in place of the network's own.
        """
        product = seen_by(self.model, layer, u) @ (self.of_layer(layer, "weight") if weight is None else weight)
        if self.is_before:
            return product
        return activation(self.model.nonlinearity)(product + self.of_layer(layer, "bias"))

    def output(self, layer: int, x: Tensor, statistics: Moments | None = None) -> Tensor:
        """x to what the next layer sees, with the statistics of x itself unless given. [..., b, n]"""
        mean, variance = moments(x) if statistics is None else statistics
        normalized = (x - mean) * torch.rsqrt(variance + EPS)
        y = self.of_layer(layer, "gamma") * normalized + self.of_layer(layer, "beta")
        return activation(self.model.nonlinearity)(y) if self.is_before else y

    def up_to(self, layer: int, images: Tensor, statistics: Sequence[Moments] | None = None) -> Tensor:
        """What a layer sees of the images. [..., b, n_0] to [..., b, n_in]"""
        return self._through(range(layer), images, statistics)

    def onwards(self, layer: int, u: Tensor, statistics: Sequence[Moments] | None = None) -> Tensor:
        """Logits where a layer sees u. [..., b, n_in] to [..., b, 10]"""
        last = self.model.hidden_layers
        u = self._through(range(layer, last), u, statistics)
        return seen_by(self.model, last, u) @ self.of_layer(last, "weight") + self.of_layer(last, "bias")

    def _through(self, layers: range, u: Tensor, statistics: Sequence[Moments] | None) -> Tensor:
        for layer in layers:
            u = self.output(layer, self.x(layer, u), None if statistics is None else statistics[layer])
        return u
