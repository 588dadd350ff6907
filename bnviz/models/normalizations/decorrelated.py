"""Decorrelated Batch Normalization: ZCA whitening of groups of units."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bnviz.models.normalizations.base import EPS, Memory, NormalizationPair, Numbers


class DecorrelatedBatchNorm(NormalizationPair):
    """Decorrelated Batch Normalization, Huang et al. 2018, Section 3: what BN would be if it whitened.

    Forward, for a group of s units over a batch of m images, X_c [m, s] centred:
        S = X_c^T X_c / m + eps I = D Λ D^T;  S^(-1/2) = D Λ^(-1/2) D^T (ZCA)
        Xh = X_c S^(-1/2);  y = gamma xh + beta

    Backward, with G = gamma dl/dy and the means over the batch:
        F = D^T X_c^T G D;  K_ij = -1 / (r_i r_j (r_i + r_j)) with r = sqrt(Λ)
        dX_c = G S^(-1/2) + (2/m) X_c D (K * (F + F^T) / 2) D^T;  dX = dX_c - mean(dX_c)
    K is the divided difference of λ^(-1/2), (λ_i^(-1/2) - λ_j^(-1/2)) / (λ_i - λ_j), with the difference of the
    eigenvalues cancelled: unlike the paper's form it does not divide by it, so equal eigenvalues do no harm.

    At inference mean and covariance are running averages, the covariance unbiased, as BN's variance is; whitening is
    then one matrix, folded into a neighbour's weights. With groups of one unit it is BN, but for rounding.

    The eigenvectors of nearly singular covariances need float64 whatever the networks compute in.
    """

    has_parameters = True
    has_statistics = True
    drops_bias_before_it = True
    whitens = True

    def buffers(self, memory: Memory) -> Mapping[str, Tensor]:
        groups = memory.unit_groups
        size = memory.units // groups
        return {"covariance": memory.mean.new_zeros(len(memory.mean), groups, size, size)}  # of the batch, biased

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        own, n = memory.own, memory.units
        values = x[:, :, :n].double()
        mean = values.mean(1, keepdim=True)
        centred = _by_group(values - mean, memory.unit_groups)
        covariance = centred.mT @ centred / values.shape[1]
        roots, own["axes"] = roots_and_axes(covariance)
        own["roots"] = roots[:, :, None]
        own["rotated"] = centred @ own["axes"]
        memory.normalized[:, :, :n] = _together((own["rotated"] / own["roots"]) @ own["axes"].mT)
        memory.mean[:, :, :n] = mean
        memory.variance[:, :, :n] = covariance.diagonal(dim1=2, dim2=3).flatten(1)[:, None]
        own["covariance"].copy_(covariance)
        torch.addcmul(numbers.beta, memory.normalized, numbers.gamma, out=out)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        own, n = memory.own, memory.units
        axes, roots, rotated = own["axes"], own["roots"], own["rotated"]
        memory.average(delta, out=memory.mean_d_beta)
        torch.mul(delta, memory.normalized, out=memory.scratch)
        memory.average(memory.scratch, out=memory.mean_d_gamma)
        g = _by_group((delta * numbers.gamma)[:, :, :n].double(), memory.unit_groups) @ axes
        f = rotated.mT @ g
        k = -1 / (roots * roots.mT * (roots + roots.mT))
        d_centred = (g / roots + rotated @ (k * (f + f.mT)) / delta.shape[1]) @ axes.mT
        delta[:, :, :n] = _together(d_centred - d_centred.mean(2, keepdim=True))


def roots_and_axes(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(λ) and D of covariance + eps I = D Λ D^T, in float64: [..., s, s] to [..., s] and [..., s, s].

    A covariance that is not finite, of a network that diverges, has those of the identity: what is multiplied by them
    is not finite either.
    """
    is_finite = covariance.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    identity = torch.eye(covariance.shape[-1], dtype=torch.float64, device=covariance.device)
    values, axes = torch.linalg.eigh(torch.where(is_finite, covariance.double(), identity))
    return (values.clamp(min=0) + EPS).sqrt(), axes


def whitening_matrix(covariance: Tensor) -> Tensor:
    """S^(-1/2) of each covariance, in float64. [..., s, s]"""
    roots, axes = roots_and_axes(covariance)
    return (axes / roots[..., None, :]) @ axes.mT


def _by_group(values: Tensor, groups: int) -> Tensor:
    """[k, b, n] to [k, G, b, s]."""
    return values.reshape(*values.shape[:2], groups, -1).transpose(1, 2)


def _together(values: Tensor) -> Tensor:
    """[k, G, b, s] to [k, b, n]."""
    return values.transpose(1, 2).flatten(2)
