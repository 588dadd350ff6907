"""Two networks that are never trained, without BN and with it, measured on one batch: as deep as the visitor likes.

    hidden layer 1:   u_1 = g(N(W_1 x))
    plain:            u_l = g(N(W_l u_(l-1)))
    residual:         u_l = u_(l-1) + g(N(W_l u_(l-1)))
    output:           logits = W_(L+1) u_L

N(x) = x + bias in the network without BN, gamma xh + beta with the batch's own statistics in the other one; biases and
beta are 0, gamma is 1. Sources: SCIENCE, section 3 (Bjorck et al. 2018) and 5 (Yang et al. 2019).

Shapes: m = images, n = units of a layer, L = hidden layers, k = the twins, i = images whose Jacobian is taken; layers
are counted from 1, and layer L + 1 is the output.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from bnviz.config import TWINS, UntrainedConfig
from bnviz.config.untrained import JACOBIAN_IMAGES, MOST_JACOBIAN_LAYERS, untrained_parts
from bnviz.measure.gradients import NetworkGradient, gradient_record, norms_of
from bnviz.measure.untrained_network import Parameters, UntrainedNetwork
from bnviz.models.initialization import drawn_weights
from bnviz.models.lsuv import LSUV_IMAGES
from bnviz.records import RELATIVE_STEPS, SINGULAR_LEVELS, Floats, Gradients, Ints, Untrained

ITEM_SECONDS: Final = 0.02  # estimated work between two items


def measure_untrained(config: UntrainedConfig, images: Tensor, labels: Tensor) -> Iterator[Untrained]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    Between two items lie some tens of ms of work, so that training can go on in between; whoever has seen enough just
    stops asking. The same arguments give the same items.

    Args:
        config: the two networks.
        images: [m, 784] float32, on the device where the measuring is to be done.
        labels: [m] int64.
    """
    networks = _Measuring(config, images, labels)
    stages = (
        networks.draw_weights(),
        networks.measure_activations(),
        networks.measure_gradients(),
        networks.measure_jacobians(),
        networks.measure_relative_losses(),
    )
    parts = untrained_parts(config)
    total, before, shown = sum(parts), 0.0, 0.0
    for seconds, stage in zip(parts, stages, strict=True):
        for share in stage:
            now = before + share * seconds
            if now - shown >= ITEM_SECONDS and now < total:
                shown = now
                yield networks.record(now / total)
        before += seconds
    yield networks.record(1.0)


class _Measuring:
    """The twins and what is known of them so far.

    Each of the stages is a generator of the share of itself that is done, in (0, 1], after each bit of its work.
    """

    def __init__(self, config: UntrainedConfig, images: Tensor, labels: Tensor) -> None:
        self._config, self._images, self._labels = config, images, labels
        self._networks = [UntrainedNetwork(config, twin.normalization) for twin in TWINS]
        self._inputs: list[list[Tensor]] = [[] for _ in self._networks]  # of each layer, output layer included
        self._delta: list[Tensor] = []  # dl/d(logits) of each network
        self._gradient: list[list[Parameters]] = [[] for _ in self._networks]
        self._unfinished = _nothing_yet(config)

    def record(self, done: float) -> Untrained:
        """All there is so far; later work changes nothing in it."""
        arrays: dict[str, Any] = {
            one.name: value.copy()
            for one in fields(Untrained)
            if isinstance(value := getattr(self._unfinished, one.name), np.ndarray)
        }
        return replace(self._unfinished, done=done, **arrays)

    def draw_weights(self) -> Iterator[float]:
        """The same weights for both, and the same as the app's other networks of these sizes start from.

        But for LSUV's: they have their scale from these images, and from what residual layers add up.
        """
        config, without_bn = self._config, self._networks[0]

        def layer_of(number: int, u: Tensor, products: Tensor) -> Tensor:
            return without_bn.activate(number + 1, u, products)

        weights = drawn_weights(
            config.initialization, config.init_scale, config.layers, config.seed, self._images[:LSUV_IMAGES], layer_of
        )
        for layer, weight in enumerate(weights, start=1):
            for network in self._networks:
                network.add_layer(weight.to(self._images))
            yield layer / (config.depth + 1)

    def measure_activations(self) -> Iterator[float]:
        """Outputs of every hidden layer, and the loss."""
        output = self._config.depth + 1
        outputs = [self._images for _ in self._networks]
        for layer in range(1, output + 1):
            for k, network in enumerate(self._networks):
                self._inputs[k].append(outputs[k])
                outputs[k] = network.forward(layer, outputs[k], network.parameters[layer - 1])
                self._note_outputs(k, layer, outputs[k])
            yield layer / output
        self._delta = [_logit_gradient(logits, self._labels) for logits in outputs]
        losses = np.array([float(cross_entropy(logits, self._labels)) for logits in outputs])
        self._unfinished.loss[:] = np.where(np.isfinite(losses), losses, np.nan)

    def _note_outputs(self, k: int, layer: int, outputs: Tensor) -> None:
        """Moments and concentration of one layer's outputs [m, n]; none from the first layer on that overflows."""
        overflow_layer, network = self._unfinished.overflow_layer, self._networks[k]
        if not overflow_layer[k] and not outputs.isfinite().all():
            overflow_layer[k] = layer
        if overflow_layer[k] or layer > self._config.depth:
            return
        variance, mean = torch.var_mean(outputs.double(), correction=0)
        self._unfinished.activation_mean[k, layer - 1] = float(mean)
        self._unfinished.activation_std[k, layer - 1] = float(variance.sqrt())
        logits = network.forward(self._config.depth + 1, outputs, network.parameters[-1])
        self._unfinished.top_class_share[k, layer - 1] = _top_class_share(logits)

    def measure_gradients(self) -> Iterator[float]:
        """From the output layer to the first one: norms at once, histograms when all of them are there."""
        matrices = self._config.depth + 1
        records: list[Gradients] = []
        for layer in range(matrices, 0, -1):
            of_weights = []
            for k, network in enumerate(self._networks):
                self._delta[k], gradient = network.backward(layer, self._inputs[k][layer - 1], self._delta[k])
                self._gradient[k].insert(0, gradient)
                of_weights.append(_network_gradient(network.parameters[layer - 1][0], gradient[0]))
            with np.errstate(over="ignore"):  # edges beyond the largest float32 are infinite, as they should be
                records.insert(0, gradient_record(0, of_weights, matrices=1))
            self._unfinished.gradient_norm[:, layer - 1] = records[0].norm[:, 0]
            yield len(records) / (matrices + 1)
        self._unfinished = replace(self._unfinished, gradients=_side_by_side(records))
        yield 1.0

    def measure_jacobians(self) -> Iterator[float]:
        """Their singular values, every fourth of the chosen layers before the others."""
        layers = self._unfinished.jacobian_layers.tolist()
        pieces_done, pieces = 0, len(layers) * len(self._networks) * JACOBIAN_IMAGES
        for j in _coarse_first(len(layers)):
            for k, network in enumerate(self._networks):
                is_finite = not 0 < self._unfinished.overflow_layer[k] <= layers[j]
                values = []
                for jacobian in network.jacobians(layers[j], self._inputs[k][layers[j] - 1]):
                    values.append(_singular_values(jacobian) if is_finite else np.full(len(jacobian), np.nan))
                    pieces_done += 1
                    yield pieces_done / pieces
                self._unfinished.singular_values[k, j] = np.quantile(np.stack(values), SINGULAR_LEVELS)

    def measure_relative_losses(self) -> Iterator[float]:
        """After one step against the gradient of everything that trains, every fourth step size before the others."""
        pieces_done, pieces = 0, len(RELATIVE_STEPS) * sum(len(network.parameters) for network in self._networks)
        for a in _coarse_first(len(RELATIVE_STEPS)):
            step_size = float(RELATIVE_STEPS[a])
            for k, network in enumerate(self._networks):
                outputs = self._images
                for layer, now in enumerate(network.parameters, start=1):
                    gradient = self._gradient[k][layer - 1]
                    moved = tuple(p - step_size * g for p, g in zip(now, gradient, strict=True))
                    outputs = network.forward(layer, outputs, moved)
                    pieces_done += 1
                    yield pieces_done / pieces
                loss = float(cross_entropy(outputs, self._labels))
                self._unfinished.relative_loss[k, a] = _relative(loss, self._unfinished.loss[k])


def _nothing_yet(config: UntrainedConfig) -> Untrained:
    """The record before anything is measured."""
    k, hidden, matrices = len(TWINS), config.depth, config.depth + 1
    jacobian_layers = _jacobian_layers(hidden)
    return Untrained(
        config=config,
        done=0.0,
        overflow_layer=np.zeros(k, np.int64),
        activation_mean=np.full((k, hidden), np.nan),
        activation_std=np.full((k, hidden), np.nan),
        top_class_share=np.full((k, hidden), np.nan),
        gradient_norm=np.full((k, matrices), np.nan),
        gradients=None,
        loss=np.full(k, np.nan),
        jacobian_layers=jacobian_layers,
        singular_values=np.full((k, len(jacobian_layers), len(SINGULAR_LEVELS)), np.nan),
        relative_loss=np.full((k, len(RELATIVE_STEPS)), np.nan),
    )


def _jacobian_layers(hidden_layers: int) -> Ints:
    """Evenly sampled hidden layers from 2 on, whose Jacobian is square: [j]."""
    count = min(hidden_layers - 1, MOST_JACOBIAN_LAYERS)
    return np.linspace(2, hidden_layers, count).round().astype(np.int64)


def _coarse_first(count: int) -> list[int]:
    """0 .. count - 1: every fourth, then every second, then the others."""
    return list(dict.fromkeys(index for stride in (4, 2, 1) for index in range(0, count, stride)))


def _top_class_share(logits: Tensor) -> float:
    """Share of the images that get the most frequent answer; NaN where the logits [m, 10] overflow."""
    if not logits.isfinite().all():
        return np.nan
    return float(logits.argmax(dim=1).bincount().max()) / len(logits)


def _logit_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """dl/d(logits) of the mean cross-entropy: (softmax - one-hot) / m. [m, 10]"""
    return (logits.softmax(dim=1) - one_hot(labels, logits.shape[1])) / len(logits)


def _network_gradient(weight: Tensor, gradient: Tensor) -> NetworkGradient:
    """Of one weight matrix, as a network of a single layer."""
    if not gradient.isfinite().all():
        gradient = torch.full_like(gradient, torch.nan)
    norms = norms_of(gradient.T[None], weight.T[None]).cpu().numpy()  # [3, 1]
    return NetworkGradient([gradient.flatten().cpu().numpy()], *norms)


def _side_by_side(layers: list[Gradients]) -> Gradients:
    """One record of all weight matrices from a record of each."""
    first, *_ = layers
    joined: dict[str, Any] = {
        one.name: np.concatenate([getattr(layer, one.name) for layer in layers], axis=0 if one.name == "edges" else 1)
        for one in fields(Gradients)
        if one.name != "step"
    }
    return replace(first, **joined)


def _singular_values(jacobian: Tensor) -> Floats:
    """In descending order: [n] of [n, n], which must be finite."""
    values: Floats = torch.linalg.svdvals(jacobian).cpu().numpy()
    return values


def _relative(loss: float, before: float) -> float:
    """L(w - a g) / L(w): inf where the former overflows, NaN where the latter is no positive number."""
    if not before > 0:
        return np.nan
    return loss / before if np.isfinite(loss) else np.inf
