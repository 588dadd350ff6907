"""Group Normalization, and what it shares with Layer Normalization: statistics over the units of one image."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from bnviz.models.normalizations.base import EPS, Memory, NormalizationPair, Numbers

# A product with a number of columns that is no multiple of this has other last bits for one network than for two.
_ROWS: Final = 16


class GroupNorm(NormalizationPair):
    """Group Normalization, Wu & He 2018, Section 3.1: groups of neighbouring units, with space at all their positions.

    Forward, for one image and one group of s units, means over the group:
               mu = mean(x);  var = mean((x - mu)²);  xh = (x - mu) / sqrt(var + eps);  y = gamma xh + beta
    with a gamma and a beta for every unit.

    Backward, with g = dl/dy and d = gamma g:
               dx = (d - mean(d) - xh mean(d xh)) / sqrt(var + eps);  dgamma = sum(g xh);  dbeta = sum(g)
    the means over the group, the sums over the batch. No image knows of another, so training and inference are one.
    A bias before it does not cancel, since it differs from unit to unit: it stays.

    A mean over each group, [k, b, p] to [k, b, r], is the product with `to_means`, and its way back to the units that
    with `to_units`: both are 0 in the padding, which so stays out of everything. r is G and some groups without units.
    """

    has_parameters = True
    is_per_image = True

    def groups(self, memory: Memory) -> int:
        """G."""
        return memory.unit_groups

    def buffers(self, memory: Memory) -> Mapping[str, Tensor]:
        groups, like = self.groups(memory), memory.normalized
        networks, batch, columns = like.shape
        size, rows = memory.units // groups, -(-groups // _ROWS) * _ROWS
        to_units = like.new_zeros(1, rows, columns)
        to_units[0, :groups, : memory.units] = torch.eye(groups).repeat_interleave(size, dim=1)
        return {
            "to_units": to_units.expand(networks, -1, -1),
            "to_means": (to_units / size).transpose(1, 2).contiguous().expand(networks, -1, -1),
            "means": like.new_zeros(networks, batch, rows),
            "other_means": like.new_zeros(networks, batch, rows),
            "inverse_std": torch.zeros_like(like),  # of its group, for every unit; 0 in the padding
        }

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        own, xh = memory.own, memory.normalized
        self._mean(x, memory, out=own["means"])
        torch.baddbmm(x, own["means"], own["to_units"], alpha=-1, out=xh)
        torch.mul(xh, xh, out=memory.scratch)
        self._mean(memory.scratch, memory, out=own["means"])
        own["means"].add_(EPS).rsqrt_()
        torch.bmm(own["means"], own["to_units"], out=own["inverse_std"])
        xh.mul_(own["inverse_std"])
        torch.addcmul(numbers.beta, xh, numbers.gamma, out=out)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        own, xh, g_xh = memory.own, memory.normalized, memory.scratch
        memory.average(delta, out=memory.mean_d_beta)
        torch.mul(delta, xh, out=g_xh)
        memory.average(g_xh, out=memory.mean_d_gamma)
        delta.mul_(numbers.gamma)
        self._mean(delta, memory, out=own["means"])
        g_xh.mul_(numbers.gamma)
        self._mean(g_xh, memory, out=own["other_means"])
        delta.baddbmm_(own["means"], own["to_units"], alpha=-1)
        torch.bmm(own["other_means"], own["to_units"], out=memory.scratch)
        delta.addcmul_(xh, memory.scratch, value=-1).mul_(own["inverse_std"])

    def _mean(self, values: Tensor, memory: Memory, out: Tensor) -> None:
        """The mean of each image's groups, in all its rows."""
        torch.bmm(values, memory.own["to_means"], out=out)
        if memory.positions > 1:
            of_images = out.view(len(out), -1, memory.positions, out.shape[2])
            of_images.copy_(of_images.mean(dim=2, keepdim=True))


def over_units(x: Tensor, groups: int, dim: int, positions: int = 1) -> Tensor:
    """xh of groups of neighbours along one dimension, counted from the front, without padding: for inference.

    The other one of the last two dimensions are the images, and with space their positions: [.., b s², n] or
    [.., n, b s²].
    """
    rows = 2 * x.dim() - 3 - dim
    sizes = {dim: (groups, x.shape[dim] // groups), rows: (x.shape[rows] // positions, positions)}
    first, second = sorted(sizes)
    parted = x.reshape(*x.shape[:first], *sizes[first], *sizes[second])
    variance, mean = torch.var_mean(parted, dim=(first + 1, second + 2), correction=0, keepdim=True)
    xh: Tensor = (parted - mean) * torch.rsqrt(variance + EPS)
    return xh.reshape(x.shape)
