"""Accuracy on the test images, BN with running statistics."""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.models import Stack
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.models.parameters import padded
from bnviz.records import Floats

CHUNK: Final = 1000  # images at a time: what they need stays in the processor's cache


@lru_cache(maxsize=8)  # by the tensor's identity: all runs of a process share one copy
def _without_blank_pixels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Which pixels are not 0 in every image, and the images with those alone: [pixels], [count, pixels]."""
    pixels = images.any(dim=0).nonzero().flatten()
    return pixels, images[:, pixels].contiguous()


class TestAccuracy:
    """All K networks on the test set at once; buffers are kept from one call to the next.

    Pixels that are 0 in every test image (a fifth of the binarised ones) add nothing to u W and are left out.

    Args:
        images: [count, 784], labels: [count] int64.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._pixels, self._images = _without_blank_pixels(images)
        self._labels = labels
        self._buffers: tuple[Tensor, Tensor, Tensor] | None = None

    def measure(self, stack: Stack) -> Floats:
        """Share of test images classified correctly: [K]; NaN for a network whose outputs are not finite."""
        folded = stack.folded()
        weights = [folded.weights[0][:, self._pixels], *folded.weights[1:]]
        hits = torch.zeros(len(stack), dtype=torch.int64, device=stack.device)
        is_finite = torch.ones(len(stack), dtype=torch.bool, device=stack.device)
        for images, labels in zip(torch.split(self._images, CHUNK), torch.split(self._labels, CHUNK), strict=True):
            largest, answer = self._logits(stack, weights, folded.biases, images).max(dim=2)
            hits += (answer == labels).sum(dim=1)
            is_finite &= largest.isfinite().all(dim=1)
        share = (hits / len(self._labels)).cpu().numpy()
        return np.where(is_finite.cpu().numpy(), share, np.nan)

    def _logits(self, stack: Stack, weights: list[Tensor], biases: list[Tensor], images: Tensor) -> Tensor:
        """[K, b, 10] of plain networks."""
        z, g, logits = self._buffers_for(stack, len(images))
        nonlinearity, width = NONLINEARITIES[stack.model.nonlinearity], stack.model.width
        u = images.expand(len(stack), *images.shape)
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            torch.bmm(u, weight, out=z[:, :, :width])
            z.add_(bias)
            nonlinearity.forward(z, out=g)
            u = g[:, :, :width]
        torch.bmm(u, weights[-1], out=logits)
        return logits.add_(biases[-1][:, :, : logits.shape[2]])

    def _buffers_for(self, stack: Stack, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        p, classes = padded(stack.model.width), stack.model.sizes[-1]
        if self._buffers is None or self._buffers[0].shape != (len(stack), batch, p):
            z = torch.zeros(len(stack), batch, p, dtype=stack.dtype, device=stack.device)
            logits = torch.zeros(len(stack), batch, classes, dtype=stack.dtype, device=stack.device)
            self._buffers = (z, torch.zeros_like(z), logits)
        return self._buffers
