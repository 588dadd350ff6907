"""Batch Renormalization."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bnviz.models.normalizations.base import EPS, Memory, Numbers
from bnviz.models.normalizations.batch import BatchNorm


class BatchRenormalization(BatchNorm):
    """Batch Renormalization, Ioffe 2017, Algorithm 1: BN whose output is moved towards what it will be at inference.

    Forward, with mean mu_B and standard deviation sd_B of the batch, and mu and sd running:
        r = clip(sd_B / sd, 1 / r_max, r_max);  d = clip((mu_B - mu) / sd, -d_max, d_max)
        xh = (x - mu_B) / sd_B;  y = gamma (r xh + d) + beta
    Without the clips r xh + d = (x - mu) / sd. With r_max = 1 and d_max = 0 it is BN.

    Backward takes r and d for constants: dx is BN's with gamma r in place of gamma, dgamma = sum(g (r xh + d)).

    sd = sqrt(running variance + eps), the variance unbiased, as in all networks here that have one; the paper averages
    the standard deviation itself. On a batch of one sd_B is sqrt(eps) and d alone is left of x.
    """

    def buffers(self, memory: Memory) -> Mapping[str, Tensor]:
        return {name: torch.zeros_like(memory.mean) for name in ("r", "d")}

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        self.standardise(x, memory)
        r, d = corrections(memory.mean, memory.variance, numbers.running, numbers.limits)
        memory.own["r"].copy_(r)
        memory.own["d"].copy_(d)
        torch.addcmul(torch.addcmul(numbers.beta, numbers.gamma, d), memory.normalized, numbers.gamma * r, out=out)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        r, d = memory.own["r"], memory.own["d"]
        self.pull_back(delta, numbers.gamma * r, memory)
        memory.mean_d_gamma.mul_(r).addcmul_(d, memory.mean_d_beta)


def corrections(mean: Tensor, variance: Tensor, running: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """r and d. mean and variance, of the batch: of one shape; running: both, [2, ...]; limits: r_max and d_max, [2]."""
    running_mean, running_variance = running.unbind()
    r_max, d_max = limits.unbind()
    sd = torch.sqrt(running_variance + EPS)
    r = (torch.sqrt(variance + EPS) / sd).clamp(1 / r_max, r_max)
    d = ((mean - running_mean) / sd).clamp(-d_max, d_max)
    return r, d
