"""Accuracy on the test images, as at inference: BN with running statistics."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bnviz.config import IMAGE_SIDE, BnPlacement, ModelConfig
from bnviz.models import Activations, Parameters, Stack
from bnviz.models.lit_pixels import LitPixels, lit_data_set
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.normalizations.group import over_units
from bnviz.models.normalizations.layer import LayerNorm
from bnviz.models.patches import convolved, side_by_side
from bnviz.records import Floats

Chunk = tuple[Tensor, LitPixels | None, Tensor]  # images [b, 784], the same as lit pixels, labels [b]


@lru_cache(maxsize=8)  # by the tensors' identity: all runs of a process share one copy
def _chunks(images: Tensor, labels: Tensor, at_once: int, has_lit: bool) -> list[Chunk]:
    lit = lit_data_set(images) if has_lit else None
    index = torch.split(torch.arange(len(images)), at_once)
    parts = [None] * len(index) if lit is None else [lit.take(one) for one in index]
    return list(zip(torch.split(images, at_once), parts, torch.split(labels, at_once), strict=True))


class TestAccuracy:
    """All K networks on the test set at once; buffers are kept from one call to the next.

    Args:
        model: of the networks; what as many images need as it takes at once stays in the processor's cache.
        images: [count, 784], labels: [count] int64.
        is_shared: whether others measure on the same images: then what is made of them is kept for all.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, model: ModelConfig, images: Tensor, labels: Tensor, is_shared: bool = True) -> None:
        chunks = _chunks if is_shared else _chunks.__wrapped__
        self._chunks = chunks(images, labels, model.test_images_at_once, not model.is_convolutional)
        self._count = len(labels)
        self._buffers: tuple[Tensor, Tensor, Tensor] | None = None
        self._batch: Activations | None = None

    def __len__(self) -> int:
        return self._count

    def measure(self, stack: Stack) -> Floats:
        """Share of test images classified correctly: [K]; NaN for a network whose outputs are not finite."""
        folded = stack.folded()
        folded.weights[0] = folded.weights[0].contiguous()
        hits = torch.zeros(len(stack), dtype=torch.int64, device=stack.device)
        is_finite = torch.ones(len(stack), dtype=torch.bool, device=stack.device)
        for images, lit, labels in self._chunks:
            largest, answer = self._logits(stack, folded, images, lit).max(dim=1)
            hits += (answer == labels).sum(dim=1)
            is_finite &= largest.isfinite().all(dim=1)
        share = (hits / self._count).cpu().numpy()
        return np.where(is_finite.cpu().numpy(), share, np.nan)

    def probabilities(self, stack: Stack) -> Floats:
        """Softmax outputs at inference: [K, count, 10]; NaN of a network whose outputs are not finite."""
        folded = stack.folded()
        folded.weights[0] = folded.weights[0].contiguous()
        parts = [self._logits(stack, folded, images, lit).softmax(dim=1) for images, lit, _ in self._chunks]
        found: Floats = torch.cat(parts, dim=2).transpose(1, 2).double().cpu().numpy()
        return found

    def measure_with_batch_statistics(self, stack: Stack) -> Floats:
        """The same, BN with the statistics of all images that are taken at once: [K]. Without noise, as `measure`."""
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

    def _logits(self, stack: Stack, folded: Parameters, images: Tensor, lit: LitPixels | None) -> Tensor:
        """[K, 10, b]: that way round the product takes a quarter of the time."""
        if stack.model.is_convolutional:
            return _logits_of_maps(stack, folded, images)
        model = stack.model
        nonlinearity, width = NONLINEARITIES[model.nonlinearity], model.width
        is_before = model.bn_placement is BnPlacement.BEFORE
        biases = [bias[:, :, :width] for bias in folded.biases[:-1]]
        z, g, logits = self._buffers_for(stack, len(images))
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
        width, classes = stack.model.width, stack.model.layers[-1].n_out
        if self._buffers is None or self._buffers[0].shape != (len(stack), batch, width):
            z = torch.zeros(len(stack), batch, width, dtype=stack.dtype, device=stack.device)
            logits = torch.zeros(len(stack), classes, batch, dtype=stack.dtype, device=stack.device)
            self._buffers = (z, torch.zeros_like(z), logits)
        return self._buffers


def _logits_of_maps(stack: Stack, folded: Parameters, images: Tensor) -> Tensor:
    """The same of convolutional networks, units before rows throughout: [K, 10, b]."""
    model, nonlinearity = stack.model, NONLINEARITIES[stack.model.nonlinearity]
    is_before = model.bn_placement is BnPlacement.BEFORE
    weights = [weight.transpose(1, 2) for weight in folded.weights]
    biases = [bias[:, :, : one.n_out].transpose(1, 2) for bias, one in zip(folded.biases, model.layers, strict=True)]
    u, side = images.reshape(1, 1, -1), IMAGE_SIDE
    for layer in range(model.hidden_layers):
        z = convolved(u, weights[layer], side).add_(biases[layer])
        u, side = torch.empty_like(z), model.layers[layer].side
        if is_before:
            _normalize_each_image(stack, folded, layer, z.transpose(1, 2))
        nonlinearity.forward(z, out=u)
        if not is_before:
            _normalize_each_image(stack, folded, layer, u.transpose(1, 2))
    return torch.bmm(weights[-1], side_by_side(u, side)).add_(biases[-1])


def _normalize_each_image(stack: Stack, folded: Parameters, layer: int, x: Tensor) -> None:
    """What cannot be folded, for the networks that have it, in place. x: [K, b, n]; with space b are rows."""
    width = stack.model.width
    for group in stack.groups:
        if group.normalization.is_per_image:
            k, groups = group.networks, 1 if isinstance(group.normalization, LayerNorm) else stack.model.groups
            gamma, beta = (each[layer][k][:, :, :width] for each in (folded.gammas, folded.betas))
            positions = stack.model.layers[layer].positions
            x[k] = over_units(x[k], groups, 2, positions).mul_(gamma).add_(beta)


def _first_inputs(images: Tensor, lit: LitPixels | None, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """out <- u W + b of the first layer: [b, n_0], [K, n_0, n], [K, 1, n] to [K, b, n]."""
    if lit is None:
        torch.bmm(images.expand(len(weight), *images.shape), weight, out=out).add_(bias)
        return
    for one, w, b in zip(out, weight, bias, strict=True):
        torch.add(lit.times(w), b, out=one)
