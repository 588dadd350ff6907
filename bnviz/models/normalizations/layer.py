"""Layer Normalization."""

from bnviz.models.normalizations.base import Memory
from bnviz.models.normalizations.group import GroupNorm


class LayerNorm(GroupNorm):
    """Layer Normalization, Ba, Kiros & Hinton 2016, equation 4: statistics of one image over all n units of a layer.

    Forward:   mu = mean(x);  var = mean((x - mu)²);  xh = (x - mu) / sqrt(var + eps);  y = gamma xh + beta
    Backward, with d = gamma dl/dy:   dx = (d - mean(d) - xh mean(d xh)) / sqrt(var + eps)
    means over the units. It is Group Normalization with one group, and computed as such.
    """

    def groups(self, memory: Memory) -> int:
        return 1
