"""Nonlinearities: forward and backward side by side.

Each has
    forward(z, out):            out <- g(z)
    backward(delta, z, u):      delta, which holds dl/du, <- dl/dz = delta * g'(z), with u = g(z)
    steep = (low, high):        where |g'(z)| is at least a fifth of its largest; z at or beyond these ends is saturated

All tensors are [K, b, p]; everything is written in place.
"""

from math import inf, pi, sqrt
from typing import Final, Protocol

import torch
from torch import Tensor

from bnviz.config import Nonlinearity

LEAK: Final = 0.01  # slope of the leaky ReLU below 0, PyTorch's default


class NonlinearityPair(Protocol):
    """A nonlinearity's two directions; see the module."""

    steep: tuple[float, float]

    def forward(self, z: Tensor, out: Tensor) -> None: ...

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None: ...


class Sigmoid:
    """g(z) = 1 / (1 + exp(-z));  g' = u (1 - u). Steep where u is in (0.053, 0.947)."""

    steep = (-2.887, 2.887)

    def forward(self, z: Tensor, out: Tensor) -> None:
        torch.sigmoid(z, out=out)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        delta.mul_(u).addcmul_(delta, u, value=-1)  # delta u - delta u u


class Tanh:
    """g(z) = tanh(z);  g' = 1 - u². Steep where |u| < 0.894."""

    steep = (-1.4436, 1.4436)

    def forward(self, z: Tensor, out: Tensor) -> None:
        torch.tanh(z, out=out)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        delta.addcmul_(delta * u, u, value=-1)


class Relu:
    """g(z) = max(z, 0);  g' = 1 where z > 0, else 0 (also at 0, as PyTorch has it)."""

    steep = (0.0, inf)

    def forward(self, z: Tensor, out: Tensor) -> None:
        torch.clamp(z, min=0, out=out)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        delta.mul_(u.sign())  # u is positive or 0


class LeakyRelu:
    """g(z) = max(z, 0.01 z);  g' = 1 where z > 0, else 0.01. Source: Maas et al. 2013."""

    steep = (0.0, inf)

    def forward(self, z: Tensor, out: Tensor) -> None:
        torch.mul(z, LEAK, out=out)
        torch.maximum(z, out, out=out)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        delta.mul_((z > 0).to(delta.dtype).mul_(1 - LEAK).add_(LEAK))


class Gelu:
    """g(z) = z Phi(z);  g' = Phi(z) + z phi(z), Phi and phi the standard normal's distribution and density.

    Steep where z > -0.3586. Source: Hendrycks & Gimpel 2016, exact form.
    """

    steep = (-0.3586, inf)

    def forward(self, z: Tensor, out: Tensor) -> None:
        torch.mul(z, 1 / sqrt(2), out=out)
        out.erf_().add_(1).mul_(z).mul_(0.5)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        slope = torch.mul(z, 1 / sqrt(2)).erf_().add_(1).mul_(0.5)
        density = torch.mul(z, z).mul_(-0.5).exp_()
        delta.mul_(slope.addcmul_(z, density, value=1 / sqrt(2 * pi)))


class Identity:
    """g(z) = z;  g' = 1. Never saturated: a deep linear network."""

    steep = (-inf, inf)

    def forward(self, z: Tensor, out: Tensor) -> None:
        out.copy_(z)

    def backward(self, delta: Tensor, z: Tensor, u: Tensor) -> None:
        pass


NONLINEARITIES: Final[dict[Nonlinearity, NonlinearityPair]] = {
    Nonlinearity.SIGMOID: Sigmoid(),
    Nonlinearity.TANH: Tanh(),
    Nonlinearity.RELU: Relu(),
    Nonlinearity.LEAKY_RELU: LeakyRelu(),
    Nonlinearity.GELU: Gelu(),
    Nonlinearity.IDENTITY: Identity(),
}
