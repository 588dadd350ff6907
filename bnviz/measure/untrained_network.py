"""One untrained network, layer by layer: forward, backward and Jacobian, of any depth, plain or residual.

Shapes as in `untrained`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from bnviz.config import Connections, Normalization, UntrainedConfig
from bnviz.config.untrained import JACOBIAN_IMAGES
from bnviz.models.nonlinearities import NONLINEARITIES, NonlinearityPair
from bnviz.models.normalizations import EPS

Parameters = tuple[Tensor, ...]  # of one layer: weights [n_out, n_in], bias or beta [n_out], and gamma [n_out] with BN


class UntrainedNetwork:
    """One of the twins: forward, backward and Jacobian of each layer.

    Attributes:
        parameters: of each layer from 1 on, as far as the weights have been drawn.
    """

    def __init__(self, config: UntrainedConfig, normalization: Normalization) -> None:
        self._has_bn = normalization is Normalization.BATCH
        self._is_residual = config.connections is Connections.RESIDUAL
        self._nonlinearity = NONLINEARITIES[config.nonlinearity]
        self._output = config.depth + 1
        self.parameters: list[Parameters] = []

    def add_layer(self, weight: Tensor) -> None:
        """weight: [n_out, n_in]."""
        shift, gain = weight.new_zeros(len(weight)), weight.new_ones(len(weight))
        is_normalized = self._has_bn and len(self.parameters) + 1 < self._output
        self.parameters.append((weight, shift, gain) if is_normalized else (weight, shift))

    def forward(self, layer: int, u: Tensor, parameters: Parameters) -> Tensor:
        """What a layer makes of its inputs u with these parameters: [m, n_in] to [m, n_out]."""
        weight, shift, *gain = parameters
        x = linear(u, weight)
        if gain:
            x = gain[0] * _batch_normalized(x)[0]
        return x + shift if layer == self._output else self.activate(layer, u, x + shift)

    def activate(self, layer: int, u: Tensor, z: Tensor) -> Tensor:
        """What a hidden layer makes of the inputs to its nonlinearity, z [m, n]; u are its own."""
        outputs: Tensor = _Nonlinear.apply(z, self._nonlinearity)  # type: ignore[no-untyped-call]
        return u + outputs if self._skips(layer) else outputs

    def backward(self, layer: int, u: Tensor, delta: Tensor) -> tuple[Tensor, Parameters]:
        """dl/du [m, n_in] and dl/d(parameters of the layer) from `delta`, dl/d(its outputs) [m, n_out].

        The layer is computed a second time, so that nothing but its inputs has to be kept until here.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [one.clone().requires_grad_() for one in (u, *self.parameters[layer - 1])]
            outputs = self.forward(layer, leaves[0], tuple(leaves[1:]))
            d_u, *gradient = torch.autograd.grad(outputs, leaves, delta.clone())
        return d_u, tuple(gradient)

    def jacobians(self, layer: int, u: Tensor) -> Tensor:
        """d(outputs of a hidden layer) / d(its inputs u), both of the same image, of the first i images: [i, n, n].

        With BN the image has its own share in the batch's statistics: for one unit
            d xh_i / d x_i = (1 - 1/m - xh_i²/m) / sqrt(var + eps)
        so that the Jacobian is a diagonal matrix times W, and the identity added to it where the layer is skipped.
        """
        weight, shift, *gain = self.parameters[layer - 1]
        x, slope = linear(u, weight), torch.ones_like(u)
        if gain:
            x, inverse_std = _batch_normalized(x)
            slope = gain[0] * inverse_std * (1 - (1 + x.square()) / len(x))
            x = gain[0] * x
        z, outputs = x + shift, torch.empty_like(x)
        self._nonlinearity.forward(z, out=outputs)
        self._nonlinearity.backward(slope, z, outputs)
        jacobians = slope[:JACOBIAN_IMAGES, :, None] * weight
        if self._skips(layer):
            jacobians.diagonal(dim1=1, dim2=2).add_(1)
        return jacobians

    def _skips(self, layer: int) -> bool:
        """Whether a layer's inputs are added to its outputs; the first one has another number of inputs."""
        return self._is_residual and 1 < layer < self._output


def _batch_normalized(x: Tensor) -> tuple[Tensor, Tensor]:
    """xh [m, n] and 1 / sqrt(var + eps) [n] of x [m, n], Ioffe & Szegedy 2015, Algorithm 1."""
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    inverse_std = (variance + EPS).rsqrt()
    return (x - mean) * inverse_std, inverse_std


class _Nonlinear(torch.autograd.Function):
    """The nonlinearities of the trained networks, for autograd."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, pair: NonlinearityPair) -> Tensor:
        u = torch.empty_like(z)
        pair.forward(z, out=u)
        ctx.pair = pair
        ctx.save_for_backward(z, u)
        return u

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None]:
        delta = delta.clone()
        ctx.pair.backward(delta, *ctx.saved_tensors)
        return delta, None
