"""Normalizations: forward and backward side by side.

Each has
    forward(x, out, gamma, beta, memory):   out <- x normalized over the batch; `memory` keeps what backward needs
    backward(delta, gamma, memory):         delta, which holds g = dl/dout, <- dl/dx; d_gamma and d_beta into `memory`

x, out and delta are [k, b, p], gamma and beta [k, 1, p], for the k networks that have this normalization; `out` may be
`x` itself.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from bnviz.config import Normalization

EPS: Final = 1e-5  # PyTorch's BatchNorm1d


@dataclass(frozen=True)
class Memory:
    """What one normalization of one layer keeps from forward to backward.

    Attributes:
        normalized: [k, b, p], the paper's x with a hat.
        mean, variance: [k, 1, p] of the batch, the variance biased (1/m).
        inverse_std: [k, 1, p], 1 / sqrt(variance + eps).
        batch_mean: [k, 1, b] of 1/m: the product with it is the mean over the batch, far faster than `var_mean`.
        scratch: [k, b, p].
        units: n, the columns without the padding.
        mean_d_gamma, mean_d_beta: [k, 1, p], dl/dgamma and dl/dbeta divided by m.
        noise: [2, 1, b, p], a factor and a shift for every value; see `noise`. None where there is none.
    """

    normalized: Tensor
    mean: Tensor
    variance: Tensor
    inverse_std: Tensor
    batch_mean: Tensor
    scratch: Tensor
    units: int
    mean_d_gamma: Tensor
    mean_d_beta: Tensor
    noise: Tensor | None = None


class NormalizationPair(Protocol):
    """A normalization's two directions; see the module."""

    has_parameters: bool  # gamma, beta and running statistics
    drops_bias_before_it: bool  # a constant added to x cancels
    is_noisy: bool  # needs noise in the memory

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None: ...

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None: ...


class NoNormalization:
    """out = x."""

    has_parameters = False
    drops_bias_before_it = False
    is_noisy = False

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None:
        if out.data_ptr() != x.data_ptr():
            out.copy_(x)

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        pass


class BatchNorm:
    """Batch Normalizing Transform, Ioffe & Szegedy 2015, Algorithm 1 and Section 3.

    Forward:   mu = mean(x);  var = mean((x - mu)²);  xh = (x - mu) / sqrt(var + eps);  y = gamma xh + beta

    Backward, with g = dl/dy, the paper's three equations for dl/dvar, dl/dmu and dl/dx in one:
               dx = gamma / sqrt(var + eps) * (g - mean(g) - xh mean(g xh))
               dgamma = m mean(g xh);  dbeta = m mean(g)
    Means are over the batch of size m, unit by unit.
    """

    has_parameters = True
    drops_bias_before_it = True
    is_noisy = False

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None:
        xh, mean, variance, inverse_std = memory.normalized, memory.mean, memory.variance, memory.inverse_std
        torch.bmm(memory.batch_mean, x, out=mean)
        torch.sub(x, mean, out=xh)
        torch.mul(xh, xh, out=memory.scratch)
        torch.bmm(memory.batch_mean, memory.scratch, out=variance)
        torch.add(variance, EPS, out=inverse_std).rsqrt_()
        xh.mul_(inverse_std)
        torch.addcmul(beta, xh, gamma, out=out)

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        xh, mean_g, mean_g_xh = memory.normalized, memory.mean_d_beta, memory.mean_d_gamma
        torch.bmm(memory.batch_mean, delta, out=mean_g)
        torch.mul(delta, xh, out=memory.scratch)
        torch.bmm(memory.batch_mean, memory.scratch, out=mean_g_xh)
        delta.sub_(mean_g).addcmul_(xh, mean_g_xh, value=-1).mul_(gamma * memory.inverse_std)


class NoisyBatchNorm(BatchNorm):
    """BN, and then y <- s y + m with the noise's factors s and shifts m. Inference, by folding, is without noise."""

    is_noisy = True

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None:
        super().forward(x, out, gamma, beta, memory)
        assert memory.noise is not None
        factors, shifts = memory.noise
        out.mul_(factors).add_(shifts)

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        assert memory.noise is not None
        delta.mul_(memory.noise[0])
        super().backward(delta, gamma, memory)


class NoiseAlone(NoNormalization):
    """out = s x + m, the same noise without BN."""

    is_noisy = True

    def forward(self, x: Tensor, out: Tensor, gamma: Tensor, beta: Tensor, memory: Memory) -> None:
        assert memory.noise is not None
        factors, shifts = memory.noise
        torch.mul(x, factors, out=out).add_(shifts)

    def backward(self, delta: Tensor, gamma: Tensor, memory: Memory) -> None:
        assert memory.noise is not None
        delta.mul_(memory.noise[0])


NORMALIZATIONS: Final[dict[Normalization, NormalizationPair]] = {
    Normalization.NONE: NoNormalization(),
    Normalization.BATCH: BatchNorm(),
    Normalization.NOISY_BATCH: NoisyBatchNorm(),
    Normalization.NOISE: NoiseAlone(),
}
