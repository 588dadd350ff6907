"""Weight Normalization."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bnviz.models.normalizations.base import Memory, NormalizationPair, Numbers


class WeightNorm(NormalizationPair):
    """Weight Normalization, Salimans & Kingma 2016, equations 2 and 3: w = g v / ||v||, one v and one g a unit.

    The weights of a layer are its v, column by column, so x = u V and

        xh = x / ||v||;  y = g xh + b

    with g where the others have gamma and b where they have beta: the same affine map after another standardisation, of
    the weights instead of the data. g starts at ||v||, so that the network starts as the same function as the others
    (the paper suggests to start it from data).

    Backward, with d = dl/dy, sums over the batch:
        db = sum(d);  dg = sum(d xh);  dx = d g / ||v||
        dV = u^T dx - V (g dg / ||v||²)
    where the last term is the gradient through ||v||, which makes dV orthogonal to each v. `along` holds its factor
    g dg / ||v||², [k, 1, p], for whoever computes u^T dx.

    It reparametrizes weights, so it has no place after a nonlinearity: there it stands before it all the same.
    """

    has_parameters = True
    drops_bias_before_it = True
    is_of_weights = True

    def buffers(self, memory: Memory) -> Mapping[str, Tensor]:
        return {name: torch.zeros_like(memory.mean) for name in ("inverse_norm", "along")}

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        torch.reciprocal(norms(numbers.weights), out=memory.own["inverse_norm"])
        torch.mul(x, memory.own["inverse_norm"], out=memory.normalized)
        torch.addcmul(numbers.beta, memory.normalized, numbers.gamma, out=out)

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        scale = numbers.gamma * memory.own["inverse_norm"]
        memory.average(delta, out=memory.mean_d_beta)
        torch.mul(delta, memory.normalized, out=memory.scratch)
        memory.average(memory.scratch, out=memory.mean_d_gamma)
        torch.mul(scale * memory.own["inverse_norm"], memory.mean_d_gamma, out=memory.own["along"])
        memory.own["along"].mul_(delta.shape[1])
        delta.mul_(scale)


def norms(weights: Tensor) -> Tensor:
    """||v|| of each unit, 1 in the padding. [k, n_in, p] to [k, 1, p]"""
    length = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
    return torch.where(length > 0, length, 1)
