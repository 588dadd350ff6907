"""One network as a plain function of its parameters, for what needs more than the first derivative.

`Stack` writes its gradient out and in place, and no derivative can be taken of that; autograd takes any of this.

Shapes: b = batch, n = units of a layer; no padding.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from bnviz.config import BnPlacement, ModelConfig, Nonlinearity, Normalization
from bnviz.models.by_autograd import NonlinearityByAutograd, NormalizationByAutograd
from bnviz.models.nonlinearities import LEAK, NONLINEARITIES
from bnviz.models.normalizations import EPS, NORMALIZATIONS

_VALUES: Final[dict[Nonlinearity, Callable[[Tensor], Tensor]]] = {
    Nonlinearity.SIGMOID: torch.sigmoid,
    Nonlinearity.TANH: torch.tanh,
    Nonlinearity.RELU: torch.relu,
    Nonlinearity.LEAKY_RELU: lambda z: functional.leaky_relu(z, LEAK),
    Nonlinearity.GELU: functional.gelu,
    Nonlinearity.IDENTITY: lambda z: z,
}


def cross_entropy(
    model: ModelConfig,
    normalization: Normalization,
    parameters: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
) -> Tensor:
    """The loss in nats, as `Stack.forward` and `Stack.loss` compute it: BN with this batch's statistics, without noise.

    parameters: by the names of `Parameters.named`; images: [b, n_0]; labels: [b].
    """
    activate, pair = activation(model.nonlinearity), NORMALIZATIONS[normalization]
    is_before = model.bn_placement is BnPlacement.BEFORE
    u = images
    for layer in range(1, model.hidden_layers + 1):
        z = u @ parameters[f"weight.{layer}"]
        if not (is_before and pair.drops_bias_before_it):
            z = z + parameters[f"bias.{layer}"]
        gamma, beta = parameters[f"gamma.{layer}"], parameters[f"beta.{layer}"]
        u = (
            activate(_normalized(normalization, z, gamma, beta))
            if is_before
            else (_normalized(normalization, activate(z), gamma, beta))
        )
    output = model.hidden_layers + 1
    logits = u @ parameters[f"weight.{output}"] + parameters[f"bias.{output}"]
    return functional.cross_entropy(logits, labels)


def activation(nonlinearity: Nonlinearity) -> Callable[[Tensor], Tensor]:
    """g, as autograd takes it."""
    own = NONLINEARITIES[nonlinearity]
    return own.value if isinstance(own, NonlinearityByAutograd) else _VALUES[nonlinearity]


def _normalized(normalization: Normalization, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    own = NORMALIZATIONS[normalization]
    if isinstance(own, NormalizationByAutograd):
        return own.value(x[None], gamma[None, None], beta[None, None])[0]
    if own.has_parameters:
        return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)
    return x
