"""Noise and dropout: drawn from the seed and the step alone, and the same for all networks."""

import numpy as np
import torch
from torch import nn


class Drawn(nn.Module):
    """x times factors, plus shifts, in training; x itself at inference. `draw` sets both before every step."""

    factors, shifts = 1.0, 0.0

    def forward(self, x):
        return x * self.factors + self.shifts if self.training else x


class Noise(Drawn):
    """Santurkar et al. 2018, Appendix A, Algorithm 1."""


class Dropout(Drawn):
    """Srivastava et al. 2014, "inverted": a value is kept with probability 1 - p, and then divided by it."""


def draw(networks, step, settings):
    """New noise and masks for every hidden layer."""
    rows = [settings["batch_size"] * side**2 for side in SIDES]
    columns = -(-WIDTH // 32) * 32  # drawn for blocks of 32 units; what is beyond the width is unused
    generator = torch.Generator().manual_seed(mixed(SEED, 0, step))
    of_unit = torch.rand(2, len(rows), 1, 1, columns, generator=generator)
    factors = [torch.empty(1, n, columns).normal_(generator=generator) for n in rows]
    shifts = [torch.empty(1, n, columns).uniform_(-1, 1, generator=generator) for n in rows]
    masks_generator = torch.Generator().manual_seed(mixed(SEED, 0, step, 1))
    keep = 1 - settings["dropout"]
    masks = torch.empty(sum(rows), columns).bernoulli_(keep, generator=masks_generator) / keep
    for layer, mask in enumerate(torch.split(masks, rows)):
        unit_scale = 1 + (settings["noise_scale"] - 1) * of_unit[0, layer]
        unit_mean = settings["noise_mean"] * (2 * of_unit[1, layer] - 1)
        factor = as_maps(layer, factors[layer] * settings["noise_scale_spread"] + unit_scale)
        shift = as_maps(layer, shifts[layer] * settings["noise_mean_spread"] + unit_mean)
        for net in networks.values():
            for module in net.modules():
                if isinstance(module, Noise) and module.layer == layer:
                    module.factors, module.shifts = factor, shift
                if isinstance(module, Dropout) and module.layer == layer:
                    module.factors = as_maps(layer, mask)


def as_maps(layer, values):
    """[b s², columns] as the layer's values are: [b, n], or [b, n, s, s]."""
    side = SIDES[layer]
    values = values.reshape(-1, values.shape[-1])[:, :WIDTH]
    return values.reshape(-1, side, side, WIDTH).permute(0, 3, 1, 2) if CONVOLUTIONAL else values


def mixed(*numbers):
    """One seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def of_layer(module, layer):
    module.layer = layer
    return module
