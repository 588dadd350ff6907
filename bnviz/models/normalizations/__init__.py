"""Normalizations: forward and backward side by side, one small module each; see `base` for what they share."""

from typing import Final

from bnviz.config import Normalization
from bnviz.models.normalizations.base import EPS, Memory, NormalizationPair
from bnviz.models.normalizations.batch import BatchNorm
from bnviz.models.normalizations.noisy import NoiseAlone, NoisyBatchNorm
from bnviz.models.normalizations.none import NoNormalization

__all__ = ["EPS", "NORMALIZATIONS", "BatchNorm", "Memory", "NormalizationPair"]

NORMALIZATIONS: Final[dict[Normalization, NormalizationPair]] = {
    Normalization.NONE: NoNormalization(),
    Normalization.BATCH: BatchNorm(),
    Normalization.NOISY_BATCH: NoisyBatchNorm(),
    Normalization.NOISE: NoiseAlone(),
}
