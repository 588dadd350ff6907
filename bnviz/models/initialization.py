"""Initial weights, drawn from the seed once for all competitors."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

from bnviz.config import Initialization, ModelConfig
from bnviz.models.lsuv import LSUV_IMAGES, Layer, plain_layers, unit_variance


def initial_weights(model: ModelConfig, images: Tensor | None = None) -> list[Tensor]:
    """The weight matrices W of every layer, output layer included, by the one scheme: [n_out, n_in] float32 each.

    images: [m, n_0] float32 of the training set, in the run's form; only LSUV looks at them, at the first 512.
    """
    layer = plain_layers(model.nonlinearity)
    return list(drawn_weights(model.initialization, model.init_scale, model.sizes, model.seed, images, layer))


def drawn_weights(
    scheme: Initialization,
    scale: float,
    sizes: Sequence[int],
    seed: int,
    images: Tensor | None = None,
    layer: Layer | None = None,
) -> Iterator[Tensor]:
    """The same for layers of any sizes, input and output included, one matrix after the other.

    Biases start at 0. The seed alone decides, with LSUV the images too: torch's global random numbers are neither read
    nor moved. LSUV's matrices are those of scale 1 times the scale.

    images, layer: what LSUV measures, and what makes a layer's outputs of its inputs and W u.
    """
    generator = torch.Generator().manual_seed(seed)
    if scheme is Initialization.LSUV:
        if images is None or layer is None:
            raise ValueError("LSUV measures the layers' outputs: give it images and layers")
        orthogonal = (_orthogonal(_gaussian(n_out, n_in, generator)) for n_in, n_out in pairwise(sizes))
        # On a CPU wherever the networks train, so that they start from the same bits.
        for weight in unit_variance(orthogonal, images[:LSUV_IMAGES].float().cpu(), layer):
            yield scale * weight
        return
    for n_in, n_out in pairwise(sizes):
        yield _draw(scheme, scale, n_out, n_in, generator)


def _draw(scheme: Initialization, scale: float, n_out: int, n_in: int, generator: torch.Generator) -> Tensor:
    """One matrix [n_out, n_in].

    Sources: Glorot & Bengio 2010 (variance 2/(fan_in + fan_out)); He et al. 2015 (2/fan_in); Saxe et al. 2014
    (orthogonal: the Q of a Gaussian matrix, signs made uniform).
    """
    gaussian = _gaussian(n_out, n_in, generator)
    match scheme:
        case Initialization.GAUSSIAN:
            return scale * gaussian
        case Initialization.GLOROT:
            return scale * sqrt(2 / (n_in + n_out)) * gaussian
        case Initialization.HE:
            return scale * sqrt(2 / n_in) * gaussian
        case Initialization.ORTHOGONAL:
            return scale * _orthogonal(gaussian)
        case Initialization.LSUV:
            raise ValueError("LSUV draws no matrix by itself")


def _gaussian(n_out: int, n_in: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n_out, n_in, generator=generator)


def _orthogonal(gaussian: Tensor) -> Tensor:
    is_wide = gaussian.shape[0] < gaussian.shape[1]
    q: Tensor
    q, r = torch.linalg.qr(gaussian.T if is_wide else gaussian)
    q = q * r.diagonal().sign()
    return (q.T if is_wide else q).contiguous()
