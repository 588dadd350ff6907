"""The moments of a short run at which its accuracy is measured, and test images in parts small enough to go between."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from torch import Tensor

from bnviz.config import ModelConfig
from bnviz.measure.accuracy import TestAccuracy
from bnviz.records import MOMENTS, Floats

PARTS: Final = 5  # of the test images; moments before the last are measured on one of them


def moments_of(steps: int, shares: Floats = MOMENTS) -> dict[int, list[int]]:
    """Which moments fall on each step."""
    at: dict[int, list[int]] = {}
    for t, share in enumerate(shares):
        at.setdefault(round(float(share) * steps), []).append(t)
    return at


def parts_of(model: ModelConfig, images: Tensor, labels: Tensor) -> list[TestAccuracy]:
    """Every fifth image from each of the first five on: a part takes so little time that training can go on between."""
    return [TestAccuracy(model, images[i::PARTS].contiguous(), labels[i::PARTS], is_shared=False) for i in range(PARTS)]


def on_all(target: Floats, parts: list[TestAccuracy], accuracy_on: Callable[[TestAccuracy], Floats]) -> Iterator[None]:
    """Fill in the accuracy on all parts together, [k], when the last of them is measured."""
    shares = []
    for part in parts:
        shares.append(len(part) * accuracy_on(part))
        yield
    target[:] = np.sum(shares, axis=0) / sum(map(len, parts))
