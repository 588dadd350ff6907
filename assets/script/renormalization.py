"""Batch Renormalization."""

import torch
from torch import nn


class BatchRenorm(nn.Module):
    """Ioffe 2017, Algorithm 1: BN whose output is moved towards what it will be at inference, by r and d."""

    def __init__(self, units):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))
        self.register_buffer("running_mean", torch.zeros(units))
        self.register_buffer("running_var", torch.ones(units))
        self.momentum, self.r_max, self.d_max = 0.1, 3.0, 5.0

    def forward(self, x):
        running_mean, running_sd = self.running_mean.clone(), (self.running_var + 1e-5).sqrt()
        if not self.training:
            return self.weight * (x - running_mean) / running_sd + self.bias
        mean, sd = x.mean(0), (x.var(0, correction=0) + 1e-5).sqrt()
        r = (sd / running_sd).clamp(1 / self.r_max, self.r_max).detach()  # no gradient flows through r and d
        d = ((mean - running_mean) / running_sd).clamp(-self.d_max, self.d_max).detach()
        self.running_mean.lerp_(mean.detach(), self.momentum)
        if len(x) > 1:
            self.running_var.lerp_(x.detach().var(0), self.momentum)
        return self.weight * ((x - mean) / sd * r + d) + self.bias
