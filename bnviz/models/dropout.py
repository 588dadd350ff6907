"""Dropout: in training each value of a hidden layer's output is kept with probability 1 - p and divided by it.

    forward:    u = d g,  d = 1 / (1 - p) with probability 1 - p, else 0: the mean of u over the draws is g
    backward:   dl/dg = d dl/du

g is what the layer would pass on otherwise, nonlinearity and normalization done. At inference u = g ("inverted"
dropout), so that the folded networks need nothing of it. Source: Srivastava et al. 2014.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import torch
from torch import Tensor

from bnviz.models.noise import Batch, mixed

_STREAM: Final = 1  # of random numbers: those of the noise have none


class Dropout:
    """Masks that depend on (seed, step, kind of batch) alone: whoever draws again gets the same, and nothing has to be
    kept from step to step."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator = torch.Generator()

    def draw(self, masks: Tensor, step: int, p: float, batch: Batch = Batch.TRAINING) -> None:
        """Fill `masks`, [rows, p], with 0 or 1 / (1 - p): those of every hidden layer, the same for all networks."""
        self._generator.manual_seed(mixed(self._seed, batch, step, _STREAM))
        drawn = masks if masks.device.type == "cpu" else torch.empty_like(masks, device="cpu")
        drawn.bernoulli_(1 - p, generator=self._generator).mul_(1 / (1 - p))
        if drawn is not masks:
            masks.copy_(drawn)


@dataclass(frozen=True)
class Passage:
    """What neighbouring networks pass on of one hidden layer: its outputs, with dropout or as they are.

    Attributes:
        g: [k, b, p], the layer's outputs; u: what the next layer sees, with dropout perhaps the same memory.
        delta: [k, b, p].
        mask: [1, b, p]; None for networks without dropout.
    """

    g: Tensor
    u: Tensor
    delta: Tensor
    mask: Tensor | None

    def forward(self) -> None:
        """u <- mask g."""
        if self.mask is None:
            self.u.copy_(self.g)
        else:
            torch.mul(self.g, self.mask, out=self.u)

    def backward(self) -> None:
        """delta, which holds dl/du, <- dl/dg."""
        if self.mask is not None:
            self.delta.mul_(self.mask)


def passages(has_dropout: Sequence[bool], g: Tensor, u: Tensor, delta: Tensor, mask: Tensor | None) -> list[Passage]:
    """Those of one hidden layer of all networks; none that would leave everything where it is. [K, b, p] each"""
    is_copied = g.data_ptr() != u.data_ptr()
    return [
        Passage(g[k], u[k], delta[k], mask if drops else None) for drops, k in _runs(has_dropout) if drops or is_copied
    ]


def _runs(has_dropout: Sequence[bool]) -> Iterator[tuple[bool, slice]]:
    """Neighbouring networks that are alike in it."""
    start = 0
    for drops, run in groupby(has_dropout):
        stop = start + len(list(run))
        yield drops, slice(start, stop)
        start = stop
