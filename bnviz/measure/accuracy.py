"""Accuracy on the test images and on others, as at inference and with batch statistics."""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bnviz.config import BnPlacement, Statistics
from bnviz.models import Activations, Parameters, Stack
from bnviz.models.lit_pixels import LitPixels, lit_data_set
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations.group import over_units
from bnviz.models.normalizations.layer import LayerNorm
from bnviz.records import Floats, Scores

CHUNK: Final = 1000  # images at a time: what they need stays in the processor's cache


Chunk = tuple[Tensor, LitPixels | None, Tensor]  # images [b, 784], the same as lit pixels, labels [b]


@lru_cache(maxsize=8)  # by the tensors' identity: all runs of a process share one copy
def _chunks(images: Tensor, labels: Tensor) -> list[Chunk]:
    lit = lit_data_set(images)
    index = torch.split(torch.arange(len(images)), CHUNK)
    parts = [None] * len(index) if lit is None else [lit.take(one) for one in index]
    return list(zip(torch.split(images, CHUNK), parts, torch.split(labels, CHUNK), strict=True))


class TestAccuracy:
    """All K networks on the test set at once; buffers are kept from one call to the next.

    Args:
        images: [count, 784], labels: [count] int64.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._chunks, self._count = _chunks(images, labels), len(labels)
        self._inference = _Inference()
        self._batch: Activations | None = None

    def measure(self, stack: Stack) -> Floats:
        """Share of test images classified correctly: [K]; NaN for a network whose outputs are not finite."""
        folded = stack.folded()
        folded.weights[0] = folded.weights[0].contiguous()
        hits = torch.zeros(len(stack), dtype=torch.int64, device=stack.device)
        is_finite = torch.ones(len(stack), dtype=torch.bool, device=stack.device)
        for images, lit, labels in self._chunks:
            largest, answer = self._inference.logits(stack, folded, images, lit).max(dim=1)
            hits += (answer == labels).sum(dim=1)
            is_finite &= largest.isfinite().all(dim=1)
        share = (hits / self._count).cpu().numpy()
        return np.where(is_finite.cpu().numpy(), share, np.nan)

    def measure_with_batch_statistics(self, stack: Stack) -> Floats:
        """The same, BN with the statistics of each thousand images: [K]. Without noise, as `measure`."""
        hits = torch.zeros(len(stack), dtype=torch.float64, device=stack.device)
        for images, lit, labels in self._chunks:
            batch = self._batch
            if batch is None or (batch.batch, len(batch.loss)) != (len(images), len(stack)):
                batch = self._batch = stack.activations(len(images))
            batch.fill(images, labels, lit)
            stack.forward(batch)
            stack.loss(batch)
            hits += torch.where(batch.loss.isfinite(), batch.accuracy * len(images), torch.nan)
        share: Floats = (hits / self._count).cpu().numpy()
        return share


def scores(stack: Stack, images: Tensor, labels: Tensor, statistics: Statistics) -> Scores:
    """Accuracy and loss of all K networks on any images, without noise and dropout.

    Args:
        stack: the networks.
        images: [count, n_0], in the networks' form and on their device.
        labels: [count] int64, there too.
        statistics: RUNNING, as at inference; or BATCH: BN takes, layer by layer, the mean and biased variance of the
            images themselves, which go through in parts as equal as can be of at most 1,000. Networks without
            statistics over images score the same with either.
    """
    parts = max(1, -(-len(labels) // CHUNK))
    folded, inference, totals = stack.folded(), _Inference(), np.zeros((2, len(stack)))
    for some, answers in zip(torch.tensor_split(images, parts), torch.tensor_split(labels, parts), strict=True):
        if statistics is Statistics.BATCH:
            batch = stack.activations(len(answers))
            batch.fill(some, answers)
            stack.forward(batch)
            stack.loss(batch)
            report = torch.stack([batch.accuracy, batch.loss])
        else:
            report = _report(inference.logits(stack, folded, some, None), answers)
        totals += len(answers) * report.double().cpu().numpy()
    accuracy, loss = totals / len(labels)
    is_finite = np.isfinite(loss)
    return Scores(np.where(is_finite, accuracy, np.nan), np.where(is_finite, loss, np.nan))


def _report(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of right answers and mean cross-entropy. [K, 10, b] to [2, K]"""
    of_each = labels.expand(len(logits), -1)
    loss = cross_entropy(logits, of_each, reduction="none").mean(dim=1)
    return torch.stack([(logits.argmax(dim=1) == of_each).to(loss).mean(dim=1), loss])


class _Inference:
    """Forward passes of folded networks; buffers are kept from one call to the next."""

    def __init__(self) -> None:
        self._buffers: tuple[Tensor, Tensor, Tensor] | None = None

    def logits(self, stack: Stack, folded: Parameters, images: Tensor, lit: LitPixels | None) -> Tensor:
        """[K, 10, b]: that way round the product takes a quarter of the time."""
        z, g, logits = self._buffers_for(stack, len(images))
        nonlinearity, width = NONLINEARITIES[stack.model.nonlinearity], stack.model.width
        is_before = stack.model.bn_placement is BnPlacement.BEFORE
        biases = [bias[:, :, :width] for bias in folded.biases[:-1]]
        for layer, (weight, bias) in enumerate(zip(folded.weights[:-1], biases, strict=True)):
            if layer == 0:
                _first_inputs(images, lit, weight, bias, out=z)
            else:
                torch.bmm(g, weight, out=z).add_(bias)
            if is_before:
                _normalize_each_image(stack, folded, layer, z)
            nonlinearity.forward(z, out=g)
            if not is_before:
                _normalize_each_image(stack, folded, layer, g)
        torch.bmm(folded.weights[-1].transpose(1, 2), g.transpose(1, 2), out=logits)
        return logits.add_(folded.biases[-1][:, :, : logits.shape[1]].transpose(1, 2))

    def _buffers_for(self, stack: Stack, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Without the padding of `parameters`: no bit here has to be the same whatever stands beside it."""
        width, classes = stack.model.width, stack.model.sizes[-1]
        if self._buffers is None or self._buffers[0].shape != (len(stack), batch, width):
            z = torch.zeros(len(stack), batch, width, dtype=stack.dtype, device=stack.device)
            logits = torch.zeros(len(stack), classes, batch, dtype=stack.dtype, device=stack.device)
            self._buffers = (z, torch.zeros_like(z), logits)
        return self._buffers


def _normalize_each_image(stack: Stack, folded: Parameters, layer: int, x: Tensor) -> None:
    """What cannot be folded, for the networks that have it, in place. x: [K, b, n]"""
    width = stack.model.width
    for group in stack.groups:
        if group.normalization.is_per_image:
            k, groups = group.networks, 1 if isinstance(group.normalization, LayerNorm) else stack.model.groups
            gamma, beta = (each[layer][k][:, :, :width] for each in (folded.gammas, folded.betas))
            x[k] = over_units(x[k], groups, dim=2).mul_(gamma).add_(beta)


def _first_inputs(images: Tensor, lit: LitPixels | None, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """out <- u W + b of the first layer: [b, n_0], [K, n_0, n], [K, 1, n] to [K, b, n]."""
    if lit is None:
        torch.bmm(images.expand(len(weight), *images.shape), weight, out=out).add_(bias)
        return
    for one, w, b in zip(out, weight, bias, strict=True):
        torch.add(lit.times(w), b, out=one)
