"""Batch Normalization."""

import torch
from torch import Tensor

from bnviz.models.normalizations.base import EPS, Memory, NormalizationPair, Numbers


class BatchNorm(NormalizationPair):
    """Batch Normalizing Transform, Ioffe & Szegedy 2015, Algorithm 1 and Section 3.

    Forward:   mu = mean(x);  var = mean((x - mu)²);  xh = (x - mu) / sqrt(var + eps);  y = gamma xh + beta

    Backward, with g = dl/dy, the paper's three equations for dl/dvar, dl/dmu and dl/dx in one:
               dx = gamma / sqrt(var + eps) * (g - mean(g) - xh mean(g xh))
               dgamma = m mean(g xh);  dbeta = m mean(g)
    Means are over the batch of size m, unit by unit. With m = 1, xh = 0, y = beta and dx = 0: nothing below it learns.
    """

    has_parameters = True
    has_statistics = True
    drops_bias_before_it = True

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        self.standardise(x, memory)
        torch.addcmul(numbers.beta, memory.normalized, numbers.gamma, out=out)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        self.pull_back(delta, numbers.gamma, memory)

    def standardise(self, x: Tensor, memory: Memory) -> None:
        """xh, and the statistics that make it."""
        xh, mean, variance, inverse_std = memory.normalized, memory.mean, memory.variance, memory.inverse_std
        memory.average(x, out=mean)
        torch.sub(x, mean, out=xh)
        torch.mul(xh, xh, out=memory.scratch)
        memory.average(memory.scratch, out=variance)
        torch.add(variance, EPS, out=inverse_std).rsqrt_()
        xh.mul_(inverse_std)

    def pull_back(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        """dx of y = gamma xh + any constant, and dgamma and dbeta."""
        xh, mean_g, mean_g_xh = memory.normalized, memory.mean_d_beta, memory.mean_d_gamma
        memory.average(delta, out=mean_g)
        torch.mul(delta, xh, out=memory.scratch)
        memory.average(memory.scratch, out=mean_g_xh)
        delta.sub_(mean_g).addcmul_(xh, mean_g_xh, value=-1).mul_(gamma * memory.inverse_std)
