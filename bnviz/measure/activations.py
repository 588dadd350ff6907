"""The distribution of the inputs to every hidden layer's nonlinearity, on a fixed probe of held-out images.

Shapes: K = networks, l = hidden layers, n = units of a layer, m = probe images, u = units kept, q = quantile levels.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import ModelConfig
from bnviz.models import Stack
from bnviz.models.activations import Activations
from bnviz.models.lit_pixels import LitPixels
from bnviz.models.nonlinearities import NONLINEARITIES
from bnviz.records import BAND_LEVELS, QUANTILE_LEVELS, Floats, Ints

DEAD_SPREAD: Final = 1e-6  # a unit whose outputs lie closer together than this says the same of every image

Draw = Callable[[Activations], None]  # fills the noise and the masks of a batch


def nothing_drawn(batch: Activations) -> None:
    """Leaves both as they are: without any, unless somebody has drawn them."""


class Probe:
    """A fixed batch of held-out images, run through the networks with the batch's own statistics (N_BN^tr).

    Args:
        images: [m, 784], labels: [m].
        lit: the same images as lists of lit pixels, where that is faster.
    """

    def __init__(self, images: Tensor, labels: Tensor, lit: LitPixels | None = None) -> None:
        self.images, self.labels, self._lit = images, labels, lit
        self._activations: Activations | None = None

    def run(self, stack: Stack, draw: Draw = nothing_drawn) -> Activations:
        """Forward pass and loss, with what `draw` fills in; the result is overwritten by the next run."""
        batch = self._activations
        if batch is None or len(batch.loss) != len(stack):
            batch = stack.activations(len(self.images))
            batch.fill(self.images, self.labels, self._lit)
            self._activations = None if stack.model.is_convolutional else batch  # maps are too large to keep
        draw(batch)
        stack.forward(batch)
        stack.loss(batch)
        return batch

    def sorted_inputs(self, stack: Stack, draw: Draw = nothing_drawn) -> Floats:
        """Inputs to each unit's nonlinearity, sorted over the images: [K, l, n, m]. NumPy's sort is far the faster.

        Of a feature map one position an image, see `probe_rows`.
        """
        batch, width = self.run(stack, draw), stack.model.width
        rows = probe_rows(stack.model, len(self.images))
        inputs = [hidden.z[:, :, :width] for hidden in batch.hidden]
        kept = [z if some is None else z[:, some.to(z.device)] for z, some in zip(inputs, rows, strict=True)]
        by_unit = torch.stack([z.transpose(1, 2) for z in kept], dim=1)
        values: Floats = by_unit.cpu().numpy()
        values.sort(axis=-1)
        return values


def probe_rows(model: ModelConfig, images: int) -> list[Tensor | None]:
    """For each hidden layer the rows that stand for the images, [m]; None where each has a single one.

    Neighbouring positions say almost the same, so of every image one is taken, drawn from the seed and always the same:
    as many values a unit as without space, independent of each other.
    """
    if not model.is_convolutional:
        return [None] * model.hidden_layers
    generator = torch.Generator().manual_seed(model.seed)
    positions = [layer.positions for layer in model.layers[:-1]]
    return [torch.arange(images) * s + torch.randint(s, (images,), generator=generator) for s in positions]


def _ranks(levels: tuple[float, ...] | Floats, count: int) -> tuple[Ints, Ints, Floats]:
    """Between which two ranks of `count` sorted values each level lies, and how far along."""
    position = np.asarray(levels) * (count - 1)
    below = np.floor(position).astype(np.int64)
    return below, np.ceil(position).astype(np.int64), position - below


def at_levels(sorted_values: Floats, levels: tuple[float, ...] | Floats) -> Floats:
    """Quantiles along the last axis of sorted values, interpolated as `numpy.quantile` does: [..., len(levels)]"""
    below, above, share = _ranks(levels, sorted_values.shape[-1])
    share = share.astype(sorted_values.dtype)
    result: Floats = sorted_values[..., below] * (1 - share) + sorted_values[..., above] * share
    return result


def bands(sorted_inputs: Floats, units: Ints) -> Floats:
    """15th, 50th and 85th percentile of each unit kept: [K, l, u, 3]. Source: Ioffe & Szegedy 2015, Fig. 1(b, c)."""
    kept = np.take_along_axis(sorted_inputs, units[None, :, :, None], axis=2)
    return at_levels(kept, BAND_LEVELS)


def pooled(sorted_inputs: Floats) -> Floats:
    """All units of a layer together, [K, l, n * m], sorted.

    NumPy sorts with vector instructions: a tenth of the time that it takes to find just the ranks of the quantiles.
    """
    return np.sort(sorted_inputs.reshape(*sorted_inputs.shape[:2], -1), axis=-1)


def quantiles(pooled_inputs: Floats) -> Floats:
    """The whole distribution of each layer's inputs: [K, l, q]."""
    return at_levels(pooled_inputs, QUANTILE_LEVELS)


def saturated(pooled_inputs: Floats, model: ModelConfig) -> Floats:
    """Share of (unit, image) pairs where the nonlinearity is flat: its slope under a fifth of its steepest. [K, l]

    That is, outside (0.053, 0.947) for the sigmoid's output, beyond 0.894 for tanh's, z <= 0 for ReLU and leaky ReLU
    (whose slope there is 0.01), z < -0.35 for GELU, nowhere for the identity.
    """
    low, high = NONLINEARITIES[model.nonlinearity].steep
    share = ((pooled_inputs <= low) | (pooled_inputs >= high)).mean(axis=-1)
    return np.where(np.isfinite(pooled_inputs[..., -1]), share, np.nan)


def spread(sorted_inputs: Floats) -> Floats:
    """Standard deviation of each layer's inputs over images and units: [K, l]."""
    deviations: Floats = sorted_inputs.std(axis=(-2, -1), dtype=np.float64)
    return deviations


def dead(sorted_inputs: Floats, model: ModelConfig) -> Floats:
    """Share of units whose output is the same for every image, to within 1e-6: [K, l]."""
    ends = torch.from_numpy(np.ascontiguousarray(sorted_inputs[..., [0, -1]]))
    outputs = torch.empty_like(ends)
    NONLINEARITIES[model.nonlinearity].forward(ends, out=outputs)
    lowest, highest = outputs.numpy()[..., 0], outputs.numpy()[..., 1]
    is_dead = np.where(np.isfinite(highest), np.abs(highest - lowest) <= DEAD_SPREAD, np.nan)
    shares: Floats = is_dead.mean(axis=-1)
    return shares
