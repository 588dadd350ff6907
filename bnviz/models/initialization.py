"""Initial weights, drawn from the seed once for all competitors."""

from collections.abc import Iterator, Sequence
from math import sqrt

import torch
from torch import Tensor

from bnviz.config import Initialization, ModelConfig, WeightLayer
from bnviz.models.lsuv import LSUV_IMAGES, Layer, plain_layers, unit_variance
from bnviz.models.patches import seen_by


def initial_weights(model: ModelConfig, images: Tensor | None = None) -> list[Tensor]:
    """The weight matrices W of every layer, output layer included, by the one scheme: [n_out, n_in] float32 each.

    images: [m, n_0] float32 of the training set, in the run's form; only LSUV looks at them, at the first 512.
    """
    seen = None if images is None else seen_by(model, 0, images[:LSUV_IMAGES])
    return list(
        drawn_weights(model.initialization, model.init_scale, model.layers, model.seed, seen, plain_layers(model))
    )


def drawn_weights(
    scheme: Initialization,
    scale: float,
    layers: Sequence[WeightLayer],
    seed: int,
    inputs: Tensor | None = None,
    layer: Layer | None = None,
) -> Iterator[Tensor]:
    """The same for any layers, one matrix after the other.

    Biases start at 0. The seed alone decides, with LSUV the images too: torch's global random numbers are neither read
    nor moved. LSUV's matrices are those of scale 1 times the scale.

    inputs, layer: those of the first layer, [rows, n_in], which LSUV measures, and what makes a layer's outputs, or
    the inputs of the one above, of its inputs and W u.
    """
    generator = torch.Generator().manual_seed(seed)
    if scheme is Initialization.LSUV:
        if inputs is None or layer is None:
            raise ValueError("LSUV measures the layers' outputs: give it inputs and layers")
        orthogonal = (_orthogonal(_gaussian(one, generator)) for one in layers)
        # On a CPU wherever the networks train, so that they start from the same bits.
        for weight in unit_variance(orthogonal, inputs.float().cpu(), layer):
            yield scale * weight
        return
    for one in layers:
        yield _draw(scheme, scale, one, generator)


def _draw(scheme: Initialization, scale: float, layer: WeightLayer, generator: torch.Generator) -> Tensor:
    """One matrix [n_out, n_in].

    The fan-in of a convolution is a patch of all feature maps, its fan-out the maps above times the taps: as PyTorch
    counts them.

    Sources: Glorot & Bengio 2010 (variance 2/(fan_in + fan_out)); He et al. 2015 (2/fan_in); Saxe et al. 2014
    (orthogonal: the Q of a Gaussian matrix, signs made uniform).
    """
    gaussian = _gaussian(layer, generator)
    match scheme:
        case Initialization.GAUSSIAN:
            return scale * gaussian
        case Initialization.GLOROT:
            return scale * sqrt(2 / (layer.n_in + layer.fan_out)) * gaussian
        case Initialization.HE:
            return scale * sqrt(2 / layer.n_in) * gaussian
        case Initialization.ORTHOGONAL:
            return scale * _orthogonal(gaussian)
        case Initialization.LSUV:
            raise ValueError("LSUV draws no matrix by itself")


def _gaussian(layer: WeightLayer, generator: torch.Generator) -> Tensor:
    return torch.randn(layer.n_out, layer.n_in, generator=generator)


def _orthogonal(gaussian: Tensor) -> Tensor:
    is_wide = gaussian.shape[0] < gaussian.shape[1]
    q: Tensor
    q, r = torch.linalg.qr(gaussian.T if is_wide else gaussian)
    q = q * r.diagonal().sign()
    return (q.T if is_wide else q).contiguous()
