"""The buffers that one batch size needs, reused from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from bnviz.config import IMAGE_SIDE, INPUT_PIXELS, BnPlacement, ModelConfig, Normalization
from bnviz.models.dropout import Passage, passages
from bnviz.models.lit_pixels import LitDataSet, LitPixels
from bnviz.models.normalizations import NORMALIZATIONS, Memory, NormalizationPair
from bnviz.models.normalizations.none import NoNormalization
from bnviz.models.parameters import padded
from bnviz.models.patches import Flattening, Unfolding, patches


@dataclass(frozen=True)
class Group:
    """Neighbouring networks with the same normalization."""

    normalization: NormalizationPair
    networks: slice


def groups_of(normalizations: Sequence[Normalization]) -> tuple[Group, ...]:
    """The runs of equal normalizations, in order."""
    groups, start = [], 0
    for normalization, run in groupby(normalizations):
        stop = start + len(list(run))
        groups.append(Group(NORMALIZATIONS[normalization], slice(start, stop)))
        start = stop
    return tuple(groups)


@dataclass(frozen=True)
class Part:
    """What one group of networks sees of one hidden layer: its normalization's input, output, delta and memory.

    `group` counts the groups; `pre_activation` is the slice of z that a bias is added to, None where the normalization
    makes the bias redundant.
    """

    group: int
    normalization: NormalizationPair
    x: Tensor
    out: Tensor
    delta: Tensor
    memory: Memory
    pre_activation: Tensor | None


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer's values for one batch, all [K, b, p]; with space rows are images and positions: [K, b s², p].

    Attributes:
        z: the input to the nonlinearity. BN before: z = BN(u W); otherwise z = u W + b.
        g: the nonlinearity's output g(z).
        u: what the next layer sees. BN after: u = BN(g(z)); otherwise u is g itself, unless a network has dropout.
        delta: dl/d(u W) once backward has passed.
        parts: one for each group of networks.
        before, after: what stands on either side of the nonlinearity: all parts, and with BN after it those of weights.
        passages: from the layer's outputs to u, where a network has dropout.
    """

    z: Tensor
    g: Tensor
    u: Tensor
    delta: Tensor
    parts: tuple[Part, ...]
    before: tuple[Part, ...]
    after: tuple[Part, ...]
    passages: tuple[Passage, ...]


class Activations:
    """Everything that forward and backward write for one batch of b images.

    In a convolutional network a hidden layer has a row for every position of every image, s² times as many, and its
    patches, or the whole map, are copied side by side for the layer above.

    Attributes:
        images: [b, n_0]; labels: [b] int64. `fill` them, or write `index`, [b] int64, and `select` them; then call
            `Stack.forward`.
        lit: the images as lists of lit pixels, which stand in for `images` then; None where plain products are as fast.
        hidden: one `HiddenLayer` each.
        logits: [K, b, 10], the output layer's u W + b.
        padded_delta: [K, b, p], dl/dlogits, 0 in the padding. After a step of SGD without momentum this, `deltas` and
            `mean_d_scales` hold the learning rate times the gradient.
        loss, accuracy: [K] nats and share of images classified correctly, means over the batch; the rows of `report`.
        rows: for each hidden layer, b s²: so many values a unit has (the paper's m' = m p q).
        statistics: [l, 2, K, 1, p], mean and biased variance of this batch, where networks take them; and by group.
        unbiased: [l, 1, 1, 1], rows / (rows - 1); 1 where there is a single row.
        noise: for each hidden layer [2, 1, b, p], factors and shifts of the networks that are noisy: 1 and 0 until
            `Noise.draw` fills them. None without such networks.
        masks: [sum of rows, p], the hidden layers' one after the other: factors of the networks that have dropout, 1
            until `Dropout.draw` fills them. None without such networks.
        mean_d_scales: [K, 2, l, p], dl/dgamma and dl/dbeta of all layers divided by b, where networks train them;
            and by group.
        positions: [l, 1], the layers' s²; None where all are 1.
        log_p_label, is_right: [K, b, 1], log p of the right class, and 1 where it is the answer; together `scores`.
        inputs, products, deltas: for each weight layer u, u W and dl/d(u W) without the padding, [K, b, n]; the last
            of `deltas` is `padded_delta`. d_inputs: dl/du, from the second layer on; the first is None.
        links: for each weight layer what copies the outputs of the layer below to its inputs, and the gradient back;
            None where they are the inputs.
        first_products, first_deltas: the first of the latter two, network by network and with the padding, [b, p].
    """

    @torch.inference_mode(False)  # buffers made within a step may be written outside of it
    def __init__(
        self,
        model: ModelConfig,
        groups: Sequence[Group],
        batch: int,
        dtype: torch.dtype,
        device: torch.device,
        has_dropout: Sequence[bool] = (),
    ) -> None:
        self.batch = batch
        self._has_dropout = tuple(has_dropout)
        self.lit: LitPixels | None = None
        layers, hidden = model.layers, len(model.layers) - 1
        networks, width, classes = groups[-1].networks.stop, model.width, layers[-1].n_out

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        p, self._width, self._unit_groups = padded(width), width, model.groups
        self.images = zeros(batch, INPUT_PIXELS)
        self.labels, self.index = torch.zeros(2, batch, dtype=torch.int64, device=device)
        self.report = zeros(2, networks)
        self.loss, self.accuracy = self.report
        self.rows = [layer.positions * batch for layer in layers[:-1]]
        self._positions = [layer.positions for layer in layers[:-1]]
        self.positions: Tensor | None = None
        if model.is_convolutional:
            self.positions = torch.tensor(self._positions, dtype=dtype, device=device)[:, None]
        unbiased = [rows / max(rows - 1, 1) for rows in self.rows]
        self.unbiased = torch.tensor(unbiased, dtype=dtype, device=device)[:, None, None, None]
        self.statistics = zeros(hidden, 2, networks, 1, p)
        self.statistics_of_groups = [self.statistics[:, :, group.networks] for group in groups]
        self.noise: list[Tensor] | None = None
        if any(group.normalization.is_noisy for group in groups):
            self.noise = [zeros(2, 1, rows, p) for rows in self.rows]
            for factors, _ in self.noise:
                factors.fill_(1)
        self.masks: Tensor | None = None
        if any(has_dropout):
            self.masks = zeros(sum(self.rows), p).add_(1)
        self.mean_d_scales = zeros(networks, 2, hidden, p)
        self.mean_d_scales_of_groups = [self.mean_d_scales[group.networks] for group in groups]
        self._batch_mean = zeros(1, 1, batch).add_(1 / batch)
        self._position_means = [zeros(1, 1, s).add_(1 / s) for s in self._positions]
        self._scratches = {rows: zeros(networks, rows, p) for rows in self.rows}
        self._ones = {rows: zeros(1, 1, rows).add_(1).expand(networks, 1, rows) for rows in {batch, *self.rows}}
        self.ones = self._ones[batch]
        self.hidden = [
            self._hidden_layer(layer, zeros(4, networks, rows, p), groups, model.bn_placement)
            for layer, rows in enumerate(self.rows)
        ]
        self.padded_logits, self.padded_delta = zeros(2, networks, batch, padded(classes))
        self.label_of_each = self.labels.view(1, batch, 1).expand(networks, batch, 1)
        self.scores = zeros(2, networks, batch)
        self.log_p_label, self.is_right = self.scores.unsqueeze(3)
        self.minus_one = zeros(1, 1, 1).sub_(1).expand(networks, batch, 1)
        self.logits, self.no_classes = self.padded_logits[:, :, :classes], self.padded_logits[:, :, classes:]
        self._first_rows = zeros(self.rows[0], layers[0].n_in) if model.is_convolutional else self.images
        self.links: list[Unfolding | Flattening | None] = [None, *(self._link(model, layer) for layer in range(hidden))]
        self.inputs = [self._first_rows.expand(networks, -1, -1)]
        self.d_inputs: list[Tensor | None] = [None]
        for one, link in zip(self.hidden, self.links[1:], strict=True):
            self.inputs.append(one.u[:, :, :width] if link is None else link.rows)
            self.d_inputs.append(one.delta[:, :, :width] if link is None else link.d_rows)
        self.products = [*(h.z[:, :, :width] for h in self.hidden), self.logits]
        self.transposed_inputs = [u.transpose(1, 2) for u in self.inputs]
        self.first_products, self.first_deltas = self.hidden[0].z.unbind(), self.hidden[0].delta.unbind()
        self.deltas = [*(h.delta[:, :, :width] for h in self.hidden), self.padded_delta]

    def fill(self, images: Tensor, labels: Tensor, lit: LitPixels | None = None) -> None:
        """Take in a mini-batch, [b, n_0] and [b]; `lit`, if given, are the same images and all that is read of them."""
        if lit is None:
            self.images.copy_(images)
            self._take_patches()
        self.labels.copy_(labels)
        self.lit = lit

    def select(self, images: Tensor, labels: Tensor, lit: LitDataSet | None = None) -> None:
        """Take in the mini-batch that `index` names out of a data set, [N, n_0] and [N]; `lit` is all of its images."""
        if lit is None:
            torch.index_select(images, 0, self.index, out=self.images)
            self._take_patches()
        torch.index_select(labels, 0, self.index, out=self.labels)
        self.lit = None if lit is None else lit.take(self.index)

    def _take_patches(self) -> None:
        """The patches of the images, which all networks share."""
        if self._first_rows is not self.images:
            self._first_rows.copy_(patches(self.images.view(-1, 1), IMAGE_SIDE))

    def _link(self, model: ModelConfig, layer: int) -> Unfolding | Flattening | None:
        """What stands between a hidden layer, from 0, and the weight layer above it."""
        if not model.is_convolutional:
            return None
        u, delta = (one[:, :, : model.width] for one in (self.hidden[layer].u, self.hidden[layer].delta))
        kind = Unfolding if layer + 1 < model.hidden_layers else Flattening
        return kind(u, delta, model.layers[layer].side)

    def ones_of(self, layer: int) -> Tensor:
        """A one for every row of a hidden layer, for the sum over them. [K, 1, b s²]"""
        return self._ones[self.rows[layer]]

    def _hidden_layer(
        self, layer: int, buffers: Tensor, groups: Sequence[Group], placement: BnPlacement
    ) -> HiddenLayer:
        z, g, normalized, delta = buffers
        is_before = placement is BnPlacement.BEFORE
        # With dropout u must not be g: backward through a sigmoid needs g itself.
        u = g if is_before and self.masks is None else torch.zeros_like(g)
        parts: list[Part] = []
        before: list[Part] = []
        after: list[Part] = []
        for number, group in enumerate(groups):
            k, normalization = group.networks, group.normalization
            memory = self._memory(layer, k, normalized[k])
            memory.own.update(normalization.buffers(memory))
            stands_before = is_before or normalization.is_of_weights
            x, out = (z, z) if stands_before else (g, u)
            is_biased = not (stands_before and normalization.drops_bias_before_it)
            pre_activation = z[k] if is_biased else None
            part = Part(number, normalization, x[k], out[k], delta[k], memory, pre_activation)
            parts.append(part)
            (before if stands_before else after).append(part)
            if stands_before and not is_before:
                after.append(replace(part, normalization=NoNormalization(), x=g[k], out=u[k]))
        mask = None if self.masks is None else torch.split(self.masks, self.rows)[layer][None]
        passing = passages(self._has_dropout, g if is_before else u, u, delta, mask)
        return HiddenLayer(z, g, u, delta, tuple(parts), tuple(before), tuple(after), tuple(passing))

    def _memory(self, layer: int, k: slice, normalized: Tensor) -> Memory:
        mean, variance = self.statistics[layer, :, k]
        mean_d_gamma, mean_d_beta = self.mean_d_scales[k, :, layer].unsqueeze(2).unbind(1)
        return Memory(
            normalized=normalized,
            mean=mean,
            variance=variance,
            inverse_std=torch.zeros_like(mean),
            batch_mean=self._batch_mean.expand(len(mean), 1, -1),
            position_mean=self._position_means[layer],
            scratch=self._scratches[self.rows[layer]][k],
            positions=self._positions[layer],
            units=self._width,
            unit_groups=self._unit_groups,
            mean_d_gamma=mean_d_gamma,
            mean_d_beta=mean_d_beta,
            noise=None if self.noise is None else self.noise[layer],
        )
