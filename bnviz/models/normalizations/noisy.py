"""Noise after Batch Normalization, and the same noise without it."""

import torch
from torch import Tensor

from bnviz.models.normalizations.base import Memory, Numbers
from bnviz.models.normalizations.batch import BatchNorm
from bnviz.models.normalizations.none import NoNormalization


class NoisyBatchNorm(BatchNorm):
    """BN, and then y <- s y + m with the noise's factors s and shifts m. Inference, by folding, is without noise."""

    is_noisy = True

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        super().forward(x, out, numbers, memory)
        assert memory.noise is not None
        factors, shifts = memory.noise
        out.mul_(factors).add_(shifts)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        assert memory.noise is not None
        delta.mul_(memory.noise[0])
        super().backward(delta, numbers, memory)


class NoiseAlone(NoNormalization):
    """out = s x + m, the same noise without BN."""

    is_noisy = True

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        assert memory.noise is not None
        factors, shifts = memory.noise
        torch.mul(x, factors, out=out).add_(shifts)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        assert memory.noise is not None
        delta.mul_(memory.noise[0])
