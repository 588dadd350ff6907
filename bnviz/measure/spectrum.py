"""Eigenvalues of the second moment of MNIST's pixels, raw, centred, scaled, standardised and whitened.

They are of E[x xᵀ], the Hessian of a linear unit on these inputs. Shapes: t = treatments, p = pixels.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bnviz.config import Treatment
from bnviz.records import TREATMENTS, Floats, Spectrum

CHUNK: Final = 256  # images, 5 ms; 256 products of 255 · 255 add up to a whole number that float32 still holds exactly
HIGHEST_LEVEL: Final = 255
_EIGENVALUE_PIECES: Final = 10  # as many chunks take as long as one set of eigenvalues


class SpectrumMeasuring:
    """The spectrum of one data set, worked out in pieces by whoever wants it next."""

    def __init__(self, pixels: Tensor, threshold: int | None) -> None:
        self._pieces = self._measure(pixels, threshold)
        self.record = _nothing_yet(pixels.shape[1])

    def advance(self) -> None:
        """The next piece of the work, if there is one."""
        self.record = next(self._pieces, self.record)

    def _measure(self, pixels: Tensor, threshold: int | None) -> Iterator[Spectrum]:
        images, count = pixels.shape
        chunks = -(-images // CHUNK)
        total = chunks + _EIGENVALUE_PIECES * len(TREATMENTS)
        products = torch.zeros(count, count, dtype=torch.float64)
        sums = torch.zeros(count, dtype=torch.float64)
        spectrum = self.record
        for chunk in range(chunks):
            levels = pixels[chunk * CHUNK : (chunk + 1) * CHUNK]
            x = (levels if threshold is None else levels > threshold).float()
            products += (x.T @ x).double()
            sums += x.sum(dim=0).double()
            yield _with_done(spectrum, (chunk + 1) / total)
        moments = moments_of(products.numpy(), sums.numpy(), images, HIGHEST_LEVEL if threshold is None else 1)
        eigenvalues = np.full((len(TREATMENTS), count), np.nan)
        for row, treatment in enumerate(TREATMENTS):
            eigenvalues[row] = self._eigenvalues(treatment, moments, count, eigenvalues)
            done = (chunks + _EIGENVALUE_PIECES * (row + 1)) / total
            yield spectrum_record(eigenvalues, len(moments[Treatment.STANDARDISED]), done)

    @staticmethod
    def _eigenvalues(treatment: Treatment, moments: dict[Treatment, Floats], count: int, known: Floats) -> Floats:
        """In descending order, 0 for pixels that are left out. [p]"""
        result = np.zeros(count)
        if treatment is Treatment.WHITENED:  # every variance that is not 0 is divided by itself
            result[: rank_of(known[TREATMENTS.index(Treatment.STANDARDISED)])] = 1.0
            return result
        matrix = torch.from_numpy(moments[treatment])
        result[: len(matrix)] = torch.linalg.eigvalsh(matrix).flip(0).clamp(min=0).numpy()
        return result


@lru_cache(maxsize=4)
def spectrum_of(pixels: Tensor, threshold: int | None) -> SpectrumMeasuring:
    """The spectrum of a data set, begun once a process, by the tensor's identity.

    Args:
        pixels: [images, p] uint8.
        threshold: pixels above it count as 1, the others as 0; without it they are grey levels in [0, 1].
    """
    return SpectrumMeasuring(pixels, threshold)


def moments_of(products: Floats, sums: Floats, images: int, highest: int) -> dict[Treatment, Floats]:
    """E[x xᵀ] under every treatment but whitening, in units of `highest`, of those pixels that the treatment keeps.

    products: [p, p] of whole numbers, summed over the images; sums: [p]
    """
    covariance = (images * products - np.outer(sums, sums)) / (images * highest) ** 2  # no rounding before the division
    raw = products / (images * highest**2)
    varies = np.diag(covariance) > 0
    kept = np.ix_(varies, varies)
    std = np.sqrt(np.diag(covariance)[varies])
    return {
        Treatment.RAW: raw,
        Treatment.CENTRED: covariance,
        Treatment.SCALED: raw[kept] / np.outer(std, std),
        Treatment.STANDARDISED: covariance[kept] / np.outer(std, std),
    }


def rank_of(eigenvalues: Floats) -> int:
    """How many are not 0 but for rounding. Descending: [p]"""
    limit = eigenvalues[0] * len(eigenvalues) * np.finfo(np.float64).eps
    return int((eigenvalues > limit).sum())


def spectrum_record(eigenvalues: Floats, varying_pixels: int, done: float) -> Spectrum:
    """With what follows from the eigenvalues known so far. [t, p]"""
    rank, condition, rate = (np.full(len(eigenvalues), np.nan) for _ in range(3))
    for row, values in enumerate(eigenvalues):
        if np.isfinite(values).all() and values[0] > 0:
            rank[row] = rank_of(values)
            condition[row] = values[0] / values[rank_of(values) - 1]
            rate[row] = 2 / values[0]
    return Spectrum(done, varying_pixels, eigenvalues.copy(), rank, condition, rate)


def _nothing_yet(pixels: int) -> Spectrum:
    return spectrum_record(np.full((len(TREATMENTS), pixels), np.nan), 0, 0.0)


def _with_done(spectrum: Spectrum, done: float) -> Spectrum:
    return Spectrum(
        done, spectrum.varying_pixels, spectrum.eigenvalues, spectrum.rank, spectrum.condition_number,
        spectrum.largest_rate,
    )  # fmt: skip
