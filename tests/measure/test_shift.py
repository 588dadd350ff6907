"""Internal covariate shift, Definition 2.1, against copies of the networks updated and differentiated one by one."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bnviz import data
from bnviz.config import BnPlacement, Initialization, Nonlinearity, Optimizer, Settings
from bnviz.data import Batches
from bnviz.models import initial_weights
from bnviz.records import Shift
from bnviz.training import Trainer, shift_interval
from tests.models import reference

torch.set_num_threads(1)
SMALL = Settings().replace(width=30, hidden_layers=3, learning_rate=1.0)


@pytest.fixture(scope="module")
def mnist():
    return data.load()


def shifts(settings: Settings, steps: list[int], mnist) -> list[Shift]:
    trainer, found = Trainer(settings, mnist), []
    for step in range(steps[-1] + 1):
        if step in steps:
            found.append(trainer.shift())
        trainer.step(settings.hyper)
    return found


def reference_shift(net: nn.Sequential, rule: torch.optim.Optimizer, images, labels) -> np.ndarray:
    """[3, w]: copy, differentiate, update with PyTorch's optimizer, differentiate once more for every layer."""
    before = copy.deepcopy(net)
    reference.step(net, rule, images, labels)
    after, columns = net, []
    weighted = [i for i, module in enumerate(before) if isinstance(module, reference.WEIGHTED)]
    for index in weighted:
        old = weight_gradient(before, index, images, labels)
        mixed = nn.Sequential(*[copy.deepcopy((after if i < index else before)[i]) for i in range(len(before))])
        new = weight_gradient(mixed, index, images, labels)
        change, cosine = (old - new).norm(), torch.cosine_similarity(old.flatten(), new.flatten(), dim=0)
        columns.append([change.item(), (change / old.norm()).item(), cosine.item()])
    return np.array(columns).T


def weight_gradient(net: nn.Sequential, index: int, images, labels) -> torch.Tensor:
    net.zero_grad()
    nn.functional.cross_entropy(net(images), labels).backward()
    return net[index].weight.grad.clone()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"momentum": 0.9, "learning_rate": 0.2, "weight_decay": 1e-3},
        {"optimizer": Optimizer.ADAM, "momentum": 0.9, "learning_rate": 0.01},
        {"bn_placement": BnPlacement.AFTER},
        {"nonlinearity": Nonlinearity.RELU, "initialization": Initialization.HE, "learning_rate": 0.1},
        {"architecture": "convolutional", "hidden_layers": 2, "width": 10, "networks": ["none", "batch", "layer"]},
    ],
    ids=["sgd", "momentum", "adam", "after", "relu", "convolutional"],
)
def test_it_is_the_change_by_the_actual_update_of_the_layers_below(mnist, changes) -> None:
    settings = SMALL.replace(**changes)
    trainer, batches = Trainer(settings, mnist), Batches(settings.model.seed)
    images, _ = mnist.inputs(settings.model.input_form, torch.device("cpu"))
    labels, _ = mnist.labels(torch.device("cpu"))
    weights = initial_weights(settings.model)
    nets = [reference.network(settings.model, c.normalization, weights, torch.float32) for c in trainer.competitors]
    rules = [reference.optimizer(net, settings.model.optimizer, settings.hyper) for net in nets]
    for step in range(6):
        found = trainer.shift() if step in (0, 5) else None
        index = batches.take(settings.hyper.batch_size)
        expected = [
            reference_shift(net, rule, images[index], labels[index]) for net, rule in zip(nets, rules, strict=True)
        ]
        if found is not None:
            for k, one in enumerate(expected):
                np.testing.assert_allclose(found.change[k], one[0], rtol=0.02, atol=2e-5)
                np.testing.assert_allclose(found.relative[k], one[1], rtol=0.02, atol=2e-4)
                np.testing.assert_allclose(found.cosine[k], one[2], atol=2e-4)
        trainer.step(settings.hyper)


def test_nothing_lies_below_the_first_layer(mnist) -> None:
    (found,) = shifts(SMALL, [3], mnist)
    assert not found.change[:, 0].any()
    assert not found.relative[:, 0].any()
    assert (found.cosine[:, 0] == 1).all()


def test_without_a_step_there_is_no_shift(mnist) -> None:
    """A small learning rate changes hardly anything, in proportion to itself."""
    small, smaller = (shifts(SMALL.replace(learning_rate=rate), [0], mnist)[0] for rate in (0.01, 0.002))
    ratio = small.relative[:, 1:] / smaller.relative[:, 1:]
    np.testing.assert_allclose(ratio[1], 5, rtol=0.2)
    assert (smaller.cosine > 0.999).all()


def test_with_bn_it_is_larger_in_the_sigmoid_network_from_glorot_weights(mnist) -> None:
    """SCIENCE, section 2: cosine 1.00/1.00/0.99 without BN, .90/.88/.99 with it; L2 a hundred times larger."""
    settings = Settings().replace(initialization=Initialization.GLOROT, init_scale=1.0)
    found = shifts(settings, list(range(5)), mnist)
    cosine = np.mean([one.cosine for one in found], axis=0)
    change = np.mean([one.change for one in found], axis=0)
    assert (cosine[0, 1:] > 0.97).all()
    assert (cosine[1, 1:3] < 0.96).all()
    assert change[1, 1] > 20 * change[0, 1]
    assert change[1, 3] < change[0, 3]  # and smaller in the output layer


def test_with_bn_it_is_smaller_in_the_relu_network_after_some_steps(mnist) -> None:
    """SCIENCE, section 2: cosine .66/.44/.14 without BN, .85/.87/.94 with it, over the steps 20 to 100."""
    settings = Settings().replace(
        nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0, learning_rate=0.1
    )
    cosine = np.mean([one.cosine for one in shifts(settings, list(range(20, 101, 4)), mnist)], axis=0)
    assert (cosine[1, 1:] > cosine[0, 1:] + 0.1).all()
    assert cosine[0, 3] < 0.5 < 0.8 < cosine[1, 3]


def test_at_a_smaller_learning_rate_layer_2_says_the_opposite(mnist) -> None:
    """SCIENCE, section 2: at .03 the sign flips in layer 2 and not in the others."""
    settings = Settings().replace(
        nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0, learning_rate=0.03
    )
    cosine = np.mean([one.cosine for one in shifts(settings, list(range(20, 101, 4)), mnist)], axis=0)
    assert cosine[1, 1] < cosine[0, 1]
    assert cosine[1, 3] > cosine[0, 3]


def test_a_competitor_that_has_diverged_has_nan_and_the_others_are_measured(mnist) -> None:
    settings = Settings().replace(
        nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0, learning_rate=10.0
    )
    trainer = Trainer(settings, mnist)
    while trainer.health[0].condition != "diverged":
        trainer.step(settings.hyper)
    found = trainer.shift()
    assert np.isnan(found.cosine[0]).all()
    assert np.isfinite(found.cosine[1]).all()


def test_deeper_networks_are_measured_less_often() -> None:
    assert [shift_interval(matrices) for matrices in (2, 4, 6, 7, 21)] == [25, 25, 25, 50, 100]
