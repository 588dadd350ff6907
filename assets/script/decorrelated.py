"""Decorrelated BN."""

import torch
from torch import nn


class InverseRoot(torch.autograd.Function):
    """S^(-1/2) of a symmetric matrix.

    Autograd could differentiate its eigenvectors, but divides by differences of eigenvalues; here they have cancelled.
    """

    @staticmethod
    def forward(ctx, s):
        values, axes = torch.linalg.eigh(s)
        roots = values.clamp(min=1e-5).sqrt()
        ctx.save_for_backward(roots, axes)
        return (axes / roots[..., None, :]) @ axes.mT

    @staticmethod
    def backward(ctx, gradient):
        roots, axes = ctx.saved_tensors
        one, other = roots[..., :, None], roots[..., None, :]
        inner = axes.mT @ ((gradient + gradient.mT) / 2) @ axes
        return axes @ (-inner / (one * other * (one + other))) @ axes.mT


class DecorrelatedBatchNorm(nn.Module):
    """Huang et al. 2018: ZCA whitening of groups of units, in float64, where BN would standardise each unit."""

    def __init__(self, units, groups):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(units)), nn.Parameter(torch.zeros(units))
        self.groups, self.momentum, size = groups, 0.1, units // groups
        self.register_buffer("running_mean", torch.zeros(units))
        self.register_buffer("running_cov", torch.eye(size).repeat(groups, 1, 1))

    def forward(self, x):
        mean = x.mean(0) if self.training else self.running_mean
        parts = (x.double() - mean).reshape(len(x), self.groups, -1).transpose(0, 1)  # [groups, b, s]
        covariance = self.running_cov.double()
        if self.training:
            covariance = parts.mT @ parts / len(x)
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_cov.lerp_((covariance.detach() * len(x) / (len(x) - 1)).float(), self.momentum)
        eye = torch.eye(covariance.shape[-1], dtype=torch.float64)
        white = parts @ InverseRoot.apply(covariance + 1e-5 * eye)
        return self.weight * white.transpose(0, 1).reshape(x.shape).float() + self.bias
