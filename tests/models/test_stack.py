"""The stack against PyTorch's own networks, and against the paper's equations."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bnviz.config import BnPlacement, HyperParams, Initialization, ModelConfig, Nonlinearity, Normalization, Optimizer
from bnviz.models import Activations, Collect, Stack, initial_weights, make_optimizer
from bnviz.models.normalizations import EPS, BatchNorm, Numbers
from tests.models import reference

TWINS = (Normalization.NONE, Normalization.BATCH)


WITHOUT_COVARIANCE = (*TWINS, Normalization.LAYER, Normalization.GROUP, Normalization.WEIGHT)


def models_of(hidden_layers):
    widths_and_groups = [(n, g) for n in range(10, 41) for g in range(1, n // 2 + 1) if n % g == 0]
    return st.tuples(_models_of(hidden_layers), st.sampled_from(widths_and_groups)).map(
        lambda pair: replace(pair[0], width=pair[1][0], groups=pair[1][1])
    )


def _models_of(hidden_layers):
    return st.builds(
        ModelConfig,
        nonlinearity=st.sampled_from(Nonlinearity),
        bn_placement=st.sampled_from(BnPlacement),
        hidden_layers=hidden_layers,
        initialization=st.just(Initialization.HE),
        init_scale=st.just(1.0),
        seed=st.integers(0, 99),
        optimizer=st.sampled_from(Optimizer),
    )


models = models_of(st.sampled_from([1, 2, 3, 4, 7, 20]))
shallow_models = models_of(st.integers(1, 4))
hypers = st.builds(
    HyperParams,
    learning_rate=st.sampled_from([0.001, 0.01, 0.1]),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    weight_decay=st.sampled_from([0.0, 1e-3, 0.1]),
    bn_momentum=st.sampled_from([0.001, 0.1, 1.0]),
)
batches = st.sampled_from([2, 3, 17, 60])
competitors = st.lists(st.sampled_from(Normalization), min_size=1, max_size=4)


def make_stack(model: ModelConfig, normalizations=TWINS, dtype=torch.float64) -> Stack:
    stack = Stack(model, normalizations, dtype)
    stack.set_weights(initial_weights(model))
    return stack


def images_and_labels(batch: int, seed: int, dtype=torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = (torch.rand(batch, 784, generator=generator, dtype=torch.float64) > 0.8).to(dtype)
    return images, torch.randint(0, 10, (batch,), generator=generator)


def fill(activations: Activations, images: Tensor, labels: Tensor) -> Activations:
    activations.fill(images, labels)
    return activations


def take_step(stack: Stack, rule, batch: Activations, hyper: HyperParams) -> None:
    stack.forward(batch)
    stack.loss(batch)
    rule.step(stack, batch, hyper)
    stack.update_running(batch, hyper.bn_momentum)


def largest_difference(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Relative to the largest entry, or absolute where that is below 1."""
    gaps = [(mine[name] - theirs[name]).abs().max() / theirs[name].abs().max().clamp(min=1) for name in theirs]
    return float(max(gaps))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(models, batches, competitors, st.integers(0, 99))
def test_gradients_equal_autograds(model, batch, normalizations, seed):
    whitens = Normalization.DECORRELATED in normalizations
    assume(not whitens or (batch > model.width // model.groups and model.hidden_layers <= 4))
    stack, (images, labels) = make_stack(model, normalizations), images_and_labels(batch, seed)
    activations = fill(stack.activations(batch), images, labels)
    collect = Collect(stack.parameters.empty_like(), stack.groups)
    stack.forward(activations)
    stack.loss(activations)
    stack.backward(activations, collect)
    for k, normalization in enumerate(normalizations):
        net = reference.network(model, normalization, initial_weights(model), torch.float64)
        output = net(images)
        loss = nn.functional.cross_entropy(output, labels)
        loss.backward()
        expected = reference.gradients(net)
        # A batch little larger than a group of units has a covariance of a condition that costs the reference digits.
        tolerance = 1e-6 if normalization is Normalization.DECORRELATED else 1e-10
        # On two or three images BN divides by next to nothing now and then, and layer after layer magnifies the last
        # bits. Where that reaches the digits that are compared, autograd in another order would not equal itself.
        again = reference.network(model, normalization, initial_weights(model), torch.float64)
        assume(largest_difference(badly_rounded_gradients(again, images, labels), expected) < tolerance)
        assert activations.loss[k].item() == pytest.approx(loss.item(), abs=1e-10)
        assert activations.accuracy[k].item() == pytest.approx((output.argmax(1) == labels).double().mean().item())
        assert largest_difference(collect.gradient.named(k), expected) < tolerance


def badly_rounded_gradients(net: nn.Sequential, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Autograd's, when every module errs by some fifty last digits of each number, forward and backward."""
    generator = torch.Generator().manual_seed(0)

    def rounded(values: Tensor) -> Tensor:
        return values * (1 + 1e-14 * torch.randn(values.shape, generator=generator, dtype=values.dtype))

    for module in net:
        if isinstance(module, nn.GroupNorm):
            module.forward = partial(group_normalized, module)  # PyTorch's own subtracts large sums on its way back
        module.register_forward_hook(lambda _module, _inputs, output: rounded(output))
        # Of two images BN passes back what is left when nearly all has cancelled.
        module.register_full_backward_pre_hook(lambda _module, d_output: (rounded(d_output[0]),))
    nn.functional.cross_entropy(net(images.clone().requires_grad_()), labels).backward()
    return reference.gradients(net)


def group_normalized(module: nn.GroupNorm, x: Tensor) -> Tensor:
    """The formula of Wu & He 2018 as it is written. [b, n]"""
    grouped = x.unflatten(1, (module.num_groups, -1))
    variance, mean = torch.var_mean(grouped, dim=2, correction=0, keepdim=True)
    return module.weight * ((grouped - mean) / (variance + EPS).sqrt()).flatten(1) + module.bias


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(shallow_models, batches, st.lists(hypers, min_size=1, max_size=5), st.integers(0, 99))
def test_sgd_trains_as_torch_optim_does_also_when_settings_change_between_steps(model, batch, hyper_of_step, seed):
    stack = make_stack(replace(model, optimizer=Optimizer.SGD), WITHOUT_COVARIANCE)
    rule, weights = make_optimizer(stack), initial_weights(model)
    nets = [reference.network(model, normalization, weights, torch.float64) for normalization in WITHOUT_COVARIANCE]
    rules = [reference.optimizer(net, Optimizer.SGD, hyper_of_step[0]) for net in nets]
    for number, hyper in enumerate(hyper_of_step):
        images, labels = images_and_labels(batch, seed + number)
        take_step(stack, rule, fill(stack.activations(batch), images, labels), hyper)
        for net, torch_rule in zip(nets, rules, strict=True):
            change_settings(torch_rule, hyper)
            for bn in reference.of_kind(net, nn.BatchNorm1d):
                bn.momentum = hyper.bn_momentum
            reference.step(net, torch_rule, images, labels)
    for k, net in enumerate(nets):
        assert largest_difference(stack.named(k), reference.numbers(net)) < 1e-8


def change_settings(rule: torch.optim.Optimizer, hyper: HyperParams) -> None:
    """In PyTorch's words; there momentum 0 keeps the velocity for later, here it forgets it."""
    for group, decay in zip(rule.param_groups, (hyper.weight_decay, 0.0), strict=True):
        group |= {"lr": hyper.learning_rate, "weight_decay": decay}
        if isinstance(rule, torch.optim.Adam):
            group["betas"] = (hyper.momentum, 0.999)
        else:
            group["momentum"] = hyper.momentum
            if hyper.momentum == 0:
                rule.state.clear()


@settings(max_examples=40, deadline=None)
@given(shallow_models, batches, st.lists(hypers, min_size=1, max_size=5), st.integers(0, 99))
def test_given_the_same_gradients_the_rules_are_torch_optims(model, batch, hyper_of_step, seed):
    """Adam divides by |g|, so two networks whose gradients differ by rounding soon part; the rule itself must not."""
    stack = make_stack(model)
    rule, collect = make_optimizer(stack), Collect(stack.parameters.empty_like(), stack.groups)
    end = stack.parameters.flat_weights.shape[1]
    theirs = [nn.Parameter(part.clone()) for part in (stack.parameters.flat[:, :end], stack.parameters.flat[:, end:])]
    groups = [{"params": [part]} for part in theirs]
    kind = torch.optim.Adam if model.optimizer is Optimizer.ADAM else torch.optim.SGD
    torch_rule = kind(groups, lr=0.1, **({"eps": 1e-8} if kind is torch.optim.Adam else {}))
    for number, hyper in enumerate(hyper_of_step):
        activations = fill(stack.activations(batch), *images_and_labels(batch, seed + number))
        stack.forward(activations)
        stack.loss(activations)
        stack.backward(activations, collect)
        theirs[0].grad, theirs[1].grad = collect.gradient.flat[:, :end].clone(), collect.gradient.flat[:, end:].clone()
        change_settings(torch_rule, hyper)
        torch_rule.step()
        stack.forward(activations)
        stack.loss(activations)
        rule.step(stack, activations, hyper)
        for mine, part in zip((stack.parameters.flat[:, :end], stack.parameters.flat[:, end:]), theirs, strict=True):
            assert torch.allclose(mine, part, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", Optimizer)
@pytest.mark.parametrize("placement", BnPlacement)
def test_ten_float32_steps_stray_no_further_from_float64_than_pytorchs_own(placement, optimizer):
    model = ModelConfig(bn_placement=placement, optimizer=optimizer)
    hyper = HyperParams(learning_rate=0.5 if optimizer is Optimizer.SGD else 0.001, momentum=0.5)
    stack = make_stack(model, dtype=torch.float32)
    rule = make_optimizer(stack)
    for number in range(10):
        take_step(stack, rule, fill(stack.activations(60), *images_and_labels(60, number, torch.float32)), hyper)
    for k, normalization in enumerate(TWINS):
        single, double = (
            reference_after_ten_steps(model, normalization, hyper, dtype) for dtype in (torch.float32, torch.float64)
        )
        assert largest_difference(stack.named(k), double) <= 4 * largest_difference(single, double) + 1e-6


def reference_after_ten_steps(model, normalization, hyper, dtype) -> dict[str, Tensor]:
    net = reference.network(model, normalization, initial_weights(model), dtype)
    rule = reference.optimizer(net, model.optimizer, hyper)
    for number in range(10):
        reference.step(net, rule, *images_and_labels(60, number, dtype))
    return reference.numbers(net)


@pytest.mark.parametrize("batch", [2, 3, 60])
@pytest.mark.parametrize("width", [10, 11, 17, 33, 50, 100, 101, 250, 512])
def test_a_network_trains_the_same_alone_as_beside_others_bit_for_bit(width, batch):
    assert_trains_alone_as_beside_others((*TWINS, *TWINS, Normalization.BATCH), width, batch)


@pytest.mark.parametrize("batch", [1, 60])
@pytest.mark.parametrize(("width", "groups"), [(10, 5), (33, 11), (100, 4), (512, 64)])
def test_so_it_does_with_every_normalization(width, groups, batch):
    kinds = [one for one in Normalization if batch > 1 or one is not Normalization.DECORRELATED]
    assert_trains_alone_as_beside_others(kinds, width, batch, groups)
    assert_trains_alone_as_beside_others([one for one in kinds for _ in range(2)], width, batch, groups)


def assert_trains_alone_as_beside_others(kinds, width: int, batch: int, groups: int = 1) -> None:
    model = ModelConfig(width=width, hidden_layers=2, initialization=Initialization.HE, init_scale=1.0, groups=groups)
    hyper = HyperParams(learning_rate=0.1, weight_decay=1e-4)
    together = make_stack(model, kinds, torch.float32)
    each = [together.only([k]) for k in range(len(together))]
    rules = [make_optimizer(stack) for stack in (together, *each)]
    for number in range(3):
        images, labels = images_and_labels(batch, number, torch.float32)
        for stack, rule in zip((together, *each), rules, strict=True):
            take_step(stack, rule, fill(stack.activations(batch), images, labels), hyper)
    for k, alone in enumerate(each):
        for name, value in alone.named(0).items():
            assert torch.equal(value, together.named(k)[name]), (kinds[k], name)


# --- Ioffe & Szegedy 2015 ---------------------------------------------------------------------------------------------


def numbers_of(stack: Stack) -> Numbers:
    """What the first group of networks has of the first layer."""
    return stack._numbers[0][0]


def normalized_layer(batch: int, units: int, seed: int = 0):
    """Random x [b, n], g = dl/dy, gamma, beta; and what `BatchNorm` makes of them: y, dx and its memory."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, g, gamma, beta = 3 * draw(batch, units) + 1, draw(batch, units), draw(units), draw(units)
    model = ModelConfig(width=units, hidden_layers=1)
    stack = Stack(model, [Normalization.BATCH], torch.float64)
    memory = stack.activations(batch).hidden[0].parts[0].memory
    pad = memory.normalized.shape[2] - units

    def padded(values):
        return nn.functional.pad(values, (0, pad))[None]

    y, dx, own = padded(x), padded(g), numbers_of(stack)
    own.gamma[0, 0, :units], own.beta[0, 0, :units] = gamma, beta
    BatchNorm().forward(y, y, own, memory)
    BatchNorm().backward(dx, own, memory)
    return (x, g, gamma, beta), (y[0, :, :units], dx[0, :, :units]), memory


@pytest.mark.parametrize("batch", [2, 3, 60])
def test_batch_norm_is_algorithm_1_and_the_gradients_of_section_3(batch):
    (x, g, gamma, beta), (y, dx), memory = normalized_layer(batch, 20)
    mu = x.mean(0)
    var = ((x - mu) ** 2).mean(0)
    xh = (x - mu) / torch.sqrt(var + EPS)
    d = g * gamma
    dvar = (d * (x - mu) * -0.5 * (var + EPS) ** -1.5).sum(0)
    dmu = (-d / torch.sqrt(var + EPS)).sum(0) + dvar * (-2 * (x - mu)).mean(0)
    assert torch.allclose(y, gamma * xh + beta, rtol=0, atol=1e-12)
    expected = d / torch.sqrt(var + EPS) + dvar * 2 * (x - mu) / batch + dmu / batch
    assert torch.allclose(dx, expected, rtol=0, atol=1e-10)
    assert torch.allclose(batch * memory.mean_d_gamma[0, 0, :20], (g * xh).sum(0), rtol=0, atol=1e-10)
    assert torch.allclose(batch * memory.mean_d_beta[0, 0, :20], g.sum(0), rtol=0, atol=1e-10)


def test_the_gradient_through_batch_norm_has_no_mean_and_no_share_along_the_normalized_input():
    (x, g, gamma, _), (_, dx), memory = normalized_layer(60, 20)
    assert dx.sum(0).abs().max() < 1e-12
    # along xh what is left is eps / (var + eps) of the gradient's own share there: sum(d xh) eps / (var + eps)^1.5
    share = (dx * memory.normalized[0, :, :20]).sum(0)
    var = x.var(0, unbiased=False)
    assert torch.allclose(
        share, gamma * (g * memory.normalized[0, :, :20]).sum(0) * EPS / (var + EPS) ** 1.5, atol=1e-12
    )


def test_with_momentum_1_and_ten_images_the_running_variance_is_ten_ninths_of_the_batchs():
    stack = make_stack(ModelConfig())
    batch = fill(stack.activations(10), *images_and_labels(10, 0))
    stack.forward(batch)
    biased = batch.statistics[:, 1, 1].clone()
    stack.update_running(batch, momentum=1.0)
    assert torch.allclose(stack.running[:, 1, 1, :, :100], biased[:, :, :100] * 10 / 9, rtol=1e-12)


@pytest.mark.parametrize("placement", BnPlacement)
@pytest.mark.parametrize("nonlinearity", [Nonlinearity.SIGMOID, Nonlinearity.RELU])
def test_folded_networks_equal_pytorchs_in_evaluation_mode(placement, nonlinearity):
    model = ModelConfig(bn_placement=placement, nonlinearity=nonlinearity, width=30)
    stack, hyper = make_stack(model), HyperParams(learning_rate=0.1)
    rule = make_optimizer(stack)
    nets = [reference.network(model, normalization, initial_weights(model), torch.float64) for normalization in TWINS]
    for number in range(5):
        images, labels = images_and_labels(20, number)
        take_step(stack, rule, fill(stack.activations(20), images, labels), hyper)
        for net in nets:
            reference.step(net, reference.optimizer(net, Optimizer.SGD, hyper), images, labels)
    folded, (images, _) = stack.folded(), images_and_labels(50, 99)
    for k, net in enumerate(nets):
        numbers, u = folded.named(k), images
        for layer in (1, 2, 3):
            u = reference.NONLINEARITIES[nonlinearity]()(u @ numbers[f"weight.{layer}"] + numbers[f"bias.{layer}"])
        logits = u @ numbers["weight.4"] + numbers["bias.4"]
        assert torch.allclose(logits, net.eval()(images), rtol=0, atol=1e-10)


@pytest.mark.parametrize("factor", [0.1, 2.0])
@pytest.mark.parametrize("init_scale", [0.1, 0.01])
def test_scaling_the_weights_before_batch_norm_changes_nothing_but_the_gradients_scale(init_scale, factor):
    """BN((aW)u) = BN(Wu) up to ½ eps |1/a² - 1| |xh| / Var, and dl/d(aW) = (1/a) dl/dW (SCIENCE, section 1.3)."""
    stack = make_stack(ModelConfig(init_scale=init_scale, hidden_layers=1), [Normalization.BATCH])
    batch = fill(stack.activations(60), *images_and_labels(60, 0))
    stack.forward(batch)
    memory = batch.hidden[0].parts[0].memory
    z, xh, variance = batch.hidden[0].z.clone(), memory.normalized.clone(), memory.variance.clone()
    stack.parameters.weights[0].mul_(factor)
    stack.forward(batch)
    tolerance = 0.5 * EPS * abs(1 / factor**2 - 1) * xh.abs() / variance.clamp(min=1e-300)
    units = slice(0, 100)
    moved = (batch.hidden[0].z - z).abs()[:, :, units]
    assert (moved <= 1.01 * tolerance[:, :, units] + 1e-12).all()
    assert moved.max() > 0.5 * tolerance[:, :, units].max()  # the bound is sharp, so it tests something


def test_the_gradient_is_orthogonal_to_each_units_weights_before_batch_norm_and_shrinks_as_they_grow():
    stack = make_stack(ModelConfig(hidden_layers=2), [Normalization.BATCH])
    collect = Collect(stack.parameters.empty_like(), stack.groups)
    batch = fill(stack.activations(60), *images_and_labels(60, 0))
    found = []
    for _ in range(2):
        stack.forward(batch)
        stack.loss(batch)
        stack.backward(batch, collect)
        gradient, weight = collect.gradient.weights[0][0].clone(), stack.parameters.weights[0][0]
        cosine = (gradient * weight).sum(0) / (gradient.norm(dim=0) * weight.norm(dim=0))
        assert cosine.abs().max() < 1e-4  # 0 but for eps
        found.append(gradient)
        weight.mul_(2)
    assert (found[1] - found[0] / 2).norm() < 1e-3 * found[0].norm()


@pytest.mark.parametrize(("placement", "is_dropped"), [(BnPlacement.BEFORE, True), (BnPlacement.AFTER, False)])
def test_the_bn_twin_drops_exactly_the_biases_that_cancel(placement, is_dropped):
    stack = make_stack(ModelConfig(bn_placement=placement))
    rule = make_optimizer(stack)
    batch = fill(stack.activations(60), *images_and_labels(60, 0))
    for _ in range(2):
        take_step(stack, rule, batch, HyperParams())
    plain, bn = stack.named(0), stack.named(1)
    for layer in (1, 2, 3):
        assert plain[f"bias.{layer}"].any()
        assert bool(bn[f"bias.{layer}"].any()) is not is_dropped
        assert bool((bn[f"gamma.{layer}"] != 1).any())
        assert bool((plain[f"gamma.{layer}"] == 1).all())
    assert plain["bias.4"].any()
    assert bn["bias.4"].any()


def test_what_the_last_step_changed_can_be_told_afterwards():
    for optimizer in Optimizer:
        for hyper in (HyperParams(), HyperParams(momentum=0.9, weight_decay=0.01), HyperParams(weight_decay=0.01)):
            stack = make_stack(ModelConfig(optimizer=optimizer))
            rule = make_optimizer(stack)
            batch = fill(stack.activations(60), *images_and_labels(60, 0))
            take_step(stack, rule, batch, hyper)
            before = stack.parameters.clone()
            take_step(stack, rule, batch, replace(hyper, learning_rate=0.1))
            change = rule.weight_change(stack, batch)
            for now, then, told in zip(stack.parameters.weights, before.weights, change.weights, strict=True):
                assert torch.allclose(now - then, told, rtol=1e-9, atol=1e-14)
