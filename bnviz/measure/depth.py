"""How gradients grow with depth: plain and residual networks, without BN and with it, before any training.

Networks as in `untrained`; shapes as in `records.depth`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bnviz.config import TWINS, Connections, DepthConfig
from bnviz.measure.untrained_network import UntrainedNetwork
from bnviz.models.initialization import drawn_weights
from bnviz.models.lsuv import LSUV_IMAGES, fully_connected
from bnviz.records import Depth

DEPTH_IMAGES: Final = 256  # as in Yang et al. 2019 large enough for its limit


def measure_depth(config: DepthConfig, images: Tensor, labels: Tensor) -> Iterator[Depth]:
    """The record again and again, with more of it filled in each time; the last one is whole.

    Args:
        config: the networks.
        images: [m, 784] float32, on the device where the measuring is to be done.
        labels: [m] int64.
    """
    shape = (len(Connections), len(TWINS), config.depth)
    found = Depth(config, 0.0, np.full(shape, np.nan), np.full(shape, np.nan))
    turns = [(c, k) for c in range(len(Connections)) for k in range(len(TWINS))]
    for turn, (c, k) in enumerate(turns):
        network = UntrainedNetwork(config.network(list(Connections)[c]), TWINS[k].normalization)
        passes = _forward_and_backward(network, config, images, labels, found.spread[c, k], found.gradient[c, k])
        for share in passes:
            done = (turn + share) / len(turns)
            if done < 1:
                yield replace(found, done=done, gradient=found.gradient.copy(), spread=found.spread.copy())
    yield replace(found, done=1.0)


def _forward_and_backward(
    network: UntrainedNetwork,
    config: DepthConfig,
    images: Tensor,
    labels: Tensor,
    spread: np.ndarray[tuple[int], np.dtype[np.float64]],
    gradient: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Iterator[float]:
    """Fill in `spread` and `gradient`, [l] each, layer by layer; yields the share that is done."""
    layers = config.depth + 1
    # LSUV's as a plain network without BN measures them, so that all four start from the same weights.
    weights = drawn_weights(
        config.initialization,
        config.init_scale,
        config.network(Connections.PLAIN).layers,
        config.seed,
        images[:LSUV_IMAGES],
        fully_connected(config.nonlinearity),
    )
    inputs = [images]
    for layer, weight in enumerate(weights, start=1):
        network.add_layer(weight.to(images))
        inputs.append(network.forward(layer, inputs[-1], network.parameters[-1]))
        if layer < layers:
            spread[layer - 1] = _or_nan(inputs[-1].double().std(correction=0))
        yield layer / (2 * layers)
    delta = inputs.pop().softmax(dim=1) - one_hot(labels, 10)  # of each image's own loss, not of their mean
    for layer in range(layers, 1, -1):
        delta, _ = network.backward(layer, inputs[layer - 1], delta)
        gradient[layer - 2] = _or_nan(delta.double().square().sum(dim=1).mean())
        yield 1 - (layer - 1) / (2 * layers)
    yield 1.0


def _or_nan(value: Tensor) -> float:
    return float(value) if bool(torch.isfinite(value)) else float("nan")
