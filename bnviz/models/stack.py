"""K networks computed as one: forward and backward, written out."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from bnviz.config import BnPlacement, ModelConfig, Normalization
from bnviz.models.activations import Activations, Group, groups_of
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations import EPS
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
        self.gammas = [[gamma[group.networks] for group in groups] for gamma in parameters.gammas]
        self.betas = [[beta[group.networks] for group in groups] for beta in parameters.betas]
        self.scales = [parameters.scales[group.networks] for group in groups]


class Sink(Protocol):
    """Where backward sends each gradient as soon as it has it: into a buffer, or straight into the weights."""

    parts: ParameterParts

    def weight(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        """The gradient of a weight matrix is the product left @ right. [K, n_in, b] @ [K, b, n_out]"""

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

    def weight(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        torch.bmm(left, right, out=target)

    bias = weight

    def first_weight(self, target: Tensor, gradient: Tensor, network: int) -> None:
        target.copy_(gradient)

    def scales(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        torch.mul(gradient, factor, out=target)


class Stack:
    """K networks of one shape that differ in normalization: u_l = g(N(u_(l-1) W_l)) and so on, up to ten logits.

    With BN before the nonlinearity (the paper's place) z = BN(u W): a bias would cancel in the mean and is dropped,
    beta takes its part. With BN after it, u = BN(g(u W + b)): b acts inside g, before any mean is taken, and the next
    layer's b is added after the mean, so none cancels and all stay. gamma starts at 1, beta and b at 0.

    Attributes:
        learning_rates: each network's own; None where it has that of the run.
        parameters: what the optimizer changes.
        running: [l, 2, K, 1, p], BN's running mean and unbiased variance of every hidden layer.
    """

    @torch.inference_mode(False)  # one that is made within a step may be written outside of it
    def __init__(
        self,
        model: ModelConfig,
        normalizations: Sequence[Normalization],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        learning_rates: Sequence[float | None] | None = None,
    ) -> None:
        self.model, self.normalizations = model, tuple(normalizations)
        self.learning_rates = tuple(learning_rates or [None] * len(self.normalizations))
        self.dtype, self.device = dtype, device or torch.device("cpu")
        self.groups = groups_of(self.normalizations)
        self.parameters = Parameters(model.sizes, len(self.normalizations), self.dtype, self.device)
        for gamma in self.parameters.gammas:
            gamma.fill_(1)
        self._parts = ParameterParts(self.parameters, self.groups)
        self._nonlinearity = NONLINEARITIES[model.nonlinearity]
        self._is_bn_before = model.bn_placement is BnPlacement.BEFORE
        shape = (model.hidden_layers, 2, *self.parameters.gammas[0].shape)
        self.running = torch.zeros(shape, dtype=self.dtype, device=self.device)
        self.running[:, 1] = 1
        self._running_of_groups = [self.running[:, :, group.networks] for group in self.groups]
        self._rates, self._rates_for = torch.zeros(len(self), 1, dtype=self.dtype, device=self.device), math.nan

    def __len__(self) -> int:
        return len(self.normalizations)

    def set_weights(self, weights: Sequence[Tensor], networks: Sequence[int] | None = None) -> None:
        """Give these networks, or all, the same weight matrices, each [n_out, n_in] as PyTorch has them."""
        chosen = range(len(self)) if networks is None else networks
        for mine, given in zip(self.parameters.weights, weights, strict=True):
            mine[list(chosen)] = given.T.to(mine)

    def rates(self, learning_rate: float) -> Tensor:
        """The learning rate of every network, [K, 1], where the run's is `learning_rate`; always the same tensor."""
        if learning_rate != self._rates_for:
            rates = [learning_rate if own is None else own for own in self.learning_rates]
            self._rates.copy_(torch.tensor(rates, dtype=self.dtype)[:, None])
            self._rates_for = learning_rate
        return self._rates

    def activations(self, batch: int) -> Activations:
        """Buffers for a batch of this size."""
        return Activations(self.model.sizes, self.groups, self.model.bn_placement, batch, self.dtype, self.device)

    # --- forward ------------------------------------------------------------------------------------------------------

    def forward(self, batch: Activations) -> None:
        """Images to logits, BN with this batch's statistics (the paper's N_BN^tr); running statistics untouched."""
        if batch.lit is None:
            torch.bmm(batch.inputs[0], self._parts.weights[0], out=batch.products[0])
        else:
            for product, weight in zip(batch.first_products, self._parts.first_weights, strict=True):
                product.copy_(batch.lit.times(weight))
        self.forward_from_first_product(batch)

    def _first_gradient(self, batch: Activations, sink: Sink) -> None:
        """u^T delta of the first layer."""
        if batch.lit is None:
            sink.weight(sink.parts.weights[0], batch.transposed_inputs[0], batch.deltas[0])
            return
        for network, (target, delta) in enumerate(zip(sink.parts.first_weights, batch.first_deltas, strict=True)):
            sink.first_weight(target, batch.lit.transposed_times(delta), network)

    def forward_from_first_product(self, batch: Activations) -> None:
        """The same where the first layer's u W is already in place."""
        self._forward_hidden(0, batch)
        self.forward_from_inputs(batch, 1)

    def forward_from_inputs(self, batch: Activations, first: int) -> None:
        """The same where the inputs of weight layer `first`, counted from 0, are already in place."""
        for layer in range(first, len(batch.hidden)):
            torch.bmm(batch.inputs[layer], self._parts.weights[layer], out=batch.products[layer])
            self._forward_hidden(layer, batch)
        torch.bmm(batch.inputs[-1], self._parts.weights[-1], out=batch.padded_logits)
        batch.padded_logits.add_(self._parts.output_bias)
        batch.no_classes.fill_(-torch.inf)

    def _forward_hidden(self, layer: int, batch: Activations) -> None:
        hidden = batch.hidden[layer]
        for part, bias in zip(hidden.parts, self._parts.biases[layer], strict=True):
            if part.pre_activation is not None:
                part.pre_activation.add_(bias)
        if self._is_bn_before:
            self._normalize(layer, batch)
            self._nonlinearity.forward(hidden.z, out=hidden.g)
        else:
            self._nonlinearity.forward(hidden.z, out=hidden.g)
            self._normalize(layer, batch)

    def _normalize(self, layer: int, batch: Activations) -> None:
        gammas, betas = self._parts.gammas[layer], self._parts.betas[layer]
        for part, gamma, beta in zip(batch.hidden[layer].parts, gammas, betas, strict=True):
            part.normalization.forward(part.x, part.out, gamma, beta, part.memory)

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
            torch.bmm(delta, weights_t[layer], out=batch.deltas[layer - 1])
            sink.weight(into.weights[layer], batch.transposed_inputs[layer], delta)
            self._backward_hidden(layer - 1, batch, sink)
        self._first_gradient(batch, sink)
        sink.bias(into.output_bias, batch.ones, batch.padded_delta)
        for group, scales, mean_d_scales in zip(self.groups, into.scales, batch.mean_d_scales_of_groups, strict=True):
            if group.normalization.has_parameters:
                sink.scales(scales, mean_d_scales, batch.batch)

    def weight_gradient(self, batch: Activations, layer: int, out: Tensor) -> None:
        """dl/dW of one weight layer, counted from 0 and not the first: dl/dlogits back as far as there and no farther.

        `out` is [K, n_in, n], for the output layer with its padding.
        """
        for above in range(len(batch.hidden), layer, -1):
            torch.bmm(batch.deltas[above], self._parts.transposed_weights[above], out=batch.deltas[above - 1])
            self._backward_through(above - 1, batch)
        torch.bmm(batch.transposed_inputs[layer], batch.deltas[layer], out=out)

    def _backward_hidden(self, layer: int, batch: Activations, sink: Sink) -> None:
        """dl/du of one hidden layer to dl/d(u W), in place, and the gradients of its biases."""
        self._backward_through(layer, batch)
        for part, bias in zip(batch.hidden[layer].parts, sink.parts.biases[layer], strict=True):
            if part.pre_activation is not None:
                sink.bias(bias, batch.ones[: len(bias)], part.delta)

    def _backward_through(self, layer: int, batch: Activations) -> None:
        hidden = batch.hidden[layer]
        if self._is_bn_before:
            self._nonlinearity.backward(hidden.delta, hidden.z, hidden.g)
            self._backward_normalization(layer, batch)
        else:
            self._backward_normalization(layer, batch)
            self._nonlinearity.backward(hidden.delta, hidden.z, hidden.g)

    def _backward_normalization(self, layer: int, batch: Activations) -> None:
        for part, gamma in zip(batch.hidden[layer].parts, self._parts.gammas[layer], strict=True):
            part.normalization.backward(part.delta, gamma, part.memory)

    def weight_gradients(self, batch: Activations, sink: Sink) -> None:
        """Send the gradients of the weight matrices alone, once more, from what the last backward pass left."""
        for layer in range(len(batch.hidden), 0, -1):
            sink.weight(sink.parts.weights[layer], batch.transposed_inputs[layer], batch.deltas[layer])
        self._first_gradient(batch, sink)

    # --- running statistics and inference -----------------------------------------------------------------------------

    def update_running(self, batch: Activations, momentum: float) -> None:
        """running <- (1 - momentum) running + momentum batch, the variance unbiased: m/(m-1) var. PyTorch's convention.

        Once a batch, after forward: it turns the batch's biased variance into the unbiased one in place.
        """
        batch.statistics[:, 1].mul_(batch.batch / (batch.batch - 1))
        for group, running, statistics in zip(
            self.groups, self._running_of_groups, batch.statistics_of_groups, strict=True
        ):
            if group.normalization.has_parameters:
                running.lerp_(statistics, momentum)

    def folded(self) -> Parameters:
        """The networks for inference: BN with running statistics is an affine map, folded into a neighbour's weights.

        y = scale x + shift with scale = gamma / sqrt(Var + eps), shift = beta - scale E[x]. BN before: into the layer
        before it, W' = W scale. BN after: into the next one, W' = scale W, b' = b + shift W. Source: Ioffe & Szegedy
        2015, Algorithm 2; the gammas and betas returned are meaningless.
        """
        folded = self.parameters.clone()
        for group in self.groups:
            if group.normalization.has_parameters:
                for layer in range(self.model.hidden_layers):
                    self._fold(folded, layer, group.networks)
        return folded

    def _fold(self, folded: Parameters, layer: int, k: slice) -> None:
        mean, variance = self.running[layer, :, k]
        scale = folded.gammas[layer][k] * torch.rsqrt(variance + EPS)
        shift = folded.betas[layer][k] - scale * mean
        n = self.model.width
        if self._is_bn_before:
            folded.weights[layer][k].mul_(scale[:, :, :n])
            folded.biases[layer][k].copy_(shift)
        else:
            following = folded.weights[layer + 1][k]
            folded.biases[layer + 1][k, :, : following.shape[2]].baddbmm_(shift[:, :, :n], following)
            following.mul_(scale[:, :, :n].transpose(1, 2))

    # --- parts and wholes ---------------------------------------------------------------------------------------------

    def only(self, networks: Sequence[int]) -> "Stack":
        """A copy of some of the networks. Each goes on as if the others were still beside it, bit for bit."""
        normalizations = [self.normalizations[k] for k in networks]
        rates = [self.learning_rates[k] for k in networks]
        chosen = Stack(self.model, normalizations, self.dtype, self.device, rates)
        chosen.parameters.flat.copy_(self.parameters.only(networks).flat)
        chosen.running.copy_(self.running[:, :, list(networks)])
        return chosen

    def named(self, network: int) -> dict[str, Tensor]:
        """One network's parameters and running statistics as views, by name; see `Parameters.named`."""
        named = self.parameters.named(network)
        for layer, statistics in enumerate(self.running, start=1):
            for kind, row in zip(("running_mean", "running_var"), statistics, strict=True):
                named[f"{kind}.{layer}"] = row[network, 0, : self.model.width]
        return named
