"""K networks computed as one: forward and backward, written out.

A convolutional network is the same products on other rows: those of a hidden layer are its patches at every position of
every image (see `patches`), so that all that is taken over the rows, BN's mean and variance before all, is taken over
images and positions. Between two layers the patches are copied, and on the way back their gradients added up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bnviz.config import BnPlacement, HyperParams, ModelConfig, Normalization
from bnviz.models.activations import Activations, Group, Part, groups_of
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import EPS, NORMALIZATIONS, Numbers
from bnviz.models.normalizations.decorrelated import whitening_matrix
from bnviz.models.normalizations.weight import norms
from bnviz.models.parameters import Parameters


class ParameterParts:
    """Parameters as the layers use them: weights whole, vectors split by group of networks. [layer][group]

    The output layer's weights come with their padding: a product with 32 columns takes half as long as one with ten.
    """

    def __init__(self, parameters: Parameters, groups: Sequence[Group]) -> None:
        self.weights = [*parameters.weights[:-1], parameters.padded_weights[-1]]
        self.transposed_weights = [weight.transpose(1, 2) for weight in self.weights]
        self.first_weights = parameters.first_weights
        self.output_bias = parameters.biases[-1]
        self.biases = [[bias[group.networks] for group in groups] for bias in parameters.biases[:-1]]
        self.scales = [parameters.scales[group.networks] for group in groups]


@dataclass(frozen=True)
class Along:
    """A share of some networks' gradient of one weight matrix: -factor * weights, column by column.

    Attributes:
        networks: which they are.
        weights: theirs, [k, n_in, n]; factor: [k, 1, n].
    """

    networks: slice
    weights: Tensor
    factor: Tensor


class Sink(Protocol):
    """Where backward sends each gradient as soon as it has it: into a buffer, or straight into the weights."""

    parts: ParameterParts

    def weight(self, target: Tensor, left: Tensor, right: Tensor, along: Sequence[Along]) -> None:
        """The gradient of a weight matrix is the product left @ right, and for some networks a share along the weights.

        [K, n_in, b] @ [K, b, n_out]
        """

    def first_weight(self, target: Tensor, gradient: Tensor, network: int) -> None:
        """The gradient of the first weight matrix of one network, as it is. [n_0, p]"""

    def bias(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        """The gradient of a bias is the product left @ right. [k, 1, b] @ [k, b, p]"""

    def scales(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        """The gradient of all gammas and betas of a group is factor * gradient. [k, 2, l, p]"""


class Collect:
    """Writes the gradients into `gradient`, for optimizers and probes that need them as a whole."""

    def __init__(self, gradient: Parameters, groups: Sequence[Group]) -> None:
        self.gradient, self.parts = gradient, ParameterParts(gradient, groups)

    def weight(self, target: Tensor, left: Tensor, right: Tensor, along: Sequence[Along]) -> None:
        torch.bmm(left, right, out=target)
        for one in along:
            target[one.networks].addcmul_(one.weights, one.factor, value=-1)

    def bias(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        torch.bmm(left, right, out=target)

    def first_weight(self, target: Tensor, gradient: Tensor, network: int) -> None:
        target.copy_(gradient)

    def scales(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        torch.mul(gradient, factor, out=target)


class Stack:
    """K networks of one shape that differ in normalization or dropout.

    u_l = g(N(u_(l-1) W_l)) and so on, up to ten logits.

    With BN before the nonlinearity (the paper's place) z = BN(u W): a bias would cancel in the mean and is dropped,
    beta takes its part. With BN after it, u = BN(g(u W + b)): b acts inside g, before any mean is taken, and the next
    layer's b is added after the mean, so none cancels and all stay. gamma starts at 1, beta and b at 0. Other
    normalizations take BN's place on either side; see `normalizations`.

    Args:
        has_covariance: whether to keep running covariances; unless told, if a network whitens. A stack that lost its
            last such network keeps them, so that states of before and after have one length.
        has_dropout: of each network; of none unless given. See `dropout`.

    Attributes:
        learning_rates: each network's own; None where it has that of the run.
        has_dropout: of each network.
        parameters: what the optimizer changes.
        running: [l, 2, K, 1, p], running mean and unbiased variance of every hidden layer, for networks with BN.
        covariance: [l, K, G, s, s], running and unbiased, of every group of units, for networks that whiten; without
            any s is 0.
        limits: [2], Batch Renormalization's r_max and d_max; `limit` sets them.
    """

    @torch.inference_mode(False)  # one that is made within a step may be written outside of it
    def __init__(
        self,
        model: ModelConfig,
        normalizations: Sequence[Normalization],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        learning_rates: Sequence[float | None] | None = None,
        has_covariance: bool | None = None,
        has_dropout: Sequence[bool] | None = None,
    ) -> None:
        self.model, self.normalizations = model, tuple(normalizations)
        self.has_dropout = tuple(has_dropout or [False] * len(self.normalizations))
        self.learning_rates = tuple(learning_rates or [None] * len(self.normalizations))
        self.dtype, self.device = dtype, device or torch.device("cpu")
        self.groups = groups_of(self.normalizations)
        self.parameters = Parameters(model.layers, len(self.normalizations), self.dtype, self.device)
        for gamma in self.parameters.gammas:
            gamma.fill_(1)
        self._parts = ParameterParts(self.parameters, self.groups)
        self._nonlinearity = NONLINEARITIES[model.nonlinearity]
        self._is_bn_before = model.bn_placement is BnPlacement.BEFORE
        self._has_weight_norm = any(group.normalization.is_of_weights for group in self.groups)
        shape = (model.hidden_layers, 2, *self.parameters.gammas[0].shape)
        self.running = torch.zeros(shape, dtype=self.dtype, device=self.device)
        self.running[:, 1] = 1
        self._running_of_groups = [self.running[:, :, group.networks] for group in self.groups]
        if has_covariance is None:
            has_covariance = any(group.normalization.whitens for group in self.groups)
        size = model.width // model.groups if has_covariance else 0
        identities = torch.eye(size, dtype=self.dtype, device=self.device)
        self.covariance = identities.repeat(model.hidden_layers, len(self), model.groups, 1, 1)
        self.limits = torch.zeros(2, dtype=self.dtype, device=self.device)
        self._limits_for = (math.nan, math.nan)
        self.limit(HyperParams())
        self._numbers = [self._numbers_of(layer) for layer in range(model.hidden_layers)]
        self._rates, self._rates_for = torch.zeros(len(self), 1, dtype=self.dtype, device=self.device), math.nan

    def _numbers_of(self, layer: int) -> list[Numbers]:
        """Of each group of networks, in one hidden layer."""
        of = self.parameters
        return [
            Numbers(
                of.gammas[layer][group.networks],
                of.betas[layer][group.networks],
                of.padded_weights[layer][group.networks],
                self.running[layer, :, group.networks],
                self.covariance[layer, group.networks],
                self.limits,
            )
            for group in self.groups
        ]

    def __len__(self) -> int:
        return len(self.normalizations)

    def set_weights(self, weights: Sequence[Tensor], networks: Sequence[int] | None = None) -> None:
        """Give these networks, or all, the same weight matrices, each [n_out, n_in] as PyTorch has them.

        With weight normalization they are the v, and g the length of each, so that the function is the same.
        """
        chosen = range(len(self)) if networks is None else networks
        for mine, given in zip(self.parameters.weights, weights, strict=True):
            mine[list(chosen)] = given.T.to(mine)
        for group in self.groups:
            if group.normalization.is_of_weights:
                for gamma, weight in zip(self.parameters.gammas, self.parameters.padded_weights, strict=False):
                    gamma[group.networks] = norms(weight[group.networks])

    def limit(self, hyper: HyperParams) -> None:
        """Take over r_max and d_max: always into the same tensor."""
        limits = (hyper.r_max, hyper.d_max)
        if limits != self._limits_for:
            self.limits.copy_(torch.tensor(limits, dtype=self.dtype))
            self._limits_for = limits

    def rates(self, learning_rate: float) -> Tensor:
        """The learning rate of every network, [K, 1], where the run's is `learning_rate`; always the same tensor."""
        if learning_rate != self._rates_for:
            rates = [learning_rate if own is None else own for own in self.learning_rates]
            self._rates.copy_(torch.tensor(rates, dtype=self.dtype)[:, None])
            self._rates_for = learning_rate
        return self._rates

    def activations(self, batch: int) -> Activations:
        """Buffers for a batch of this size."""
        return Activations(self.model, self.groups, batch, self.dtype, self.device, self.has_dropout)

    # --- forward ------------------------------------------------------------------------------------------------------

    def forward(self, batch: Activations) -> None:
        """Images to logits, BN with this batch's statistics (the paper's N_BN^tr); running statistics untouched."""
        if batch.lit is None:
            torch.bmm(batch.inputs[0], self._parts.weights[0], out=batch.products[0])
        else:
            for product, weight in zip(batch.first_products, self._parts.first_weights, strict=True):
                product.copy_(batch.lit.times(weight))
        self.forward_from_first_product(batch)

    def _first_gradient(self, batch: Activations, sink: Sink, along: Sequence[Along]) -> None:
        """u^T delta of the first layer."""
        if batch.lit is None:
            sink.weight(sink.parts.weights[0], batch.transposed_inputs[0], batch.deltas[0], along)
            return
        shares = {k: (one, k - one.networks.start) for one in along for k in range(len(self))[one.networks]}
        for network, (target, delta) in enumerate(zip(sink.parts.first_weights, batch.first_deltas, strict=True)):
            gradient = batch.lit.transposed_times(delta)
            if network in shares:
                one, place = shares[network]
                gradient[:, : self.model.width].addcmul_(one.weights[place], one.factor[place], value=-1)
            sink.first_weight(target, gradient, network)

    def forward_from_first_product(self, batch: Activations) -> None:
        """The same where the first layer's u W is already in place."""
        self._forward_hidden(0, batch)
        self.forward_from_inputs(batch, 1)

    def forward_from_inputs(self, batch: Activations, first: int) -> None:
        """The same where the outputs of the hidden layer below weight layer `first`, from 0, are already in place."""
        for layer in range(first, len(batch.hidden)):
            self._gather(layer, batch)
            torch.bmm(batch.inputs[layer], self._parts.weights[layer], out=batch.products[layer])
            self._forward_hidden(layer, batch)
        self._gather(-1, batch)
        torch.bmm(batch.inputs[-1], self._parts.weights[-1], out=batch.padded_logits)
        batch.padded_logits.add_(self._parts.output_bias)
        batch.no_classes.fill_(-torch.inf)

    @staticmethod
    def _gather(layer: int, batch: Activations) -> None:
        """The outputs of the layer below as this weight layer sees them."""
        if (link := batch.links[layer]) is not None:
            link.gather()

    @staticmethod
    def _scatter(layer: int, batch: Activations) -> None:
        """dl/d(what a weight layer sees) as dl/d(the outputs of the layer below)."""
        if (link := batch.links[layer]) is not None:
            link.scatter()

    def _forward_hidden(self, layer: int, batch: Activations) -> None:
        hidden = batch.hidden[layer]
        for part, bias in zip(hidden.parts, self._parts.biases[layer], strict=True):
            if part.pre_activation is not None:
                part.pre_activation.add_(bias)
        self._normalize(layer, hidden.before)
        self._nonlinearity.forward(hidden.z, out=hidden.g)
        self._normalize(layer, hidden.after)
        for one in hidden.passages:
            one.forward()

    def _normalize(self, layer: int, parts: Sequence[Part]) -> None:
        numbers = self._numbers[layer]
        for part in parts:
            part.normalization.forward(part.x, part.out, numbers[part.group], part.memory)

    def loss(self, batch: Activations) -> None:
        """Softmax cross-entropy: fills `loss`, `accuracy` and dl/dlogits = (softmax - one-hot) / b.

        The padding's logits are -inf: classes of probability 0, which change nothing.
        """
        log_p = torch.log_softmax(batch.padded_logits, dim=2)
        torch.gather(log_p, 2, batch.label_of_each, out=batch.log_p_label)
        torch.eq(log_p.argmax(2, keepdim=True), batch.label_of_each, out=batch.is_right)
        torch.mean(batch.scores, dim=2, out=batch.report)
        batch.loss.neg_()
        torch.softmax(batch.padded_logits, dim=2, out=batch.padded_delta)  # exp(log_p) takes three times as long
        batch.padded_delta.scatter_add_(2, batch.label_of_each, batch.minus_one).mul_(1 / batch.batch)

    # --- backward -----------------------------------------------------------------------------------------------------

    def backward(self, batch: Activations, sink: Sink) -> None:
        """dl/dlogits back to every parameter; each gradient goes to the sink once nothing needs the old value."""
        weights_t, into = self._parts.transposed_weights, sink.parts
        for layer in range(len(batch.hidden), 0, -1):
            delta = batch.deltas[layer]
            torch.bmm(delta, weights_t[layer], out=batch.d_inputs[layer])
            self._scatter(layer, batch)
            sink.weight(into.weights[layer], batch.transposed_inputs[layer], delta, self.along(layer, batch))
            self._backward_hidden(layer - 1, batch, sink)
        self._first_gradient(batch, sink, self.along(0, batch))
        sink.bias(into.output_bias, batch.ones, batch.padded_delta)
        for group, scales, mean_d_scales in zip(self.groups, into.scales, batch.mean_d_scales_of_groups, strict=True):
            if group.normalization.has_parameters:
                if batch.positions is not None:  # so far divided by the rows, not by the images
                    mean_d_scales.mul_(batch.positions)
                sink.scales(scales, mean_d_scales, batch.batch)

    def weight_gradient(self, batch: Activations, layer: int, out: Tensor) -> None:
        """dl/dW of one weight layer, counted from 0 and not the first: dl/dlogits back as far as there and no farther.

        `out` is [K, n_in, n], for the output layer with its padding.
        """
        for above in range(len(batch.hidden), layer, -1):
            torch.bmm(batch.deltas[above], self._parts.transposed_weights[above], out=batch.d_inputs[above])
            self._scatter(above, batch)
            self._backward_through(above - 1, batch)
        torch.bmm(batch.transposed_inputs[layer], batch.deltas[layer], out=out)
        for one in self.along(layer, batch):
            out[one.networks].addcmul_(one.weights, one.factor, value=-1)

    def along(self, layer: int, batch: Activations) -> list[Along]:
        """What weight normalization adds to the gradient of a weight layer, once delta is that of its u W."""
        if not self._has_weight_norm or layer == len(batch.hidden):
            return []
        weights, n = self.parameters.weights[layer], self.model.width
        return [
            Along(group.networks, weights[group.networks], part.memory.own["along"][:, :, :n])
            for group, part in zip(self.groups, batch.hidden[layer].parts, strict=True)
            if group.normalization.is_of_weights
        ]

    def _backward_hidden(self, layer: int, batch: Activations, sink: Sink) -> None:
        """dl/du of one hidden layer to dl/d(u W), in place, and the gradients of its biases."""
        self._backward_through(layer, batch)
        for part, bias in zip(batch.hidden[layer].parts, sink.parts.biases[layer], strict=True):
            if part.pre_activation is not None:
                sink.bias(bias, batch.ones_of(layer)[: len(bias)], part.delta)

    def _backward_through(self, layer: int, batch: Activations) -> None:
        hidden = batch.hidden[layer]
        for one in hidden.passages:
            one.backward()
        self._denormalize(layer, hidden.after)
        self._nonlinearity.backward(hidden.delta, hidden.z, hidden.g)
        self._denormalize(layer, hidden.before)

    def _denormalize(self, layer: int, parts: Sequence[Part]) -> None:
        numbers = self._numbers[layer]
        for part in parts:
            part.normalization.backward(part.delta, numbers[part.group], part.memory)

    def weight_products(self, batch: Activations, sink: Sink) -> None:
        """Send u^T delta of every weight matrix alone, once more, from what the last backward pass left."""
        for layer in range(len(batch.hidden), 0, -1):
            sink.weight(sink.parts.weights[layer], batch.transposed_inputs[layer], batch.deltas[layer], ())
        self._first_gradient(batch, sink, ())

    # --- running statistics and inference -----------------------------------------------------------------------------

    def update_running(self, batch: Activations, momentum: float) -> None:
        """running <- (1 - momentum) running + momentum batch, the variance unbiased: m/(m-1) var. PyTorch's convention.

        m counts the values of a unit: images, or in a convolutional layer images times positions. Once a batch, after
        forward: it turns the batch's biased variance into the unbiased one in place. A single value has a mean and no
        unbiased variance, m - 1 being 0: the running variance stays as it is.
        """
        has_variance = min(batch.rows) > 1
        kinds = slice(0, 2 if has_variance else 1)
        if has_variance:
            batch.statistics[:, 1].mul_(batch.unbiased)
        for group, running, statistics in zip(
            self.groups, self._running_of_groups, batch.statistics_of_groups, strict=True
        ):
            if group.normalization.has_statistics:
                running[:, kinds].lerp_(statistics[:, kinds], momentum)
        if self.covariance.shape[-1] and has_variance:
            self._update_covariance(batch, momentum)

    def _update_covariance(self, batch: Activations, momentum: float) -> None:
        for covariance, hidden, rows in zip(self.covariance, batch.hidden, batch.rows, strict=True):
            for group, part in zip(self.groups, hidden.parts, strict=True):
                if group.normalization.whitens:
                    unbiased = part.memory.own["covariance"] * (rows / (rows - 1))
                    covariance[group.networks].lerp_(unbiased, momentum)

    def folded(self) -> Parameters:
        """The networks for inference: what is an affine map there is folded into a neighbour's weights.

        With running statistics y = scale x + shift where scale = gamma / sqrt(Var + eps), shift = beta - scale E[x].
        BN before: into the layer before it, W' = W scale. BN after: into the next one, W' = scale W, b' = b + shift W.
        Source: Ioffe & Szegedy 2015, Algorithm 2. For a whitened layer scale is a matrix; with weight normalization it
        is g / ||v||, and shift b. Networks that normalize each image by itself stay as they are, and are the only ones
        whose gammas and betas mean something in what is returned.
        """
        folded = self.parameters.clone()
        for group in self.groups:
            for layer in range(self.model.hidden_layers):
                if group.normalization.is_of_weights:
                    self._fold_weight_norm(folded, layer, group.networks)
                elif group.normalization.whitens:
                    self._fold_matrix(folded, layer, group.networks)
                elif group.normalization.has_statistics:
                    self._fold(folded, layer, group.networks)
        return folded

    def _fold(self, folded: Parameters, layer: int, k: slice) -> None:
        """One factor and one shift a unit; the layer after it sees each unit so many times as it has rows for it."""
        mean, variance = self.running[layer, :, k]
        scale = folded.gammas[layer][k] * torch.rsqrt(variance + EPS)
        shift = folded.betas[layer][k] - scale * mean
        n = self.model.width
        if self._is_bn_before:
            folded.weights[layer][k].mul_(scale[:, :, :n])
            folded.biases[layer][k].copy_(shift)
        else:
            following = folded.weights[layer + 1][k]
            times = following.shape[1] // n
            folded.biases[layer + 1][k, :, : following.shape[2]].baddbmm_(
                shift[:, :, :n].repeat(1, 1, times), following
            )
            following.mul_(scale[:, :, :n].repeat(1, 1, times).transpose(1, 2))

    def _fold_matrix(self, folded: Parameters, layer: int, k: slice) -> None:
        """y = x scale + shift with scale = S^(-1/2) diag(gamma), block by block, [k, n, n]; see `_fold`."""
        n = self.model.width
        blocks = whitening_matrix(self.covariance[layer, k]).to(self.dtype)
        whitening = torch.stack([torch.block_diag(*one) for one in blocks])  # type: ignore[no-untyped-call]
        scale = whitening * folded.gammas[layer][k][:, :, :n]
        shift = folded.betas[layer][k][:, :, :n] - self.running[layer, 0, k][:, :, :n] @ scale
        if self._is_bn_before:
            folded.weights[layer][k] = folded.weights[layer][k] @ scale
            folded.biases[layer][k][:, :, :n] = shift
        else:
            following = folded.weights[layer + 1][k]
            times = following.shape[1] // n
            folded.biases[layer + 1][k, :, : following.shape[2]].baddbmm_(shift.repeat(1, 1, times), following)
            by_place = following.view(len(following), times, n, -1)  # each place of a patch has all the units
            by_place.copy_(scale[:, None] @ by_place)

    def _fold_weight_norm(self, folded: Parameters, layer: int, k: slice) -> None:
        weights = folded.padded_weights[layer][k]
        weights.mul_(folded.gammas[layer][k] / norms(weights))
        folded.biases[layer][k].copy_(folded.betas[layer][k])

    # --- parts and wholes ---------------------------------------------------------------------------------------------

    def only(self, networks: Sequence[int]) -> "Stack":
        """A copy of some of the networks. Each goes on as if the others were still beside it, bit for bit."""
        normalizations = [self.normalizations[k] for k in networks]
        rates = [self.learning_rates[k] for k in networks]
        has_covariance = self.covariance.shape[-1] > 0
        drops = [self.has_dropout[k] for k in networks]
        chosen = Stack(self.model, normalizations, self.dtype, self.device, rates, has_covariance, drops)
        chosen.parameters.flat.copy_(self.parameters.only(networks).flat)
        chosen.running.copy_(self.running[:, :, list(networks)])
        chosen.covariance.copy_(self.covariance[:, list(networks)])
        chosen.limits.copy_(self.limits)
        chosen._limits_for = self._limits_for
        return chosen

    def follow(self, other: "Stack") -> None:
        """Take over the statistics and limits of a stack of the same networks, not its parameters."""
        self.running.copy_(other.running)
        self.covariance.copy_(other.covariance)
        self.limits.copy_(other.limits)
        self._limits_for = other._limits_for

    def named(self, network: int) -> dict[str, Tensor]:
        """One network's parameters and running statistics as views, by name; see `Parameters.named`.

        "running_mean.1" and "running_var.1" [n] of hidden layers; "running_cov.1" [G, s, s] where the network whitens.
        """
        named = self.parameters.named(network)
        for layer, statistics in enumerate(self.running, start=1):
            for kind, row in zip(("running_mean", "running_var"), statistics, strict=True):
                named[f"{kind}.{layer}"] = row[network, 0, : self.model.width]
        if NORMALIZATIONS[self.normalizations[network]].whitens:
            named |= {f"running_cov.{layer}": each[network] for layer, each in enumerate(self.covariance, start=1)}
        return named
