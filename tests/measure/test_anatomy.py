"""The walk and all that follows it, against autograd, `nn.BatchNorm1d` and what is known without either."""

import dataclasses
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz import data
from bnviz.config import BN, PLAIN, AnatomyConfig, BnPlacement, Nonlinearity, Settings
from bnviz.measure import anatomy as module
from bnviz.measure.accuracy import TestAccuracy
from bnviz.measure.anatomy import anatomy, naive_rate
from bnviz.models import Stack
from bnviz.records import (
    COMPARED,
    GRADIENTS,
    MODES,
    NAIVE_STEPS,
    QUANTILE_LEVELS,
    SCALES,
    STAGES,
    STREAM_BATCHES,
    Anatomy,
    kept_units,
)
from bnviz.training import Trainer
from tests.measure.networks_with_bn import images_and_labels, pytorchs, stack_with_bn
from tests.models import reference

torch.set_num_threads(1)
EPS = 1e-5
EXACT = {"rtol": 0, "atol": 1e-10}
TRAINING_IMAGES, TEST_IMAGES = 700, 2500  # blocks of ten, thousand by thousand, and a remainder
SMALL = Settings().replace(width=12, hidden_layers=2, learning_rate=0.3)
SEVERAL = (Nonlinearity.SIGMOID, Nonlinearity.RELU, Nonlinearity.GELU)


@pytest.fixture(scope="module")
def mnist():
    return data.load()


@lru_cache
def sets(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return *images_and_labels(TRAINING_IMAGES, 1, dtype), *images_and_labels(TEST_IMAGES, 2, dtype)


def begun(stack: Stack, dtype: torch.dtype = torch.float64, **config):
    return anatomy(AnatomyConfig(**config), stack, "bn", 5, *sets(dtype))


def walk(stack: Stack, dtype: torch.dtype = torch.float64, **config) -> Anatomy:
    return next(begun(stack, dtype, **config))


@lru_cache
def _whole(changes: tuple, config: tuple) -> Anatomy:
    *_, last = begun(stack_with_bn(**dict(changes)), **dict(config))
    return last


def whole(layer: int = 2, images: int = 10, batch: int = 3, momentum: float = 0.2, **changes) -> Anatomy:
    """The last item, made once for all tests that look at it."""
    config = {"layer": layer, "images": images, "batch": batch, "momentum": momentum}
    return _whole(tuple(changes.items()), tuple(config.items()))


def block(number: int, images: int = 10) -> tuple[Tensor, Tensor]:
    """Images and labels of a mini-batch, by hand."""
    rows = slice(number * images, (number + 1) * images)
    return sets()[0][rows], sets()[1][rows]


def modules_of(net: nn.Sequential, stack: Stack, layer: int) -> dict[str, int]:
    """Where in the network a hidden layer's linear map, BN and nonlinearity stand, and what it ends with."""
    first = 3 * (layer - 1)
    bn, g = (1, 2) if stack.model.bn_placement is BnPlacement.BEFORE else (2, 1)
    return {"linear": first, "bn": first + bn, "g": first + g, "last": first + 2}


class WrittenOutBn(nn.Module):
    """BN as one writes it down, its values kept for autograd to put gradients to; the terms of SCIENCE 1.1."""

    def __init__(self, bn: nn.BatchNorm1d) -> None:
        super().__init__()
        self.gamma, self.beta = bn.weight, bn.bias

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.mean = x.mean(0)
        self.variance = ((x - self.mean) ** 2).mean(0)
        self.normalized = (x - self.mean) / (self.variance + EPS).sqrt()
        self.y = self.gamma * self.normalized + self.beta
        for one in (self.x, self.mean, self.variance, self.normalized, self.y):
            one.retain_grad()
        return self.y


# --- the walk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", Nonlinearity)
def test_every_stage_and_every_gradient_is_that_of_pytorchs_network_and_autograd(nonlinearity, placement, layer):
    stack = stack_with_bn(nonlinearity=nonlinearity, bn_placement=placement)
    record, net = walk(stack, layer=layer, images=10, batch=3), pytorchs(stack)
    at = modules_of(net, stack, layer)
    seen: dict[str, Tensor] = {}
    for name, place in at.items():
        net[place].register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out))
    images, labels = block(3)
    written = WrittenOutBn(net[at["bn"]])
    loss = nn.functional.cross_entropy(net(images), labels)
    expected_bn = seen["bn"].detach()
    seen["last"].retain_grad()
    loss.backward()
    d_output = seen["last"].grad
    by_bn1d = (net[at["bn"]].weight.grad.clone(), net[at["bn"]].bias.grad.clone())
    net.zero_grad()
    net[at["bn"]] = written
    nn.functional.cross_entropy(net(images), labels).backward()

    stages = (seen["linear"], written.x, written.x - written.mean, written.normalized, expected_bn, seen["last"])
    for name, ours, expected in zip(STAGES, record.values, stages, strict=True):
        np.testing.assert_allclose(ours, expected.detach().numpy(), **EXACT, err_msg=name)
    gradients = (d_output, written.y.grad, written.normalized.grad, written.x.grad)
    for name, ours, expected in zip(GRADIENTS, record.gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, expected.numpy(), **EXACT, err_msg=name)
    pairs = {
        "mean": written.mean.detach(),
        "variance": written.variance.detach(),
        "d_mean": written.mean.grad,
        "d_variance": written.variance.grad,
        "d_gamma": by_bn1d[0],
        "d_beta": by_bn1d[1],
        "gamma": written.gamma.detach(),
        "beta": written.beta.detach(),
    }
    for name, expected in pairs.items():
        np.testing.assert_allclose(getattr(record, name), expected.numpy(), **EXACT, err_msg=name)
    assert np.abs(record.gradients[3]).max() > 1e-4
    np.testing.assert_array_equal(record.labels, labels.numpy())


@pytest.mark.parametrize("placement", BnPlacement)
def test_what_comes_back_has_no_mean_and_nothing_along_the_normalized_values_but_for_eps(placement):
    record = walk(stack_with_bn(bn_placement=placement), images=10)
    normalized, (_, _, d_normalized, d_x) = record.values[3], record.gradients
    np.testing.assert_allclose(d_x.sum(0), 0, atol=1e-15)
    along = (d_normalized * normalized).sum(0) / np.sqrt(record.variance + EPS)
    np.testing.assert_allclose((d_x * normalized).sum(0), along * EPS / (record.variance + EPS), atol=1e-14)
    assert np.abs(along).max() > 1e-3  # what is left of it is not small by chance


def test_of_two_images_only_the_sign_of_their_difference_is_left():
    record = walk(stack_with_bn(), images=2)
    difference = record.values[1, 0] - record.values[1, 1]
    expected = np.sign(difference) / np.sqrt(1 + 4 * EPS / difference**2)
    np.testing.assert_allclose(record.values[3], [expected, -expected], **EXACT)
    assert record.m == 2


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", SEVERAL)
def test_our_own_passes_and_running_statistics_are_pytorchs(nonlinearity, placement):
    record = walk(stack_with_bn(nonlinearity=nonlinearity, bn_placement=placement), images=10)
    assert record.differences.shape == (len(COMPARED),)
    assert (record.differences < 1e-12).all(), dict(zip(COMPARED, record.differences, strict=True))


@pytest.mark.parametrize("placement", BnPlacement)
def test_were_our_passes_wrong_the_differences_would_say_by_how_much(monkeypatch, placement):
    """One hundredth too much of each; and what takes no part in that stays as it was."""
    forward, backward, update = Stack.forward, Stack.backward, Stack.update_running

    def wrong_forward(stack, batch):
        forward(stack, batch)
        for hidden in batch.hidden:
            (hidden.z if stack.model.bn_placement is BnPlacement.BEFORE else hidden.u).mul_(1.01)

    def wrong_backward(stack, batch, sink):
        backward(stack, batch, sink)
        batch.deltas[1].mul_(1.01)
        sink.gradient.flat.mul_(1.01)

    def wrong_update(stack, batch, momentum):
        update(stack, batch, momentum)
        stack.running.mul_(1.01)

    for wrong, name, wanted in (
        (wrong_forward, "forward", ["y"]),
        (wrong_backward, "backward", ["d_x", "d_gamma", "d_beta"]),
        (wrong_update, "update_running", ["running mean", "running variance"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Stack, name, wrong)
            found = dict(zip(COMPARED, walk(stack_with_bn(bn_placement=placement), layer=2).differences, strict=True))
        for one in wanted:
            assert found[one] == pytest.approx(0.01, rel=1e-6), (name, one)
        if wrong is wrong_update:
            assert max(found[one] for one in COMPARED[:4]) < 1e-12


@pytest.mark.parametrize("width", [12, 100])
def test_the_quantiles_are_over_all_units_and_what_is_shown_of_each_is_of_those_kept(width):
    stack = stack_with_bn(width=width)
    record = walk(stack, layer=2, images=10, batch=3)
    net, kept = pytorchs(stack), kept_units(1, width)[0]
    x = net[:4](block(3)[0]).detach().numpy()
    np.testing.assert_allclose(record.layer_values[1], np.quantile(x, QUANTILE_LEVELS), **EXACT)
    np.testing.assert_array_equal(record.units, kept)
    np.testing.assert_allclose(record.values[1], x[:, kept], **EXACT)
    assert record.layer_gradients.shape == (len(GRADIENTS), len(QUANTILE_LEVELS))


def test_a_layer_beyond_the_last_is_the_last():
    last = walk(stack_with_bn(), layer=3)
    beyond = walk(stack_with_bn(), layer=20)
    assert (beyond.layer, beyond.config.layer) == (3, 20)
    np.testing.assert_array_equal(beyond.values, last.values)


def test_after_the_last_whole_mini_batch_comes_the_first_again():
    last, first = (walk(stack_with_bn(), images=60, batch=number) for number in (10, 11))
    np.testing.assert_array_equal(last.labels, sets()[1][600:660].numpy())
    np.testing.assert_array_equal(first.labels, sets()[1][:60].numpy())


def test_in_single_precision_it_is_the_same():
    single = walk(stack_with_bn(torch.float32), torch.float32, images=60)
    double = walk(stack_with_bn(), images=60)
    np.testing.assert_allclose(single.values, double.values, atol=1e-4)
    np.testing.assert_allclose(single.gradients, double.gradients, atol=1e-6)
    assert (single.differences < 1e-5).all()


# --- scale invariance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", SEVERAL)
def test_at_every_scale_loss_outputs_and_gradient_are_those_of_pytorchs_network(nonlinearity, placement):
    changes = {"nonlinearity": nonlinearity, "bn_placement": placement}
    record, stack = whole(**changes), stack_with_bn(**changes)
    images, labels = block(3)
    for mode, training in enumerate((True, False)):

        def at(scale, training=training):
            net = pytorchs(stack).train(training)
            linear = reference.of_kind(net, nn.Linear)[1]
            with torch.no_grad():
                linear.weight.mul_(scale)
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            outputs = pytorchs_outputs(stack, scale, training)
            return loss.item(), outputs, float(linear.weight.grad.norm())

        _, unscaled, norm = at(1.0)
        spread = float(unscaled.var(0, correction=0).mean().sqrt())
        for number in (0, 7, 10, 20):
            loss, outputs, gradient = at(SCALES[number])
            assert record.scale_loss[mode, number] == pytest.approx(loss, rel=1e-10)
            assert record.scale_gradient[mode, number] == pytest.approx(gradient / norm, rel=1e-9)
            change = float((outputs - unscaled).square().mean().sqrt()) / spread
            assert record.scale_output[mode, number] == pytest.approx(change, rel=1e-6, abs=1e-12)


def pytorchs_outputs(stack: Stack, scale: float, training: bool) -> Tensor:
    """Of the second hidden layer, its weights times `scale`."""
    net = pytorchs(stack).train(training)
    with torch.no_grad():
        net[3].weight.mul_(scale)
        return net[:6](block(3)[0])


def test_with_the_batchs_statistics_a_scale_changes_nothing_but_for_eps_and_the_gradient_is_one_over_it():
    """SCIENCE 1.3: y changes by about ½ eps |1/a² - 1| |xh| / Var, at most by that; without g it is the output."""
    record = whole(nonlinearity=Nonlinearity.IDENTITY)
    bounds = EPS / 2 * np.abs(1 / SCALES**2 - 1) / record.variance.min()
    assert (record.scale_output[0] <= bounds + 1e-12).all()
    # Exactly, unit by unit: xh is multiplied by sqrt((Var + eps) / (Var + eps / a²)).
    factor = np.sqrt((record.variance + EPS) / (record.variance + EPS / SCALES[:, None] ** 2)) - 1  # [a, u]
    change = np.sqrt(((record.gamma * record.values[3]) ** 2 * factor[:, None] ** 2).mean((1, 2)))
    std = np.sqrt(record.values[5].var(axis=0).mean())
    np.testing.assert_allclose(record.scale_output[0], change / std, rtol=1e-6, atol=1e-12)
    assert (np.abs(record.scale_gradient[0] * SCALES - 1) <= 5 * bounds + 1e-12).all()
    assert np.ptp(record.scale_loss[0]) < 1e-3
    assert record.scale_output[0, 0] > 0


def test_with_running_statistics_a_scale_changes_outputs_loss_and_gradient():
    record = whole()
    assert record.scale_output[1, [0, -1]].min() > 0.5
    assert np.ptp(record.scale_loss[1]) > 100 * np.ptp(record.scale_loss[0])
    assert np.abs(record.scale_gradient[1] * SCALES - 1).max() > 0.5


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_behind_the_nonlinearity_the_invariance_holds_for_one_that_is_homogeneous_alone(layer):
    def change(nonlinearity) -> float:
        stack = stack_with_bn(nonlinearity=nonlinearity, bn_placement=BnPlacement.AFTER)
        for bias in stack.parameters.biases[:-1]:
            bias.zero_()
        *_, record = begun(stack, layer=layer, images=60)
        return record.scale_output[0].max()

    assert change(Nonlinearity.RELU) < 0.05
    assert change(Nonlinearity.SIGMOID) > 0.1
    assert change(Nonlinearity.GELU) > 0.1


# --- a bias trained with half a gradient ------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", SEVERAL)
def test_with_half_a_gradient_b_grows_by_the_same_at_every_step_and_the_loss_stays(nonlinearity, placement):
    """b_k = -rate k g with g = sum_i dl/dxh_i / sqrt(var + eps), which the walk has by another way."""
    record = whole(nonlinearity=nonlinearity, bn_placement=placement)
    g = record.gradients[2].sum(0) / np.sqrt(record.variance + EPS)
    steps = np.arange(NAIVE_STEPS + 1)[:, None]
    np.testing.assert_allclose(record.naive_bias[0], -record.naive_rate * steps * g, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(record.naive_loss[0], record.naive_loss[0, 0], rtol=1e-12)
    loss = nn.functional.cross_entropy(pytorchs(stack_of(nonlinearity, placement))(block(3)[0]), block(3)[1])
    assert record.naive_loss[0, 0] == pytest.approx(loss.item(), rel=1e-12)
    moved = np.abs(record.naive_bias[0, -1]) / np.sqrt(record.variance + EPS)
    assert moved[record.variance >= np.median(record.variance) / 10].max() == pytest.approx(3.0)


def stack_of(nonlinearity, placement) -> Stack:
    return stack_with_bn(nonlinearity=nonlinearity, bn_placement=placement)


@pytest.mark.parametrize("placement", BnPlacement)
def test_with_the_whole_gradient_b_stays_where_it_is(placement):
    record = whole(bn_placement=placement)
    assert np.abs(record.naive_bias[1]).max() < 1e-10
    np.testing.assert_allclose(record.naive_loss[1], record.naive_loss[0, 0], rtol=1e-12)


def test_a_unit_that_is_all_but_constant_does_not_set_the_rate():
    gradient, variance = np.array([1.0, -2.0, 500.0]), np.array([1.0, 1.0, 1e-9])
    assert naive_rate(gradient, variance) == pytest.approx(3 / (NAIVE_STEPS * 2 / np.sqrt(1 + EPS)))
    assert naive_rate(np.zeros(3), variance) == 1.0


# --- mini-batches to come, and the population -------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [None, 1])
@pytest.mark.parametrize("placement", BnPlacement)
def test_statistics_of_the_next_batches_and_their_running_averages_are_batch_norm_1ds(monkeypatch, placement, at_once):
    """`nn.BatchNorm1d` with momentum 1 keeps the last batch's, the variance with m/(m - 1)."""
    if at_once:
        monkeypatch.setattr(module, "_ITEM_WORK", at_once)
    stack = stack_with_bn(bn_placement=placement)
    *_, record = begun(stack, layer=2, images=10, batch=3, momentum=0.2)
    latest, averaged = pytorchs(stack), pytorchs(stack)
    for net, momentum in ((latest, 1.0), (averaged, 0.2)):
        for bn in reference.of_kind(net, nn.BatchNorm1d):
            bn.reset_running_stats()
            bn.momentum = momentum
    np.testing.assert_array_equal([record.running_mean[0], record.running_variance[0]], [[0] * 12, [1] * 12])
    for number in range(STREAM_BATCHES):
        images = block((3 + 1 + number) % (TRAINING_IMAGES // 10))[0]
        for net in (latest, averaged):
            net(images)
        now, average = (reference.of_kind(net, nn.BatchNorm1d)[1] for net in (latest, averaged))
        np.testing.assert_allclose(record.stream_mean[number], now.running_mean, **EXACT)
        np.testing.assert_allclose(record.stream_variance[number] * 10 / 9, now.running_var, **EXACT)
        np.testing.assert_allclose(record.running_mean[number + 1], average.running_mean, **EXACT)
        np.testing.assert_allclose(record.running_variance[number + 1], average.running_var, **EXACT)


def test_of_ten_images_at_momentum_1_the_running_variance_is_ten_ninths_of_the_batchs():
    record = whole(momentum=1)
    np.testing.assert_allclose(record.running_variance[1:] / record.stream_variance, 10 / 9, rtol=1e-12)


@pytest.mark.parametrize("images", [2, 10])
def test_the_mean_biased_variance_is_too_small_by_m_minus_one_over_m(images):
    """In the first layer, whose inputs are the images themselves whatever the statistics."""
    record = whole(layer=1, images=images, batch=0, momentum=0.1)
    ratio = (record.stream_variance.mean(0) / record.population_variance).mean()
    assert ratio == pytest.approx((images - 1) / images, rel=0.06 if images == 2 else 0.03)


@pytest.mark.parametrize("work", [None, 1])
@pytest.mark.parametrize("placement", BnPlacement)
def test_the_population_is_all_images_at_once_each_layer_on_top_of_the_one_before(monkeypatch, placement, work):
    if work:
        monkeypatch.setattr(module, "_ITEM_WORK", work)  # a hundred images at a time
    stack = stack_with_bn(bn_placement=placement)
    *_, record = begun(stack, layer=3, images=60)
    net = with_population(pytorchs(stack))
    bn = reference.of_kind(net, nn.BatchNorm1d)[2]
    np.testing.assert_allclose(record.population_mean, bn.running_mean, **EXACT)
    np.testing.assert_allclose(record.population_variance, bn.running_var, **EXACT)
    assert record.population_images == TRAINING_IMAGES


def with_population(net: nn.Sequential) -> nn.Sequential:
    """In evaluation mode with statistics over the whole training set, from the first layer upwards."""
    net.eval()
    with torch.no_grad():
        for place, one in enumerate(net):
            if isinstance(one, nn.BatchNorm1d):
                x = net[:place](sets()[0])
                one.running_mean.copy_(x.mean(0))
                one.running_var.copy_(x.var(0, correction=0))
    return net


def test_no_more_than_ten_thousand_images_make_the_population(monkeypatch):
    monkeypatch.setattr(module, "POPULATION_IMAGES", 200)
    *_, record = begun(stack_with_bn(), layer=1, images=60)
    assert record.population_images == 200
    x = sets()[0][:200] @ stack_with_bn().named(0)["weight.1"]
    np.testing.assert_allclose(record.population_mean, x.mean(0), **EXACT)


@pytest.mark.parametrize("work", [None, 1])
@pytest.mark.parametrize("placement", BnPlacement)
def test_the_three_accuracies_are_the_stacks_own_and_pytorchs_with_the_populations(monkeypatch, placement, work):
    if work:
        monkeypatch.setattr(module, "_ITEM_WORK", work)  # a hundred images at a time, but for the batches' statistics
    stack, (images, labels, test_images, _) = stack_with_bn(bn_placement=placement), sets()
    # Labels that the network with running statistics gets right, but for one image in five.
    right = pytorchs(stack).eval()(test_images).argmax(1)
    test_labels = torch.where(torch.arange(TEST_IMAGES) % 5 == 0, (right + 1) % 10, right)
    *_, record = anatomy(AnatomyConfig(), stack, "bn", 0, images, labels, test_images, test_labels)
    measure = TestAccuracy(stack.model, test_images, test_labels)
    answers = with_population(pytorchs(stack))(test_images).argmax(1)
    population = (answers == test_labels).double().mean().item()
    assert record.accuracy[0] == pytest.approx(measure.measure_with_batch_statistics(stack)[0], abs=1e-6)
    assert record.accuracy[1] == pytest.approx(measure.measure(stack)[0], abs=1e-6)
    assert record.accuracy[1] == pytest.approx(0.8)
    assert record.accuracy[2] == pytest.approx(population, abs=1e-6)
    assert len(set(record.accuracy)) == 3


# --- folding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", SEVERAL)
def test_folded_is_unfolded_and_the_layer_one_affine_map(nonlinearity, placement):
    record, stack = whole(nonlinearity=nonlinearity, bn_placement=placement), stack_of(nonlinearity, placement)
    assert record.folded_difference < 1e-12
    bn = reference.of_kind(pytorchs(stack), nn.BatchNorm1d)[1].eval()
    x = record.values[1]
    expected = bn(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(record.folded_scale * x + record.folded_shift, expected, **EXACT)


def test_were_nothing_folded_the_difference_would_say_so(monkeypatch):
    monkeypatch.setattr(Stack, "folded", lambda stack: stack.parameters)
    *_, record = begun(stack_with_bn(), images=10)
    assert record.folded_difference > 0.01


# --- item by item -----------------------------------------------------------------------------------------------------

LATER = (
    "scale_loss",
    "scale_output",
    "scale_gradient",
    "naive_rate",
    "naive_bias",
    "naive_loss",
    "stream_mean",
    "stream_variance",
    "running_mean",
    "running_variance",
    "folded_difference",
    "folded_scale",
    "folded_shift",
    "population_mean",
    "population_variance",
    "accuracy",
)  # in the order in which they come


def test_the_first_item_is_the_whole_walk_and_the_others_add_to_it_in_order():
    items = list(begun(stack_with_bn(), images=10))
    done = [one.done for one in items]
    assert done == sorted(done)
    assert (done[0], done[-1], sum(one == 1 for one in done)) == (0.0, 1.0, 1)
    first, last = items[0], items[-1]
    assert all(np.isnan(_floats(first, name)).sum() >= _floats(first, name).size - 2 * 12 for name in LATER)
    assert first.population_images == 0
    for name in [one.name for one in dataclasses.fields(Anatomy)]:
        value = getattr(last, name)
        if isinstance(value, np.ndarray):
            assert all(getattr(one, name).shape == value.shape for one in items), name
            assert np.isfinite(value).all(), name
    whole_at = [next(place for place, one in enumerate(items) if is_whole(one, name)) for name in LATER]
    assert whole_at == sorted(whole_at)
    for before, after in pairwise(items):  # what is there stays
        for name in LATER:
            known = ~np.isnan(_floats(before, name))
            np.testing.assert_array_equal(_floats(before, name)[known], _floats(after, name)[known], name)


def test_an_item_that_was_handed_out_does_not_change_any_more():
    items, seen = [], []
    for one in begun(stack_with_bn(), images=10):
        items.append(one)
        seen.append({name: np.array(_floats(one, name)) for name in LATER})
    for one, then in zip(items, seen, strict=True):
        for name in LATER:
            np.testing.assert_array_equal(_floats(one, name), then[name], name)


def _floats(record: Anatomy, name: str):
    return np.asarray(getattr(record, name), float)


def is_whole(record: Anatomy, name: str) -> bool:
    return not np.isnan(_floats(record, name)).any()


def test_the_shapes_are_the_records():
    record = walk(stack_with_bn(width=100), images=10)
    b, u, t = 10, 64, STREAM_BATCHES
    shapes = {
        "values": (len(STAGES), b, u),
        "gradients": (len(GRADIENTS), b, u),
        "layer_values": (len(STAGES), len(QUANTILE_LEVELS)),
        "scale_loss": (len(MODES), len(SCALES)),
        "naive_bias": (2, NAIVE_STEPS + 1, u),
        "naive_loss": (2, NAIVE_STEPS + 1),
        "stream_mean": (t, u),
        "running_variance": (t + 1, u),
        "population_mean": (u,),
        "accuracy": (3,),
        "folded_scale": (u,),
    }
    for name, shape in shapes.items():
        assert getattr(record, name).shape == shape, name


def test_it_leaves_the_stack_alone_bit_for_bit():
    stack = stack_with_bn(nonlinearity=Nonlinearity.RELU)
    parameters, running = stack.parameters.flat.clone(), stack.running.clone()
    for _ in begun(stack, images=10):
        assert torch.equal(stack.parameters.flat, parameters)
        assert torch.equal(stack.running, running)


def test_it_can_be_taken_where_tensors_have_no_derivatives():
    expected = whole()
    config = {"layer": 2, "images": 10, "batch": 3, "momentum": 0.2}
    with torch.inference_mode():
        *_, record = anatomy(AnatomyConfig(**config), stack_with_bn(), "bn", 5, *(one.clone() for one in sets()))
    np.testing.assert_array_equal(record.naive_bias, expected.naive_bias)
    np.testing.assert_array_equal(record.accuracy, expected.accuracy)


def test_weights_that_overflow_are_a_problem_with_a_remedy():
    stack = stack_with_bn(torch.float32)
    stack.parameters.weights[1].mul_(1e30)
    (record,) = begun(stack, torch.float32, images=10, layer=2)
    assert record.done == 1
    assert "no longer finite" in record.problem
    assert "Lower the learning rate" in record.problem


# --- in training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, {"bn_placement": "after", "nonlinearity": "relu"}, {"networks": ("none", "batch", "noisy_batch", "noise")}],
)
def test_looking_on_between_steps_never_changes_training(mnist, changes):
    settings = SMALL.replace(**changes)
    watched, blind = Trainer(settings, mnist), Trainer(settings, mnist)
    items = watched.anatomy(AnatomyConfig(images=10))
    before = None
    for _ in range(12):
        record = next(items)
        watched.step(settings.hyper)
        blind.step(settings.hyper)
        assert before is None or np.array_equal(record.values, before)
        before = record.values
    assert (record.step, record.network, record.layer) == (0, "bn", 2)
    watched_state, blind_state = watched.checkpoint(), blind.checkpoint()
    for name in blind_state:
        assert torch.equal(watched_state[name], blind_state[name]), name


def test_on_mnist_our_passes_are_pytorchs_and_batch_and_running_statistics_part_ways(mnist):
    """SCIENCE 1.3 and 1.4, after a few steps of the default network, in single precision."""
    trainer = Trainer(Settings(), mnist)
    for _ in range(60):
        trainer.step(trainer.settings.hyper)
    *_, record = trainer.anatomy(AnatomyConfig())
    assert (record.step, record.network, record.layer, record.m) == (60, "bn", 3, 60)
    assert (record.differences < 1e-5).all()
    assert record.folded_difference < 1e-5
    assert np.ptp(record.scale_loss[0]) < 0.05
    assert np.ptp(record.scale_loss[1]) > 0.3
    np.testing.assert_allclose(record.scale_gradient[0] * SCALES, 1, atol=0.05)
    assert np.ptp(record.naive_loss) < 1e-4
    assert np.abs(record.naive_bias[1]).max() < 1e-3 * np.abs(record.naive_bias[0]).max()
    assert record.accuracy[1] == pytest.approx(trainer.measure(is_scheduled=False).accuracy[1], abs=3e-4)
    np.testing.assert_allclose(record.running_mean[-1], record.population_mean, atol=0.3)


def test_without_a_network_with_bn_it_says_what_is_compared(mnist):
    trainer = Trainer(SMALL, mnist, [PLAIN])
    (record,) = trainer.anatomy(AnatomyConfig())
    assert PLAIN.label in record.problem
    assert "Compare a network with BN" in record.problem
    assert record.done == 1


def test_of_a_network_with_bn_that_has_diverged_it_says_when(mnist):
    trainer = Trainer(SMALL, mnist)
    trainer._stack.parameters.weights[-1][1, 0, 0] = torch.nan
    trainer.step(SMALL.hyper)
    assert not trainer.is_finished
    (record,) = trainer.anatomy(AnatomyConfig())
    assert f"{BN.label} diverged at step {trainer.health[1].since_step}:" in record.problem
    assert "Lower the learning rate" in record.problem


def test_of_several_networks_with_bn_it_is_the_first_that_still_trains(mnist):
    first, second = (dataclasses.replace(BN, name=name, seed=seed) for name, seed in (("one", 1), ("two", 2)))
    trainer = Trainer(SMALL, mnist, [PLAIN, first, second])
    assert next(trainer.anatomy(AnatomyConfig())).network == "one"
    trainer._stack.parameters.weights[-1][1, 0, 0] = torch.nan
    trainer.step(SMALL.hyper)
    record = next(trainer.anatomy(AnatomyConfig(layer=1)))
    assert record.network == "two"
    np.testing.assert_array_equal(record.gamma, trainer.checkpoint()["two/gamma.1"].numpy())
