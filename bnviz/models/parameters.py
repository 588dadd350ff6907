"""The numbers that training changes, of K networks, in one buffer."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from bnviz.config import WeightLayer

# Each network's block of units is padded to this many floats. Vectorised loops take up to 32 floats a pass and treat a
# remainder by another formula, so without the padding a network's last bits would depend on what lies beside it.
PAD: Final = 32


def padded(units: int) -> int:
    """The units of a layer rounded up to a multiple of `PAD`."""
    return -(-units // PAD) * PAD


class Parameters:
    """Weights, biases, gammas and betas of K networks as views of one buffer; also their gradients and momenta.

    A network is a row, so that what differs between networks, a learning rate say, is one column beside it. The padding
    has no part in any result: its weights and gradients stay what they were made, 0 (gamma: as filled).

    Attributes:
        flat: [K, P], weight matrices first.
        weights: for each of the w weight layers [K, n_in, n_out], so that a layer is u W (the transpose of the paper's
            W, which multiplies from the left).
        padded_weights: the same with their padding, [K, n_in, p].
        first_weights: the first of these, network by network, [n_0, p].
        biases: for each weight layer [K, 1, p].
        gammas, betas: for each hidden layer [K, 1, p].
        scales: [K, 2, l, p], gammas and betas of all layers.
    """

    @torch.inference_mode(False)  # buffers made within a step may be written outside of it
    def __init__(self, layers: Sequence[WeightLayer], networks: int, dtype: torch.dtype, device: torch.device) -> None:
        self.layers, self.networks = tuple(layers), networks
        matrices = [(layer.n_in, padded(layer.n_out)) for layer in layers]
        vectors = [(1, p) for _, p in matrices]
        shapes = [*matrices, *vectors, *vectors[:-1], *vectors[:-1]]
        lengths = [rows * p for rows, p in shapes]
        self.flat = torch.zeros(networks, sum(lengths), dtype=dtype, device=device)
        parts = zip(torch.split(self.flat, lengths, dim=1), shapes, strict=True)
        blocks = [part.view(networks, *shape) for part, shape in parts]
        w = len(matrices)
        self._weight_end = sum(lengths[:w])
        self._first_end = lengths[0]
        self.padded_weights = blocks[:w]
        self.first_weights = blocks[0].unbind()
        self.weights = [block[:, :, : one.n_out] for block, one in zip(blocks[:w], layers, strict=True)]
        self.biases = blocks[w : 2 * w]
        self.gammas = blocks[2 * w : 3 * w - 1]
        self.betas = blocks[3 * w - 1 :]
        self.scales = self.flat[:, sum(lengths[: 2 * w]) :].view(networks, 2, w - 1, vectors[0][1])

    @property
    def flat_weights(self) -> Tensor:
        """The weight matrices alone, [K, ...]: what weight decay applies to."""
        return self.flat[:, : self._weight_end]

    @property
    def flat_later_weights(self) -> Tensor:
        """The weight matrices without the first layer's, [K, ...]."""
        return self.flat[:, self._first_end : self._weight_end]

    def empty_like(self) -> "Parameters":
        """Zeros in the same arrangement: a gradient, a momentum, a direction."""
        return Parameters(self.layers, self.networks, self.flat.dtype, self.flat.device)

    def clone(self) -> "Parameters":
        copy = self.empty_like()
        copy.flat.copy_(self.flat)
        return copy

    def only(self, networks: Sequence[int]) -> "Parameters":
        """A copy of some of the networks, in this order."""
        chosen = Parameters(self.layers, len(networks), self.flat.dtype, self.flat.device)
        chosen.flat.copy_(self.flat[list(networks)])
        return chosen

    def named(self, network: int) -> dict[str, Tensor]:
        """One network's numbers without the padding, as views.

        "weight.1" [n_in, n_out] and "bias.1" [n] to the output layer's, "gamma.1" and "beta.1" [n] of hidden layers.
        """
        named = {f"weight.{layer}": weight[network] for layer, weight in enumerate(self.weights, start=1)}
        for kind, vectors in (("bias", self.biases), ("gamma", self.gammas), ("beta", self.betas)):
            for layer, (vector, shape) in enumerate(zip(vectors, self.layers, strict=False), start=1):
                named[f"{kind}.{layer}"] = vector[network, 0, : shape.n_out]
        return named
