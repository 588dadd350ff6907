"""K networks computed as one: forward and backward, written out."""

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
    """Parameters as the layers use them: weights whole, vectors split by group of networks. [layer][group]"""

    def __init__(self, parameters: Parameters, groups: Sequence[Group]) -> None:
        self.weights = parameters.weights
        self.output_bias = parameters.biases[-1]
        self.biases = [[bias[group.networks] for group in groups] for bias in parameters.biases[:-1]]
        self.gammas = [[gamma[group.networks] for group in groups] for gamma in parameters.gammas]
        self.betas = [[beta[group.networks] for group in groups] for beta in parameters.betas]


class Sink(Protocol):
    """Where backward sends each gradient as soon as it has it: into a buffer, or straight into the weights."""

    parts: ParameterParts

    def weight(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        """The gradient of a weight matrix is the product left @ right. [K, n_in, b] @ [K, b, n_out]"""

    def bias(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        """The gradient of a bias is the product left @ right. [k, 1, b] @ [k, b, p]"""

    def vector(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        """The gradient of a gamma or beta is factor * gradient. [k, 1, p]"""


class Collect:
    """Writes the gradients into `gradient`, for optimizers and probes that need them as a whole."""

    def __init__(self, gradient: Parameters, groups: Sequence[Group]) -> None:
        self.gradient, self.parts = gradient, ParameterParts(gradient, groups)

    def weight(self, target: Tensor, left: Tensor, right: Tensor) -> None:
        torch.bmm(left, right, out=target)

    bias = weight

    def vector(self, target: Tensor, gradient: Tensor, factor: float) -> None:
        torch.mul(gradient, factor, out=target)


class Stack:
    """K networks of one shape that differ in normalization: u_l = g(N(u_(l-1) W_l)) and so on, up to ten logits.

    With BN before the nonlinearity (the paper's place) z = BN(u W): a bias would cancel in the mean and is dropped,
    beta takes its part. With BN after it, u = BN(g(u W + b)): b acts inside g, before any mean is taken, and the next
    layer's b is added after the mean, so none cancels and all stay. gamma starts at 1, beta and b at 0.

    Attributes:
        parameters: what the optimizer changes.
        running: [l, 2, K, 1, p], BN's running mean and unbiased variance of every hidden layer.
    """

    def __init__(
        self,
        model: ModelConfig,
        normalizations: Sequence[Normalization],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        self.model, self.normalizations = model, tuple(normalizations)
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

    def __len__(self) -> int:
        return len(self.normalizations)

    def set_weights(self, weights: Sequence[Tensor]) -> None:
        """Give every network the same weight matrices, each [n_out, n_in] as PyTorch has them."""
        for mine, given in zip(self.parameters.weights, weights, strict=True):
            mine.copy_(given.T)

    def activations(self, batch: int) -> Activations:
        """Buffers for a batch of this size."""
        return Activations(self.model.sizes, self.groups, self.model.bn_placement, batch, self.dtype, self.device)

    # --- forward ------------------------------------------------------------------------------------------------------

    def forward(self, batch: Activations) -> None:
        """Images to logits, BN with this batch's statistics (the paper's N_BN^tr); running statistics untouched."""
        torch.bmm(batch.inputs[0], self._parts.weights[0], out=batch.products[0])
        self.forward_from_first_product(batch)

    def forward_from_first_product(self, batch: Activations) -> None:
        """The same where the first layer's u W is already in place."""
        for layer in range(len(batch.hidden)):
            if layer > 0:
                torch.bmm(batch.inputs[layer], self._parts.weights[layer], out=batch.products[layer])
            self._forward_hidden(layer, batch)
        torch.bmm(batch.inputs[-1], self._parts.weights[-1], out=batch.logits)
        batch.padded_logits.add_(self._parts.output_bias)

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
        log_p_label = log_p.gather(2, batch.label_of_each)
        batch.scores[0].copy_(log_p_label.squeeze(2))
        torch.ge(batch.scores[0], log_p.amax(2), out=batch.scores[1])
        torch.mean(batch.scores, dim=2, out=batch.report)
        batch.loss.neg_()
        torch.index_select(batch.classes, 0, batch.labels, out=batch.one_hot)
        torch.sub(log_p.exp_(), batch.one_hot, out=batch.padded_delta).mul_(1 / batch.batch)

    # --- backward -----------------------------------------------------------------------------------------------------

    def backward(self, batch: Activations, sink: Sink) -> None:
        """dl/dlogits back to every parameter; each gradient goes to the sink once nothing needs the old value."""
        weights, into = self._parts.weights, sink.parts
        for layer in range(len(batch.hidden), -1, -1):
            u, delta = batch.inputs[layer], batch.deltas[layer]
            if layer > 0:
                torch.bmm(delta, weights[layer].transpose(1, 2), out=batch.deltas[layer - 1])
            sink.weight(into.weights[layer], u.transpose(1, 2), delta)
            if layer > 0:
                self._backward_hidden(layer - 1, batch, sink)
        sink.bias(into.output_bias, batch.ones, batch.padded_delta)

    def _backward_hidden(self, layer: int, batch: Activations, sink: Sink) -> None:
        """dl/du of one hidden layer to dl/d(u W), in place."""
        hidden = batch.hidden[layer]
        if self._is_bn_before:
            self._nonlinearity.backward(hidden.delta, hidden.z, hidden.g)
            self._backward_normalization(layer, batch, sink)
        else:
            self._backward_normalization(layer, batch, sink)
            self._nonlinearity.backward(hidden.delta, hidden.z, hidden.g)
        for part, bias in zip(hidden.parts, sink.parts.biases[layer], strict=True):
            if part.pre_activation is not None:
                sink.bias(bias, batch.ones[: len(bias)], part.delta)

    def _backward_normalization(self, layer: int, batch: Activations, sink: Sink) -> None:
        into = sink.parts
        for part, gamma, d_gamma, d_beta in zip(
            batch.hidden[layer].parts, self._parts.gammas[layer], into.gammas[layer], into.betas[layer], strict=True
        ):
            part.normalization.backward(part.delta, gamma, part.memory)
            if part.normalization.has_parameters:
                sink.vector(d_gamma, part.memory.mean_d_gamma, batch.batch)
                sink.vector(d_beta, part.memory.mean_d_beta, batch.batch)

    # --- running statistics and inference -----------------------------------------------------------------------------

    def update_running(self, batch: Activations, momentum: float) -> None:
        """running <- (1 - momentum) running + momentum batch, the variance unbiased: m/(m-1) var. PyTorch's convention.

        Once a batch, after forward: it turns the batch's biased variance into the unbiased one in place.
        """
        batch.statistics[:, 1].mul_(batch.batch / (batch.batch - 1))
        for group in self.groups:
            if group.normalization.has_parameters:
                self.running[:, :, group.networks].lerp_(batch.statistics[:, :, group.networks], momentum)

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
        chosen = Stack(self.model, [self.normalizations[k] for k in networks], self.dtype, self.device)
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
