"""One mini-batch on its way through one BN layer, and what else BN does there: the record `Anatomy`, piece by piece.

Sources: Ioffe & Szegedy 2015, Algorithms 1 and 2 and Sections 2, 3 and 3.3; Wu & Johnson 2021 (PreciseBN).

Shapes: as in the record; n = units of the layer, of which u are kept; rows = b, or images times positions. Hidden
layers count from 0 here, and from 1 in the record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bnviz.config import AnatomyConfig
from bnviz.measure.activations import at_levels
from bnviz.measure.bn_network import BnNetwork, Moments, moments
from bnviz.models import Activations, Collect, Parameters, Stack
from bnviz.models.functional import activation
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import EPS
from bnviz.models.patches import seen_by
from bnviz.records import (
    COMPARED,
    MODES,
    NAIVE_STEPS,
    QUANTILE_LEVELS,
    SCALES,
    STAGES,
    STREAM_BATCHES,
    Anatomy,
    Floats,
    Ints,
    kept_units,
    no_anatomy,
)

POPULATION_IMAGES: Final = 10_000
POPULATION_MAPS: Final = 2_000  # images, of a convolutional network: hundreds of thousands of values a feature map
KEPT_VALUES: Final = 256  # of a feature map, that the charts show; as many as of the largest batch without space
NAIVE_STDS: Final = 3.0  # that the fastest unit's bias goes in all its steps: far enough to be seen beside its values
_ITEM_WORK: Final = 200_000_000  # multiplications between two items: some ms
_MOST_AT_ONCE: Final = 16  # small networks' evaluations: each takes half a millisecond however small
_FEWEST_ROWS: Final = 100  # images at once

Piece = tuple[float, dict[str, Any]]  # share of a part's work that is done, and the fields of the record that it fills


@torch.inference_mode(False)  # of what is made in inference mode autograd has no derivative; of its clone it has
def anatomy(
    config: AnatomyConfig,
    stack: Stack,
    name: str,
    step: int,
    images: Tensor,
    labels: Tensor,
    test_images: Tensor,
    test_labels: Tensor,
) -> Iterator[Anatomy]:
    """The record again and again, with more of it filled in each time; a few ms lie between two items.

    The first item has the walk itself, forward and backward; what is not there yet is NaN. The last one is whole.

    Args:
        config: which layer, and which images. A layer beyond the network's last is its last.
        stack: the network alone, which nobody trains meanwhile and nothing here changes.
        name: the competitor's.
        step: that it is at.
        images: of the training set, [count, 784]; after the last whole mini-batch comes the first again.
        labels: theirs, [count].
        test_images: [count, 784].
        test_labels: theirs, [count].
    """
    layer = min(config.layer, stack.model.hidden_layers) - 1
    rows = _rows(config, np.array([config.batch]), len(images))[0]
    site = _Site(config, stack, BnNetwork.of(stack), layer, images[rows].clone(), labels[rows].clone())
    record = _walked(site, name, step)
    if not _is_finite(record):
        text = "The values in the network with BN are no longer finite: it is about to diverge."
        yield no_anatomy(config, step, f"{text} Lower the learning rate and reset the run.")
        return
    yield record
    begun = 0
    for percent, part in (
        (15, _scaled(site)),
        (35, _naive(site)),
        (10, _stream(site, images)),
        (0, _folded(site)),
        (40, _population(site, images, test_images, test_labels)),
    ):
        for within, found in part:
            record = replace(record, done=(begun + percent * within) / 100, **found)
            yield record
        begun += percent


@dataclass(frozen=True)
class _Site:
    """Where everything happens: one layer of one network, and one mini-batch."""

    config: AnatomyConfig
    stack: Stack
    network: BnNetwork
    layer: int
    images: Tensor  # [b, 784]
    labels: Tensor  # [b]

    @property
    def units(self) -> Ints:
        """Those that are kept, [u]."""
        units: Ints = kept_units(1, self.stack.model.width)[0]
        return units

    @property
    def weights(self) -> int:
        """How many the network has, each as often as it is used: the multiplications of one image's way forward."""
        return sum(layer.weights * layer.positions for layer in self.stack.model.layers)

    @property
    def positions(self) -> int:
        return self.stack.model.layers[self.layer].positions

    @property
    def shown(self) -> Tensor:
        """The rows whose values are kept, [b]: all of them, or a sample of images and positions, always the same."""
        rows = len(self.images) * self.positions
        if self.positions == 1 or rows <= KEPT_VALUES:
            return torch.arange(rows)
        drawn = torch.randperm(rows, generator=torch.Generator().manual_seed(0))
        return drawn[:KEPT_VALUES].sort().values

    @property
    def at_once(self) -> int:
        """Forward and backward passes between two items."""
        return max(1, min(_MOST_AT_ONCE, _ITEM_WORK // (3 * self.weights * len(self.images))))

    def kept(self, values: Tensor) -> Floats:
        """[..., n] to [..., u]"""
        return _numpy(values)[..., self.units]


def _numpy(values: Tensor) -> Floats:
    found: Floats = values.detach().cpu().numpy()
    return found


def _rows(config: AnatomyConfig, batches: Ints, count: int) -> Tensor:
    """Which images the mini-batches of these numbers are, of `count` that are begun anew after the last whole one."""
    m = config.images
    numbers = torch.from_numpy(batches % (count // m))
    return numbers[:, None] * m + torch.arange(m)


def _is_finite(record: Anatomy) -> bool:
    known = (record.layer_values, record.layer_gradients, record.mean, record.variance)
    return all(bool(np.isfinite(one).all()) for one in known)


# --- the walk: forward and backward -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class BnGradients:
    """What BN's backward pass finds: [b, n] of each value, [n] of each unit."""

    d_normalized: Tensor
    d_variance: Tensor
    d_mean: Tensor
    d_x: Tensor
    d_gamma: Tensor
    d_beta: Tensor


def bn_backward(d_y: Tensor, x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor) -> BnGradients:
    """The paper's chain, one equation a line, in its own order (`BatchNorm.backward` has all of it in one).

        dl/dxh_i   = dl/dy_i gamma
        dl/dvar    = sum_i dl/dxh_i (x_i - mu) (-1/2) (var + eps)^(-3/2)
        dl/dmu     = sum_i dl/dxh_i (-1 / sqrt(var + eps)) + dl/dvar mean_i(-2 (x_i - mu))
        dl/dx_i    = dl/dxh_i / sqrt(var + eps) + dl/dvar 2 (x_i - mu) / m + dl/dmu / m
        dl/dgamma  = sum_i dl/dy_i xh_i
        dl/dbeta   = sum_i dl/dy_i

    d_y, x: [b, n]; the others [n]. Source: Ioffe & Szegedy 2015, Section 3.
    """
    m, centred, inverse_std = len(x), x - mean, torch.rsqrt(variance + EPS)
    d_normalized = d_y * gamma
    d_variance = (d_normalized * centred).sum(0) * (-0.5 * inverse_std**3)
    d_mean = -(d_normalized * inverse_std).sum(0) + d_variance * (-2 * centred).mean(0)
    d_x = d_normalized * inverse_std + d_variance * 2 * centred / m + d_mean / m
    d_gamma, d_beta = (d_y * centred * inverse_std).sum(0), d_y.sum(0)
    return BnGradients(d_normalized, d_variance, d_mean, d_x, d_gamma, d_beta)


def _walked(site: _Site, name: str, step: int) -> Anatomy:
    """The record with the walk, and NaN for what comes later."""
    stack, network, layer, n = site.stack, site.network, site.layer, site.stack.model.width
    batch, gradient = stack.activations(len(site.images)), stack.parameters.empty_like()
    batch.fill(site.images, site.labels)
    stack.forward(batch)
    stack.loss(batch)
    stack.backward(batch, Collect(gradient, stack.groups))
    hidden = batch.hidden[layer]
    z, g, u = (one[0, :, :n] for one in (hidden.z, hidden.g, hidden.u))
    mean, variance = batch.statistics[layer, :, 0, 0, :n].clone()
    # With BN before the nonlinearity z, made in place, is BN's output: its input is computed once more.
    pre_activation = batch.inputs[layer][0] @ network.of_layer(layer, "weight") if network.is_before else z
    x, y = (pre_activation, z) if network.is_before else (g, u)
    normalized = (x - mean) * torch.rsqrt(variance + EPS)
    values = torch.stack([pre_activation, x, x - mean, normalized, y, u])

    above = network.of_layer(layer + 1, "weight")  # dl/du from the next layer's dl/d(u W)
    d_output = _seen_from(site, u, batch.deltas[layer + 1][0, :, : above.shape[1]] @ above.T)
    d_y = d_output.clone()
    if network.is_before:
        NONLINEARITIES[stack.model.nonlinearity].backward(d_y, z, u)
    found = bn_backward(d_y, x, mean, variance, network.of_layer(layer, "gamma"))
    gradients = torch.stack([d_output, d_y, found.d_normalized, found.d_x])
    rows = site.shown
    of_all = {} if site.positions == 1 else _of_all(site, values, gradients)
    return Anatomy(
        config=site.config,
        step=step,
        network=name,
        layer=layer + 1,
        is_before=network.is_before,
        eps=EPS,
        done=0.0,
        problem="",
        labels=site.labels.cpu()[rows // site.positions].numpy(),
        units=site.units,
        values=site.kept(values[:, rows]),
        mean=site.kept(mean),
        variance=site.kept(variance),
        gamma=site.kept(network.of_layer(layer, "gamma")),
        beta=site.kept(network.of_layer(layer, "beta")),
        gradients=site.kept(gradients[:, rows]),
        d_mean=site.kept(found.d_mean),
        d_variance=site.kept(found.d_variance),
        d_gamma=site.kept(found.d_gamma),
        d_beta=site.kept(found.d_beta),
        layer_values=_quantiles(values),
        layer_gradients=_quantiles(gradients),
        differences=_differences(site, batch, gradient, pre_activation, d_y),
        **_nothing_yet(len(site.units)),
        **of_all,
    )


@torch.enable_grad()
def _seen_from(site: _Site, u: Tensor, d_seen: Tensor) -> Tensor:
    """dl/du from dl/d(what the next layer sees of u): the same, or the sum over the patches that see a value."""
    model = site.stack.model
    if not model.is_convolutional:
        return d_seen
    leaf = u.clone().requires_grad_()
    (d_u,) = torch.autograd.grad((seen_by(model, site.layer + 1, leaf) * d_seen).sum(), [leaf])
    return d_u


def _of_all(site: _Site, values: Tensor, gradients: Tensor) -> dict[str, Any]:
    """What of all values of a feature map goes into the record, where a sample of them does. [.., rows, n] each"""
    every = torch.cat([values, gradients])
    d_x, normalized = gradients[-1], values[STAGES.index("normalized")]
    spread, mean = torch.std_mean(every, dim=1, correction=0)
    return {
        "positions": site.positions,
        "moments": site.kept(torch.stack([mean, spread], dim=1)),
        "sums": site.kept(torch.stack([d_x.sum(0), (d_x * normalized).sum(0)])),
    }


def _nothing_yet(u: int) -> dict[str, Any]:
    """The fields of the record that the walk leaves empty."""

    def nan(*shape: int) -> Floats:
        return np.full(shape, np.nan)

    a, s, t, modes = len(SCALES), NAIVE_STEPS + 1, STREAM_BATCHES, len(MODES)
    return {
        "scale_loss": nan(modes, a),
        "scale_output": nan(modes, a),
        "scale_gradient": nan(modes, a),
        "naive_bias": nan(2, s, u),
        "naive_loss": nan(2, s),
        "naive_rate": np.nan,
        "stream_mean": nan(t, u),
        "stream_variance": nan(t, u),
        "running_mean": nan(t + 1, u),
        "running_variance": nan(t + 1, u),
        "population_mean": nan(u),
        "population_variance": nan(u),
        "population_images": 0,
        "accuracy": nan(3),
        "folded_difference": np.nan,
        "folded_scale": nan(u),
        "folded_shift": nan(u),
    }


def _quantiles(values: Tensor) -> Floats:
    """Over all units and images, of each. [.., b, n] to [.., q]"""
    return at_levels(np.sort(_numpy(values).reshape(len(values), -1), axis=1), QUANTILE_LEVELS)


# --- ours against PyTorch's -------------------------------------------------------------------------------------------


def _differences(site: _Site, batch: Activations, gradient: Parameters, pre_activation: Tensor, d_y: Tensor) -> Floats:
    """What the stack's own passes left in `batch` and `gradient` against `batch_norm` and autograd. By COMPARED.

    The stack's backward pass gives dl/dx where BN stands before the nonlinearity; where it stands after it, it gives
    dl/dx g'(pre-activation), so PyTorch's is taken through g as well.
    """
    layer, n = site.layer, site.stack.model.width
    hidden = batch.hidden[layer]
    y = hidden.z if site.network.is_before else hidden.u
    named = gradient.named(0)
    ours = [y[0, :, :n], batch.deltas[layer][0], named[f"gamma.{layer + 1}"], named[f"beta.{layer + 1}"]]
    pytorchs = _pytorchs(site, pre_activation, d_y)  # before the update: it begins with the same statistics
    ours += _updated_running(site, batch)
    pairs = dict(zip(COMPARED, zip(ours, pytorchs, strict=True), strict=True))
    return np.array([_relative_difference(*pair) for pair in pairs.values()])


def _updated_running(site: _Site, batch: Activations) -> list[Tensor]:
    """The layer's running mean and variance after this batch; the stack is left as it was."""
    stack, before = site.stack, site.stack.running.clone()
    stack.update_running(batch, site.config.momentum)
    mean, variance = stack.running[site.layer, :, 0, 0, : stack.model.width].clone()
    stack.running.copy_(before)
    return [mean, variance]


@torch.enable_grad()
def _pytorchs(site: _Site, pre_activation: Tensor, d_y: Tensor) -> list[Tensor]:
    """The same from PyTorch. Its derivatives are those of sum y dl/dy, a number: as `sharpness.Hessian` says."""
    network, layer = site.network, site.layer
    values = (pre_activation, network.of_layer(layer, "gamma"), network.of_layer(layer, "beta"))
    z, gamma, beta = (one.clone().requires_grad_() for one in values)
    mean, variance = (one.clone() for one in network.running[layer])
    x = z if network.is_before else activation(network.model.nonlinearity)(z)
    y = functional.batch_norm(x, mean, variance, gamma, beta, True, site.config.momentum, EPS)
    return [y.detach(), *torch.autograd.grad((y * d_y).sum(), [z, gamma, beta]), mean, variance]


def _relative_difference(ours: Tensor, other: Tensor) -> float:
    """Largest difference over the other's largest value; 0 where they are equal, both 0 say."""
    difference = (ours - other).abs().max()
    return float(difference / other.abs().max()) if difference else 0.0


# --- scale invariance -------------------------------------------------------------------------------------------------


def _scaled(site: _Site) -> Iterator[Piece]:
    """The layer's weights times each of SCALES: loss, change of the layer's outputs, and gradient.

    BN((a W) u) = BN(W u) and d BN((a W) u)/d(a W) = 1/a d BN(W u)/dW, but for eps; with running statistics, or where a
    nonlinearity that is not homogeneous stands between W and BN, neither holds. Source: Ioffe & Szegedy 2015, Sec. 3.3.

    The change is relative to the standard deviation over the images, quadratic mean over the units.
    """
    network = site.network
    loss, output, gradient = np.full((3, len(MODES), len(SCALES)), np.nan)
    for mode, statistics in enumerate((None, network.running)):
        u = network.up_to(site.layer, site.images, statistics)
        _, unscaled, length = _at_scale(site, u, 1.0, statistics)
        spread = float(moments(unscaled)[1].mean().sqrt())
        for number, factor in enumerate(SCALES):
            one_loss, changed, norm = _at_scale(site, u, float(factor), statistics)
            loss[mode, number], gradient[mode, number] = one_loss, norm / length if length else np.nan
            output[mode, number] = float((changed - unscaled).square().mean().sqrt()) / spread if spread else np.nan
            done = mode * len(SCALES) + number + 1
            if done % site.at_once == 0 or number == len(SCALES) - 1:
                found = {"scale_loss": loss, "scale_output": output, "scale_gradient": gradient}
                yield done / loss.size, {name: one.copy() for name, one in found.items()}


@torch.enable_grad()
def _at_scale(site: _Site, u: Tensor, factor: float, statistics: list[Moments] | None) -> tuple[float, Tensor, float]:
    """Loss, the layer's outputs [b, n], and ||dl/dW||, where the layer sees u and its weights are times `factor`."""
    network, layer = site.network, site.layer
    weight = (factor * network.of_layer(layer, "weight")).requires_grad_()
    output = network.output(layer, network.x(layer, u, weight), None if statistics is None else statistics[layer])
    loss = functional.cross_entropy(network.onwards(layer + 1, output, statistics), site.labels)
    (gradient,) = torch.autograd.grad(loss, [weight])
    return loss.item(), output.detach(), float(gradient.norm())


# --- a bias before BN, trained with half a gradient and with the whole one --------------------------------------------


def _naive(site: _Site) -> Iterator[Piece]:
    """Gradient descent on a bias b that is added to x, nothing else trained: both ways side by side.

    Without what flows through mean and variance dl/db = sum_i dl/dxh_i / sqrt(var + eps). BN takes the mean of x + b
    away again, so neither loss nor gradient ever changes, and b grows by the same amount at every step, without end.
    The whole gradient is 0. Source: Ioffe & Szegedy 2015, Section 2.
    """
    x = site.network.x(site.layer, site.network.up_to(site.layer, site.images))
    bias, loss = torch.full((2, NAIVE_STEPS + 1, x.shape[1]), torch.nan).to(x), np.full((2, NAIVE_STEPS + 1), np.nan)
    bias[:, 0] = 0
    rate = naive_rate(_numpy(_at_bias(site, x, bias[0, 0], is_whole=False)[1]), _numpy(moments(x)[1][0]))
    for step in range(NAIVE_STEPS + 1):
        for kind, is_whole in enumerate((False, True)):
            loss[kind, step], gradient = _at_bias(site, x, bias[kind, step], is_whole)
            if step < NAIVE_STEPS:
                bias[kind, step + 1] = bias[kind, step] - rate * gradient
        if step % max(1, site.at_once // 2) == 0 or step == NAIVE_STEPS:
            found = {"naive_bias": site.kept(bias), "naive_loss": loss.copy(), "naive_rate": rate}
            yield (step + 1) / (NAIVE_STEPS + 1), found


@torch.enable_grad()
def _at_bias(site: _Site, x: Tensor, bias: Tensor, is_whole: bool) -> tuple[float, Tensor]:
    """Loss and dl/db, [n], where BN sees x + b; unless whole, with its mean and variance taken for constants."""
    leaf = bias.clone().requires_grad_()
    shifted = x + leaf
    mean, variance = moments(shifted)
    statistics = (mean, variance) if is_whole else (mean.detach(), variance.detach())
    output = site.network.output(site.layer, shifted, statistics)
    loss = functional.cross_entropy(site.network.onwards(site.layer + 1, output), site.labels)
    (gradient,) = torch.autograd.grad(loss, [leaf])
    return loss.item(), gradient


def naive_rate(gradient: Floats, variance: Floats) -> float:
    """A learning rate at which one can see b grow: the fastest unit goes NAIVE_STDS of its x in NAIVE_STEPS.

    A unit that is all but constant on this batch does not count, one with less than a tenth of the median variance:
    its gradient is divided by next to nothing, and beside it all the others would seem to stand still. [n], [n]
    """
    counts = variance >= np.median(variance) / 10
    fastest = float((np.abs(gradient) / np.sqrt(variance + EPS))[counts].max())
    return NAIVE_STDS / (NAIVE_STEPS * fastest) if fastest > 0 else 1.0


# --- mini-batches to come ---------------------------------------------------------------------------------------------


def _stream(site: _Site, images: Tensor) -> Iterator[Piece]:
    """The layer's statistics of the next mini-batches, and running averages of them begun anew."""
    m, u, t = len(site.images) * site.positions, len(site.units), STREAM_BATCHES
    mean, variance = np.full((2, t, u), np.nan)
    running_mean, running_variance = np.full((2, t + 1, u), np.nan)
    running_mean[0], running_variance[0] = 0, 1
    numbers = site.config.batch + 1 + np.arange(t)
    at_once = max(1, _ITEM_WORK // (site.weights * len(site.images)))
    for some in np.split(np.arange(t), range(at_once, t, at_once)):
        batches = images[_rows(site.config, numbers[some], len(images)).to(images.device)]
        x = site.network.x(site.layer, site.network.up_to(site.layer, batches))
        mean[some], variance[some] = (site.kept(one[:, 0]) for one in moments(x))
        unbiased, share = variance * m / (m - 1), site.config.momentum
        for k in some:
            running_mean[k + 1] = (1 - share) * running_mean[k] + share * mean[k]
            running_variance[k + 1] = (1 - share) * running_variance[k] + share * unbiased[k]
        found = {
            "stream_mean": mean,
            "stream_variance": variance,
            "running_mean": running_mean,
            "running_variance": running_variance,
        }
        yield (some[-1] + 1) / t, {name: one.copy() for name, one in found.items()}


# --- inference --------------------------------------------------------------------------------------------------------


def _folded(site: _Site) -> Iterator[Piece]:
    """The network with running statistics, BN by BN, against the plain one that `Stack.folded` makes of it."""
    network, layer = site.network, site.layer
    unfolded = network.onwards(0, site.images, network.running)
    folded = site.stack.folded().named(0)
    model, activate, u = network.model, activation(network.model.nonlinearity), site.images
    for number in range(1, network.model.hidden_layers + 1):
        u = activate(seen_by(model, number - 1, u) @ folded[f"weight.{number}"] + folded[f"bias.{number}"])
    last = network.model.hidden_layers + 1
    logits = seen_by(model, last - 1, u) @ folded[f"weight.{last}"] + folded[f"bias.{last}"]
    mean, variance = network.running[layer]
    scale = network.of_layer(layer, "gamma") * torch.rsqrt(variance + EPS)
    yield (
        1.0,
        {
            "folded_difference": _relative_difference(logits, unfolded),
            "folded_scale": site.kept(scale),
            "folded_shift": site.kept(network.of_layer(layer, "beta") - scale * mean),
        },
    )


def _population(site: _Site, images: Tensor, test_images: Tensor, test_labels: Tensor) -> Iterator[Piece]:
    """The population's statistics, and the accuracy on the test images with three kinds of statistics."""
    shown = images[: POPULATION_MAPS if site.stack.model.is_convolutional else POPULATION_IMAGES]
    statistics: list[Moments] = []
    for share, statistics in population_statistics(site.network, shown):  # noqa: B007  # the last is used below
        yield share / 4, {}
    mean, variance = statistics[site.layer]
    yield (
        0.25,
        {
            "population_mean": site.kept(mean),
            "population_variance": site.kept(variance),
            "population_images": len(shown),
        },
    )
    accuracy = np.full(3, np.nan)
    most = site.stack.model.test_images_at_once
    at_once = max(_FEWEST_ROWS, min(most, _ITEM_WORK // site.weights))
    for kind, given in enumerate((None, site.network.running, statistics)):
        rows = most if given is None else at_once  # all that are taken at once have statistics of their own
        for done, share in _accuracy(site.network, test_images, test_labels, given, rows):
            accuracy[kind] = share
            yield 0.25 * (1 + kind + done), {"accuracy": accuracy.copy()}


def population_statistics(network: BnNetwork, images: Tensor) -> Iterator[tuple[float, list[Moments]]]:
    """Every layer's mean and variance over all these images, the layers before it with their own already.

    As PreciseBN has it, from the mini-batches' statistics: E[mu_B], and E[var_B + mu_B²] - E[mu_B]².
    Source: Wu & Johnson 2021, Section 3.

    Yields the share that is done, and the layers that are: a list that grows.
    """
    found: list[Moments] = []
    layers, width = network.model.hidden_layers, network.model.width
    x = below = images.new_empty(0)  # of the layer in hand, in place of the one before where they are of one shape
    for layer, shape in enumerate(network.model.layers[:-1]):
        p, p_below = shape.positions, network.model.layers[max(layer - 1, 0)].positions
        below = x
        if len(x) != len(images) * p:
            x = images.new_empty(len(images) * p, width)
        mean, square = x.new_zeros(2, width, dtype=torch.float64)
        at_once = max(_FEWEST_ROWS // p, 1, _ITEM_WORK // (shape.weights * p))
        for start in range(0, len(images), at_once):
            part = slice(start, min(start + at_once, len(images)))
            seen = slice(part.start * p_below, part.stop * p_below)
            u = network.output(layer - 1, below[seen], found[-1]) if layer else images[part]
            rows = slice(part.start * p, part.stop * p)
            x[rows] = network.x(layer, u)
            batch_mean, batch_variance = (one[0].double() for one in moments(x[rows]))
            weight = (part.stop - start) / len(images)
            mean += weight * batch_mean
            square += weight * (batch_variance + batch_mean.square())
            yield (layer + part.stop / len(images)) / layers, found
        found.append((mean.to(x), (square - mean.square()).clamp_(min=0).to(x)))
    yield 1.0, found


def _accuracy(
    network: BnNetwork, images: Tensor, labels: Tensor, statistics: list[Moments] | None, at_once: int
) -> Iterator[tuple[float, float]]:
    """The share of the images that is done, and at the end that classified correctly: NaN until then, or for ever."""
    hits, done = 0.0, 0
    for some, wanted in zip(torch.split(images, at_once), torch.split(labels, at_once), strict=True):
        largest, answer = network.onwards(0, some, statistics).max(dim=1)
        hits += int((answer == wanted).sum()) if bool(largest.isfinite().all()) else np.nan
        done += len(some)
        yield done / len(images), hits / done if done == len(images) else np.nan
