"""The buffers that one batch size needs, reused from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from bnviz.config import BnPlacement, Normalization
from bnviz.models.normalizations import NORMALIZATIONS, Memory, NormalizationPair
from bnviz.models.parameters import padded


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

    `pre_activation` is the slice of z that a bias is added to, None where the normalization makes the bias redundant.
    """

    normalization: NormalizationPair
    x: Tensor
    out: Tensor
    delta: Tensor
    memory: Memory
    pre_activation: Tensor | None


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer's values for one batch, all [K, b, p].

    Attributes:
        z: the input to the nonlinearity. BN before: z = BN(u W); otherwise z = u W + b.
        g: the nonlinearity's output g(z).
        u: what the next layer sees. BN after: u = BN(g(z)); otherwise u is g itself.
        delta: dl/d(u W) once backward has passed.
        parts: one for each group of networks.
    """

    z: Tensor
    g: Tensor
    u: Tensor
    delta: Tensor
    parts: tuple[Part, ...]


class Activations:
    """Everything that forward and backward write for one batch of b images.

    Attributes:
        images: [b, n_0]; labels: [b] int64. Fill them, then call `Stack.forward`.
        hidden: one `HiddenLayer` each.
        logits, delta: [K, b, 10], the output layer's u W + b and dl/dlogits.
        loss, accuracy: [K] nats and share of images classified correctly, means over the batch; the rows of `report`.
        statistics: [l, 2, K, 1, p], mean and biased variance of this batch, for the networks with BN.
        inputs, products, deltas: for each weight layer u, u W and dl/d(u W) without the padding. [K, b, n]
    """

    def __init__(
        self,
        sizes: Sequence[int],
        groups: Sequence[Group],
        placement: BnPlacement,
        batch: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.batch = batch
        networks, width, classes = groups[-1].networks.stop, sizes[1], sizes[-1]

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        p = padded(width)
        self.images = zeros(batch, sizes[0])
        self.labels = torch.zeros(batch, dtype=torch.int64, device=device)
        self.ones = zeros(1, 1, batch).add_(1).expand(networks, 1, batch)
        self.report = zeros(2, networks)
        self.loss, self.accuracy = self.report
        self.statistics = zeros(len(sizes) - 2, 2, networks, 1, p)
        self._batch_mean = zeros(1, 1, batch).add_(1 / batch)
        self._scratch = zeros(networks, batch, p)
        self.hidden = [
            self._hidden_layer(zeros(4, networks, batch, p), statistics, groups, placement)
            for statistics in self.statistics
        ]
        self.padded_logits, self.padded_delta = zeros(2, networks, batch, padded(classes))
        self.padded_logits[:, :, classes:] = -torch.inf
        self.label_of_each = self.labels.view(1, batch, 1).expand(networks, batch, 1)
        self.scores = zeros(2, networks, batch)  # log p of the right class, and whether it is the largest
        self.classes = torch.eye(classes, padded(classes), dtype=dtype, device=device)
        self.one_hot = zeros(batch, padded(classes))
        self.logits, self.delta = self.padded_logits[:, :, :classes], self.padded_delta[:, :, :classes]
        self.inputs = [self.images.expand(networks, batch, sizes[0]), *(h.u[:, :, :width] for h in self.hidden)]
        self.products = [*(h.z[:, :, :width] for h in self.hidden), self.logits]
        self.deltas = [*(h.delta[:, :, :width] for h in self.hidden), self.delta]

    def _hidden_layer(
        self, buffers: Tensor, statistics: Tensor, groups: Sequence[Group], placement: BnPlacement
    ) -> HiddenLayer:
        z, g, normalized, delta = buffers
        is_before = placement is BnPlacement.BEFORE
        u = g if is_before else torch.zeros_like(g)
        x, out = (z, z) if is_before else (g, u)
        parts = []
        for group in groups:
            k, normalization = group.networks, group.normalization
            memory = self._memory(normalized[k], statistics[:, k], self._scratch[k])
            is_biased = not (is_before and normalization.drops_bias_before_it)
            pre_activation = z[k] if is_biased else None
            parts.append(Part(normalization, x[k], out[k], delta[k], memory, pre_activation))
        return HiddenLayer(z, g, u, delta, tuple(parts))

    def _memory(self, normalized: Tensor, statistics: Tensor, scratch: Tensor) -> Memory:
        mean, variance = statistics
        return Memory(
            normalized=normalized,
            mean=mean,
            variance=variance,
            inverse_std=torch.zeros_like(mean),
            batch_mean=self._batch_mean.expand(len(mean), 1, self.batch),
            scratch=scratch,
            mean_d_gamma=torch.zeros_like(mean),
            mean_d_beta=torch.zeros_like(mean),
        )
