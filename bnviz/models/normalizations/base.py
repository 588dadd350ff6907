"""What all normalizations share: the shape of their two directions, and what is kept between them.

Each has
    forward(x, out, numbers, memory):   out <- x normalized; `memory` keeps what backward needs
    backward(delta, numbers, memory):   delta, which holds g = dl/dout, <- dl/dx; d_gamma and d_beta into `memory`

x, out and delta are [k, b, p], for the k networks that have this normalization, and with space [k, b s², p], image by
image: what is taken over the batch is taken over its positions too (Ioffe & Szegedy 2015, Section 3.2). `out` may be
`x` itself. The padding of x may hold anything finite; that of what is written is 0 wherever a gradient or a product
would take it up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

EPS: Final = 1e-5  # PyTorch's BatchNorm1d


@dataclass(frozen=True)
class Numbers:
    """What the networks themselves have of one layer, as views; a normalization writes to none of it.

    Attributes:
        gamma, beta: [k, 1, p], trained.
        weights: [k, n_in, p], trained: where the normalization stands before a nonlinearity, x is u times them.
        running: [2, k, 1, p], running mean and unbiased variance.
        covariance: [k, G, s, s], running and unbiased, of each group of s units; empty where no network whitens.
        limits: [2], Batch Renormalization's r_max and d_max.
    """

    gamma: Tensor
    beta: Tensor
    weights: Tensor
    running: Tensor
    covariance: Tensor
    limits: Tensor


@dataclass(frozen=True)
class Memory:
    """What one normalization of one layer keeps from forward to backward.

    Attributes:
        normalized: [k, b, p], the paper's x with a hat.
        mean, variance: [k, 1, p] of the batch, the variance biased (1/m).
        inverse_std: [k, 1, p], 1 / sqrt(variance + eps).
        batch_mean: [k, 1, b] of 1/b: the product with it is the mean over the batch, far faster than `var_mean`.
        position_mean: [1, 1, s²] of 1/s².
        scratch: [k, b, p].
        positions: s², rows of one image; 1 where there is no space.
        units: n, the columns without the padding.
        unit_groups: G, of neighbouring units of equal number.
        mean_d_gamma, mean_d_beta: [k, 1, p], dl/dgamma and dl/dbeta divided by m.
        noise: [2, 1, b, p], a factor and a shift for every value; see `noise`. None where there is none.
        own: what this normalization alone keeps, by names that its module explains.
    """

    normalized: Tensor
    mean: Tensor
    variance: Tensor
    inverse_std: Tensor
    batch_mean: Tensor
    position_mean: Tensor
    scratch: Tensor
    positions: int
    units: int
    unit_groups: int
    mean_d_gamma: Tensor
    mean_d_beta: Tensor
    noise: Tensor | None = None
    own: dict[str, Tensor] = field(default_factory=dict)

    def average(self, values: Tensor, out: Tensor) -> None:
        """The mean over all rows: [k, b, p] to [k, 1, p].

        With space over the positions of each image first: in one product of tens of thousands of rows float32 would
        lose four of its seven digits.
        """
        if self.positions > 1:
            networks, rows, columns = values.shape
            images = rows // self.positions
            by_image = values.view(networks * images, self.positions, columns)
            means = torch.bmm(self.position_mean.expand(len(by_image), -1, -1), by_image)
            values = means.view(networks, images, columns)
        torch.bmm(self.batch_mean, values, out=out)


class NormalizationPair:
    """A normalization's two directions, and what the rest of the house must know of it.

    Attributes:
        has_parameters: gamma and beta train.
        has_statistics: of the batch; running ones stand in for them at inference, where it is an affine map.
        drops_bias_before_it: the layer's own bias would be redundant.
        is_noisy: needs noise in the memory.
        is_per_image: normalizes each image by itself, at inference too: it cannot be folded.
        is_of_weights: rescales the product with the weights, and so stands before the nonlinearity wherever others do.
        whitens: has a running covariance; its eigenvalue solver may not be recorded on a GPU.
    """

    has_parameters = False
    has_statistics = False
    drops_bias_before_it = False
    is_noisy = False
    is_per_image = False
    is_of_weights = False
    whitens = False

    def buffers(self, memory: Memory) -> Mapping[str, Tensor]:
        """What it keeps besides, made once for a batch size."""
        return {}

    def forward(self, x: Tensor, out: Tensor, numbers: Numbers, memory: Memory) -> None:
        raise NotImplementedError

    def backward(self, delta: Tensor, numbers: Numbers, memory: Memory) -> None:
        raise NotImplementedError
