"""Normalizations: forward and backward side by side, one small module each; see `base` for what they share."""

from typing import Final

from bnviz.config import Normalization
from bnviz.models.normalizations.base import EPS, Memory, NormalizationPair, Numbers
from bnviz.models.normalizations.batch import BatchNorm
from bnviz.models.normalizations.decorrelated import DecorrelatedBatchNorm
from bnviz.models.normalizations.group import GroupNorm
from bnviz.models.normalizations.layer import LayerNorm
from bnviz.models.normalizations.noisy import NoiseAlone, NoisyBatchNorm
from bnviz.models.normalizations.none import NoNormalization
from bnviz.models.normalizations.renormalization import BatchRenormalization
from bnviz.models.normalizations.weight import WeightNorm

__all__ = ["EPS", "NORMALIZATIONS", "BatchNorm", "Memory", "NormalizationPair", "Numbers"]

NORMALIZATIONS: Final[dict[Normalization, NormalizationPair]] = {
    Normalization.NONE: NoNormalization(),
    Normalization.BATCH: BatchNorm(),
    Normalization.LAYER: LayerNorm(),
    Normalization.GROUP: GroupNorm(),
    Normalization.WEIGHT: WeightNorm(),
    Normalization.RENORMALIZATION: BatchRenormalization(),
    Normalization.DECORRELATED: DecorrelatedBatchNorm(),
    Normalization.NOISY_BATCH: NoisyBatchNorm(),
    Normalization.NOISE: NoiseAlone(),
}
