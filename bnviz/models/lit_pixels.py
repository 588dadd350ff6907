"""Images as lists of their lit pixels: most of a digit's 784 pixels are 0, and 0 adds nothing to a product.

X W adds up, for each image, the rows of W of its lit pixels; X^T D adds up, for each pixel, the rows of D of the images
in which it is lit. On one CPU core that takes a third of the time of the products with the zeros in them, and little
more than half with the making of the lists. A GPU multiplies zeros faster than it adds up rows, and standardised images
have none: there the products stay.

Shapes: N = images, n_0 = pixels, p = columns of the other factor, c = lit pixels of all images.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnviz.config import ModelConfig

_SUM: Final = 0  # embedding_bag's number for this mode
MOST_LIT: Final = 0.25  # of all pixels; MNIST binarised has 0.13, in grey levels 0.19


@dataclass(frozen=True)
class LitPixels:
    """The images of one mini-batch, each a list of the pixels that are not 0.

    Attributes:
        pixels: [c] int16, image by image.
        values: [c] float32 of those pixels; None where all of them are 1.
        counts: [b] int64, lit pixels of each image.
        size: n_0.
    """

    pixels: NDArray[np.int16]
    values: NDArray[np.float32] | None
    counts: NDArray[np.int64]
    size: int

    def times(self, matrix: Tensor) -> Tensor:
        """X W: [n_0, p] to [b, p]."""
        return sums_of_rows(matrix, *self._by_image)

    def transposed_times(self, matrix: Tensor) -> Tensor:
        """X^T D: [b, p] to [n_0, p]."""
        return sums_of_rows(matrix, *self._by_pixel)

    @cached_property
    def _by_image(self) -> "Sums":
        return _sums(self.pixels, self.counts, self.values)

    @cached_property
    def _by_pixel(self) -> "Sums":
        order = np.argsort(self.pixels, kind="stable")  # of 16 bits: a radix sort
        image = np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts)[order]
        counts = np.bincount(self.pixels, minlength=self.size)
        return _sums(image, counts, None if self.values is None else self.values[order])


# Which rows to add up, [c] int32; where each sum begins, and the end of the last one, int32; the rows' factors, if any.
Sums = tuple[Tensor, Tensor, Tensor | None]


def _sums(rows: NDArray[Any], counts: NDArray[np.int64], factors: NDArray[np.float32] | None) -> Sums:
    ends = np.zeros(len(counts) + 1, np.int32)
    counts.cumsum(out=ends[1:])
    as_rows = torch.from_numpy(rows.astype(np.int32, copy=False))
    return as_rows, torch.from_numpy(ends), None if factors is None else torch.from_numpy(factors)


def sums_of_rows(matrix: Tensor, rows: Tensor, ends: Tensor, factors: Tensor | None = None) -> Tensor:
    """The sums of some rows of a matrix [r, p], as many as `ends` parts them into: [s, p]; `Sums` says how.

    `torch.nn.functional.embedding_bag` in mode "sum", without its checks: they take as long as a small product.
    """
    factors = None if factors is None else factors.to(matrix.dtype)
    sums: Tensor = torch.embedding_bag(matrix, rows, ends, False, _SUM, False, factors, True)[0]
    return sums


class LitDataSet:
    """A whole data set, from which mini-batches are taken.

    Args:
        images: dense, [N, n_0], on the CPU.
    """

    def __init__(self, images: Tensor) -> None:
        dense = images.numpy()
        is_lit = dense != 0
        self.size = dense.shape[1]
        self._counts = is_lit.sum(axis=1)
        pixels = np.broadcast_to(np.arange(self.size, dtype=np.int16), dense.shape)[is_lit]
        place = np.arange(self._counts.max(initial=0)) < self._counts[:, None]
        # Rows of one length, each with -1 behind its pixels: gathered in a third of the time that lists take.
        self._pixels = np.full(place.shape, -1, np.int16)
        self._pixels[place] = pixels
        values = dense[is_lit].astype(np.float32, copy=False)
        self._values: NDArray[np.float32] | None = None
        if not (values == 1).all():
            self._values = np.zeros(place.shape, np.float32)
            self._values[place] = values

    def take(self, index: Tensor) -> LitPixels:
        """Some of the images, in this order. index: [b]"""
        chosen = index.numpy()
        pixels = self._pixels[chosen]
        is_lit = pixels >= 0
        values = None if self._values is None else self._values[chosen][is_lit]
        return LitPixels(pixels[is_lit], values, self._counts[chosen], self.size)


@lru_cache(maxsize=16)  # by the tensor's identity: all runs of a process share one copy
def lit_data_set(images: Tensor) -> LitDataSet | None:
    """The lists of a data set [N, n_0], made once a process; None where plain products are as fast."""
    if images.device.type != "cpu" or float(images.count_nonzero()) > MOST_LIT * images.numel():
        return None
    return LitDataSet(images)


def lit_for(model: ModelConfig, images: Tensor) -> LitDataSet | None:
    """The same where networks of this model multiply images: None for convolutions, which multiply patches."""
    return None if model.is_convolutional else lit_data_set(images)
