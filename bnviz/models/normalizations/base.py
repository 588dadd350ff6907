"""What all normalizations share: the shape of their two directions, and what is kept between them.

Each has
    forward(x, out, gamma, beta, memory):   out <- x normalized; `memory` keeps what backward needs
    backward(delta, gamma, memory):         delta, which holds g = dl/dout, <- dl/dx; d_gamma and d_beta into `memory`

x, out and delta are [k, b, p], gamma and beta [k, 1, p], for the k networks that have this normalization; `out` may be
`x` itself.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from torch import Tensor

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
