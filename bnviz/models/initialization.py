"""Initial weights, drawn from the seed once for all competitors."""

from collections.abc import Iterator, Sequence
from math import sqrt

import torch
from torch import Tensor

from bnviz.config import Initialization, ModelConfig, WeightLayer


def initial_weights(model: ModelConfig) -> list[Tensor]:
    """The weight matrices W of every layer, output layer included, by the one scheme: [n_out, n_in] float32 each."""
    return list(drawn_weights(model.initialization, model.init_scale, model.layers, model.seed))


def drawn_weights(scheme: Initialization, scale: float, layers: Sequence[WeightLayer], seed: int) -> Iterator[Tensor]:
    """The same for any layers, one matrix after the other.

    Biases start at 0. The seed alone decides: torch's global random numbers are neither read nor moved.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        yield _draw(scheme, scale, layer, generator)


def _draw(scheme: Initialization, scale: float, layer: WeightLayer, generator: torch.Generator) -> Tensor:
    """One matrix [n_out, n_in].

    The fan-in of a convolution is a patch of all feature maps, its fan-out the maps above times the taps: as PyTorch
    counts them.

    Sources: Glorot & Bengio 2010 (variance 2/(fan_in + fan_out)); He et al. 2015 (2/fan_in); Saxe et al. 2014
    (orthogonal: the Q of a Gaussian matrix, signs made uniform).
    """
    gaussian = torch.randn(layer.n_out, layer.n_in, generator=generator)
    match scheme:
        case Initialization.GAUSSIAN:
            return scale * gaussian
        case Initialization.GLOROT:
            return scale * sqrt(2 / (layer.n_in + layer.fan_out)) * gaussian
        case Initialization.HE:
            return scale * sqrt(2 / layer.n_in) * gaussian
        case Initialization.ORTHOGONAL:
            return scale * _orthogonal(gaussian)


def _orthogonal(gaussian: Tensor) -> Tensor:
    is_wide = gaussian.shape[0] < gaussian.shape[1]
    q: Tensor
    q, r = torch.linalg.qr(gaussian.T if is_wide else gaussian)
    q = q * r.diagonal().sign()
    return (q.T if is_wide else q).contiguous()
