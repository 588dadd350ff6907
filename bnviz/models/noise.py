"""The noise of "noisy" Batch Normalization: each unit's values shifted and scaled at random, afresh at every step.

A unit of a convolutional layer is a feature map: one mu and sigma for all of it, an m and s for each of its values.

Source: Santurkar et al. 2018, Appendix A, Algorithm 1, whose constants are n_mu, n_sigma, r_mu and r_sigma. For unit j
and image i of a batch, with no gradient through any of the draws:

    mu_j ~ U(-n_mu, n_mu);             sigma_j ~ U(1, n_sigma)
    m_ij ~ U(mu_j - r_mu, mu_j + r_mu);  s_ij ~ N(sigma_j, r_sigma)
    a_ij <- s_ij a_ij + m_ij

r_sigma is read as a standard deviation; the paper does not say.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from bnviz.config import HyperParams


class Batch(IntEnum):
    """What the noise is drawn for: each kind of batch has draws of its own."""

    TRAINING = 0
    PROBE = 1


def mixed(*numbers: int) -> int:
    """One seed for torch's generator, which takes 32 bits, of several numbers.

    Were they added up, seed 0 at step t would draw the numbers of seed t's weights.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class Noise:
    """Draws that depend on (seed, step, kind of batch) alone: whoever draws again gets the same, and nothing has to be
    kept from step to step."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator = torch.Generator()

    def draw(self, noise: Sequence[Tensor], step: int, hyper: HyperParams, batch: Batch = Batch.TRAINING) -> None:
        """Fill `noise`, [2, 1, b, p] for every hidden layer: the factors s and the shifts m, the same for all
        networks."""
        self._generator.manual_seed(mixed(self._seed, batch, step))
        drawn = [one if one.device.type == "cpu" else torch.empty_like(one, device="cpu") for one in noise]
        a_unit = torch.rand(2, len(drawn), 1, 1, drawn[0].shape[-1], generator=self._generator)
        for (factors, _), of_unit in zip(drawn, a_unit[0], strict=True):
            factors.normal_(generator=self._generator).mul_(hyper.noise_scale_spread)
            factors.add_(1 + (hyper.noise_scale - 1) * of_unit)
        for (_, shifts), of_unit in zip(drawn, a_unit[1], strict=True):
            shifts.uniform_(-1, 1, generator=self._generator).mul_(hyper.noise_mean_spread)
            shifts.add_(hyper.noise_mean * (2 * of_unit - 1))
        for target, source in zip(noise, drawn, strict=True):
            if source is not target:
                target.copy_(source)
