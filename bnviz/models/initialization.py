"""Initial weights, drawn from the seed once for all competitors."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

from bnviz.config import Initialization, ModelConfig


def initial_weights(model: ModelConfig) -> list[Tensor]:
    """The weight matrices W of every layer, output layer included, by the one scheme: [n_out, n_in] float32 each."""
    return list(drawn_weights(model.initialization, model.init_scale, model.sizes, model.seed))


def drawn_weights(scheme: Initialization, scale: float, sizes: Sequence[int], seed: int) -> Iterator[Tensor]:
    """The same for layers of any sizes, input and output included, one matrix after the other.

    Biases start at 0. The seed alone decides: torch's global random numbers are neither read nor moved.
    """
    generator = torch.Generator().manual_seed(seed)
    for n_in, n_out in pairwise(sizes):
        yield _draw(scheme, scale, n_out, n_in, generator)


def _draw(scheme: Initialization, scale: float, n_out: int, n_in: int, generator: torch.Generator) -> Tensor:
    """One matrix [n_out, n_in].

    Sources: Glorot & Bengio 2010 (variance 2/(fan_in + fan_out)); He et al. 2015 (2/fan_in); Saxe et al. 2014
    (orthogonal: the Q of a Gaussian matrix, signs made uniform).
    """
    gaussian = torch.randn(n_out, n_in, generator=generator)
    match scheme:
        case Initialization.GAUSSIAN:
            return scale * gaussian
        case Initialization.GLOROT:
            return scale * sqrt(2 / (n_in + n_out)) * gaussian
        case Initialization.HE:
            return scale * sqrt(2 / n_in) * gaussian
        case Initialization.ORTHOGONAL:
            return scale * _orthogonal(gaussian)


def _orthogonal(gaussian: Tensor) -> Tensor:
    is_wide = gaussian.shape[0] < gaussian.shape[1]
    q: Tensor
    q, r = torch.linalg.qr(gaussian.T if is_wide else gaussian)
    q = q * r.diagonal().sign()
    return (q.T if is_wide else q).contiguous()
