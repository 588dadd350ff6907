"""Gradients of deep plain and residual networks, against autograd and against the theory of Yang et al. 2019."""

from dataclasses import replace
from itertools import pairwise
from math import pi

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz.config import Connections, DepthConfig, Initialization, Nonlinearity
from bnviz.data import load
from bnviz.measure.depth import DEPTH_IMAGES, measure_depth
from bnviz.models.initialization import drawn_weights
from bnviz.records import Depth


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    mnist = load()
    images = (mnist.train_images[:DEPTH_IMAGES] > 127).float()
    return images, mnist.train_labels[:DEPTH_IMAGES]


def whole(config: DepthConfig, batch: tuple[Tensor, Tensor]) -> Depth:
    *_, last = measure_depth(config, *batch)
    return last


def growth(gradient: np.ndarray) -> float:  # type: ignore[type-arg]
    """Mean factor from a layer to the one before, without the first two and the last two. [l]"""
    inner = np.log(gradient[2:-2])
    return float(np.exp((inner[0] - inner[-1]) / (len(inner) - 1)))


@pytest.mark.parametrize("has_bn", [False, True])
@pytest.mark.parametrize("connections", list(Connections))
def test_gradients_and_outputs_are_autograds(
    batch: tuple[Tensor, Tensor], connections: Connections, has_bn: bool
) -> None:
    config = DepthConfig(depth=4, width=20, nonlinearity=Nonlinearity.TANH, seed=2)
    found = whole(config, batch)
    images, labels = batch
    layers = config.network(connections).layers
    u, outputs = images, []
    weights = list(drawn_weights(config.initialization, config.init_scale, layers, config.seed))
    for layer, weight in enumerate(weights[:-1]):
        x = u @ weight.T
        h = torch.tanh(nn.functional.batch_norm(x, None, None, training=True) if has_bn else x)
        u = (u + h if connections is Connections.RESIDUAL and layer else h).requires_grad_()
        outputs.append(u)
        u.retain_grad()
    nn.functional.cross_entropy(u @ weights[-1].T, labels, reduction="sum").backward()
    gradients = [float(one.grad.square().sum(dim=1).mean()) for one in outputs if one.grad is not None]
    c = list(Connections).index(connections)
    np.testing.assert_allclose(found.gradient[c, int(has_bn)], gradients, rtol=1e-4)
    spreads = [float(one.detach().std(correction=0)) for one in outputs]
    np.testing.assert_allclose(found.spread[c, int(has_bn)], spreads, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_with_bn_plain_relu_grows_as_theory_says_whatever_the_scale_of_the_weights(
    batch: tuple[Tensor, Tensor], scale: float
) -> None:
    found = whole(DepthConfig(depth=20, init_scale=scale), batch)
    assert growth(found.gradient[0, 1]) == pytest.approx(pi / (pi - 1), rel=0.02)


def test_without_bn_he_weights_keep_the_gradient_of_a_plain_relu_network(batch: tuple[Tensor, Tensor]) -> None:
    assert growth(whole(DepthConfig(depth=20), batch).gradient[0, 0]) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("nonlinearity", "limit"), [(Nonlinearity.TANH, 1.178), (Nonlinearity.SIGMOID, 1.034)])
def test_with_bn_tanh_and_sigmoid_grow_more_slowly(
    batch: tuple[Tensor, Tensor], nonlinearity: Nonlinearity, limit: float
) -> None:
    config = DepthConfig(depth=20, nonlinearity=nonlinearity, initialization=Initialization.GLOROT)
    assert growth(whole(config, batch).gradient[0, 1]) == pytest.approx(limit, abs=0.03)


def test_residual_connections_take_most_of_bns_growth_away(batch: tuple[Tensor, Tensor]) -> None:
    found = whole(DepthConfig(depth=50, width=100), batch)
    plain, residual = (float(found.gradient[c, 1, 0] / found.gradient[c, 1, -1]) for c in range(2))
    assert plain > 1e6
    assert residual < 1e3


def test_without_bn_a_residual_network_of_he_weights_explodes(batch: tuple[Tensor, Tensor]) -> None:
    found = whole(DepthConfig(depth=20), batch)
    assert growth(found.gradient[1, 0]) > 1.8
    assert found.spread[1, 0, -1] > 100 * found.spread[1, 1, -1]


def test_items_fill_in_more_and_more_and_none_changes_later(batch: tuple[Tensor, Tensor]) -> None:
    items = list(measure_depth(DepthConfig(depth=3, width=10), *batch))
    shares = [one.done for one in items]
    assert all(a < b for a, b in pairwise(shares))
    assert shares[-1] == 1
    known = [int(np.isfinite(one.gradient).sum()) for one in items]
    assert known == sorted(known)
    assert known[0] == 0
    assert known[-1] == items[-1].gradient.size


def test_what_overflows_is_missing_and_nothing_else(batch: tuple[Tensor, Tensor]) -> None:
    found = whole(DepthConfig(depth=100, width=32, init_scale=10.0), batch)
    assert np.isnan(found.spread[0, 0]).any()
    assert np.isfinite(found.spread[:, 1]).all()


def test_lsuvs_weights_are_those_that_a_plain_network_without_bn_measures(batch: tuple[Tensor, Tensor]) -> None:
    config = DepthConfig(depth=10, initialization=Initialization.LSUV, nonlinearity=Nonlinearity.TANH)
    found = whole(config, batch)
    assert np.isfinite(found.gradient).all()
    orthogonal = whole(replace(config, initialization=Initialization.ORTHOGONAL), batch)
    spread, before = found.spread[0, 0], orthogonal.spread[0, 0]
    assert spread.std() < 0.02  # the same in every layer: inputs of variance one through the same tanh
    assert before[-1] < 0.9 * spread[-1]
