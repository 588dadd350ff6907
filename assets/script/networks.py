"""The networks, which differ in nothing but what NETWORKS says of each."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def network(normalization, dropout, initialization, init_scale, images):
    """One of the networks of this run, with its initial weights."""
    modules = [nn.Unflatten(1, (1, 28, 28))] if CONVOLUTIONAL else []
    weights = initial_weights(initialization, init_scale, images)
    for layer, weight in enumerate(weights[:-1]):
        modules.append(weighted(weight, normalization))
        normalizing, g = normalizing_modules(normalization, layer), [NONLINEARITY()]
        modules += normalizing + g if NORMALIZED_BEFORE else g + normalizing
        # @DROPOUT@
    output = nn.Linear(weights[-1].shape[1], 10)
    with torch.no_grad():
        output.weight.copy_(weights[-1])
        output.bias.zero_()
    return nn.Sequential(*modules, *([nn.Flatten()] if CONVOLUTIONAL else []), output)


def weighted(weight, normalization):
    """W u, plus a bias: not before a BN, which would subtract it with the mean; its beta takes the bias's part."""
    has_bias = not (NORMALIZED_BEFORE and normalization in OVER_THE_BATCH)
    if CONVOLUTIONAL:
        module = nn.Conv2d(weight.shape[1], weight.shape[0], 5, stride=2, bias=has_bias)
    else:
        module = nn.Linear(weight.shape[1], weight.shape[0], bias=has_bias)
    with torch.no_grad():
        module.weight.copy_(weight)
        if has_bias:
            module.bias.zero_()
    # Salimans & Kingma 2016: weights g v / ||v||. It is of the weights, so it has no other place.
    return weight_norm(module) if normalization == "weight" else module


OVER_THE_BATCH = ("batch", "noisy_batch", "renormalization", "decorrelated")


def normalizing_modules(normalization, layer):
    """What stands beside the nonlinearity."""
    # @CASES@
    return []
