"""Initial weights: networks with the same scheme start from the same numbers."""

from itertools import pairwise
from math import sqrt

import torch
from torch.nn import functional


def shapes():
    """[n_out, n_in] and fan-out of every weight layer; a convolution's n_in is a patch of 5 x 5 pixels of all maps."""
    if CONVOLUTIONAL:
        return [(WIDTH, 25, 25 * WIDTH), (WIDTH, 25 * WIDTH, 25 * WIDTH), (10, 16 * WIDTH, 10)]
    sizes = [784, *[WIDTH] * HIDDEN_LAYERS, 10]
    return [(n_out, n_in, n_out) for n_in, n_out in pairwise(sizes)]


def initial_weights(scheme, scale, images):
    """One tensor a weight layer, as `nn.Linear` and `nn.Conv2d` have them; only LSUV looks at the images."""
    generator = torch.Generator().manual_seed(SEED)
    weights, seen = [], images[:512]
    for layer, (n_out, n_in, fan_out) in enumerate(shapes()):
        matrix = torch.randn(n_out, n_in, generator=generator)
        if scheme in ("orthogonal", "lsuv"):
            matrix = orthogonal(matrix)
        matrix = {"glorot": sqrt(2 / (n_in + fan_out)), "he": sqrt(2 / n_in)}.get(scheme, 1.0) * matrix
        weight = as_module(layer, matrix)
        if scheme == "lsuv":
            weight = of_unit_variance(weight, seen, layer)
            seen = NONLINEARITY()(apply(weight, seen, layer))
        weights.append(scale * weight)
    return weights


def orthogonal(gaussian):
    """Saxe et al. 2014: the Q of a Gaussian matrix, its signs made uniform."""
    is_wide = gaussian.shape[0] < gaussian.shape[1]
    q, r = torch.linalg.qr(gaussian.T if is_wide else gaussian)
    q = q * r.diagonal().sign()
    return q.T if is_wide else q


def of_unit_variance(weight, seen, layer):
    """LSUV, Mishkin & Matas 2016: divided by the standard deviation of its outputs until their variance is about 1."""
    for _ in range(10):
        variance = float(apply(weight, seen, layer).double().var(correction=0))
        if not 0 < variance < float("inf") or abs(variance - 1) < 0.1:
            break
        weight = weight / variance**0.5
    return weight


def as_module(layer, matrix):
    """The numbers of a matrix were drawn with the maps last; PyTorch has them first."""
    if CONVOLUTIONAL and layer < HIDDEN_LAYERS:
        return matrix.reshape(len(matrix), 5, 5, -1).permute(0, 3, 1, 2).contiguous()
    if CONVOLUTIONAL:
        return matrix.reshape(10, 16, WIDTH).transpose(1, 2).reshape(10, -1)
    return matrix


def apply(weight, seen, layer):
    """W u, without a bias."""
    if CONVOLUTIONAL and layer == 0:
        seen = seen.reshape(-1, 1, 28, 28)
    if weight.dim() == 4:
        return functional.conv2d(seen, weight, stride=2)
    return functional.linear(seen.flatten(1), weight)
