"""Nonlinearities and normalizations that have no backward of their own yet: autograd differentiates them.

Derive from one of these and write down the value alone; forward and backward then look from outside like those of
`nonlinearities` and `normalizations`. Backward computes the value a second time, so it is slower than one written out.
"""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor

from bnviz.models.normalizations import Memory, NormalizationPair, Numbers


def _pulled_back(function: Callable[..., Tensor], inputs: list[Tensor], delta: Tensor) -> tuple[Tensor, ...]:
    """dl/d(each input) where dl/d(function's value) is `delta`."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [one.clone().requires_grad_() for one in inputs]
        return torch.autograd.grad(function(*leaves), leaves, delta.clone())


class NonlinearityByAutograd:
    """u = g(z), given as `value`."""

    steep = (-inf, inf)

    def value(self, z: Tensor) -> Tensor:
        """g(z), elementwise."""
        raise NotImplementedError

    def forward(self, z: Tensor, out: Tensor) -> None:
        out.copy_(self.value(z))

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        (pulled_back,) = _pulled_back(self.value, [z], delta)
        delta.copy_(pulled_back)


class NormalizationByAutograd(NormalizationPair):
    """y = N(x; gamma, beta), given as `value`.

    Gamma and beta train, and the running statistics are those of x; at inference it is folded as BN is, so its value
    must be affine unit by unit once the statistics are given.
    """

    has_parameters = True
    has_statistics = True

    def value(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """The normalized x, scaled and shifted: [k, b, n], [k, 1, n] and [k, 1, n] to [k, b, n], without padding."""
        raise NotImplementedError

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        gamma, beta = numbers.gamma, numbers.beta
        n = slice(0, memory.units)
        memory.normalized.copy_(x)  # what backward needs: x itself, which `out` may overwrite
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        memory.mean.copy_(mean)
        memory.variance.copy_(variance)
        out[:, :, n] = self.value(x[:, :, n], gamma[:, :, n], beta[:, :, n])

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        gamma = numbers.gamma
        n, batch = slice(0, memory.units), delta.shape[1]
        beta = torch.zeros_like(gamma)  # y is x's image shifted by beta: its value changes no derivative
        inputs = [one[:, :, n] for one in (memory.normalized, gamma, beta)]
        d_x, d_gamma, d_beta = _pulled_back(self.value, inputs, delta[:, :, n])
        delta[:, :, n] = d_x
        memory.mean_d_gamma[:, :, n] = d_gamma / batch
        memory.mean_d_beta[:, :, n] = d_beta / batch
