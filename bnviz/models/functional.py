"""One network as a plain function of its parameters, for what needs more than the first derivative.

`Stack` writes its gradient out and in place, and no derivative can be taken of that; autograd takes any of this.

Shapes: b = batch, n = units of a layer; no padding. With space b are images times positions in hidden layers.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from bnviz.config import BnPlacement, ModelConfig, Nonlinearity, Normalization
from bnviz.models.by_autograd import NonlinearityByAutograd, NormalizationByAutograd
from bnviz.models.inverse_root import inverse_root
from bnviz.models.nonlinearities import LEAK, NONLINEARITIES
from bnviz.models.normalizations import EPS, NORMALIZATIONS
from bnviz.models.normalizations.group import over_units
from bnviz.models.normalizations.renormalization import corrections
from bnviz.models.patches import seen_by

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
    limits: Tensor | None = None,
) -> Tensor:
    """The loss in nats, as `Stack.forward` and `Stack.loss` compute it: with this batch's statistics, without noise.

    parameters: by the names of `Parameters.named`, and for Batch Renormalization the running statistics by those of
    `Stack.named`; images: [b, n_0]; labels: [b]; limits: [2], of Batch Renormalization, whose r and d are constants.
    """
    activate, pair = activation(model.nonlinearity), NORMALIZATIONS[normalization]
    is_before = model.bn_placement is BnPlacement.BEFORE
    u = images
    for layer in range(1, model.hidden_layers + 1):
        positions = model.layers[layer - 1].positions
        own = {kind: parameters[f"{kind}.{layer}"] for kind in ("weight", "gamma", "beta")}
        z = seen_by(model, layer - 1, u) @ own["weight"]
        if pair.is_of_weights:
            u = activate(own["gamma"] * z / own["weight"].norm(dim=0) + own["beta"])
            continue
        if not (is_before and pair.drops_bias_before_it):
            z = z + parameters[f"bias.{layer}"]
        if normalization is Normalization.RENORMALIZATION:
            assert limits is not None
            own["running"] = torch.stack([parameters[f"running_mean.{layer}"], parameters[f"running_var.{layer}"]])
            own["limits"] = limits
        u = (
            activate(_normalized(normalization, z, own, model.groups, positions))
            if is_before
            else _normalized(normalization, activate(z), own, model.groups, positions)
        )
    output = model.hidden_layers + 1
    logits = seen_by(model, output - 1, u) @ parameters[f"weight.{output}"] + parameters[f"bias.{output}"]
    return functional.cross_entropy(logits, labels)


def activation(nonlinearity: Nonlinearity) -> Callable[[Tensor], Tensor]:
    """g, as autograd takes it."""
    own = NONLINEARITIES[nonlinearity]
    return own.value if isinstance(own, NonlinearityByAutograd) else _VALUES[nonlinearity]


def _normalized(
    normalization: Normalization, x: Tensor, own: Mapping[str, Tensor], groups: int, positions: int
) -> Tensor:
    pair, gamma, beta = NORMALIZATIONS[normalization], own["gamma"], own["beta"]
    if isinstance(pair, NormalizationByAutograd):
        return pair.value(x[None], gamma[None, None], beta[None, None])[0]
    match normalization:
        case Normalization.NONE | Normalization.NOISE:
            return x
        case Normalization.LAYER:
            return gamma * over_units(x, 1, 1, positions) + beta
        case Normalization.GROUP:
            return gamma * over_units(x, groups, 1, positions) + beta
        case Normalization.DECORRELATED:
            return gamma * _whitened(x, groups) + beta
        case Normalization.RENORMALIZATION:
            variance, mean = torch.var_mean(x.detach(), dim=0, correction=0)
            r, d = corrections(mean, variance, own["running"], own["limits"])
            return functional.batch_norm(x, None, None, gamma * r, beta + gamma * d, training=True, eps=EPS)
    return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)


def _whitened(x: Tensor, groups: int) -> Tensor:
    """Each group of units whitened over the batch, in float64 as `DecorrelatedBatchNorm` does. [b, n] to [b, n]"""
    centred = (x - x.mean(dim=0)).double().reshape(len(x), groups, -1).transpose(0, 1)  # [G, b, s]
    covariance = centred.mT @ centred / len(x)
    root = inverse_root(covariance + EPS * torch.eye(covariance.shape[1]).to(covariance))
    return (centred @ root).transpose(0, 1).reshape(x.shape).to(x)
