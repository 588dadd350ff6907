"""What is measured of a linear unit with two inputs under five treatments, and of MNIST's pixels under the same.

Shapes: t = treatments, n = samples, s = steps drawn, p = pixels. What is not computed yet is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bnviz.config import LinearUnitConfig, Treatment
from bnviz.records.arrays import Floats

Flags = NDArray[np.bool_]

TREATMENTS: Final = tuple(Treatment)  # t
MOST_SGD_STEPS: Final = 10_000  # simulated; gradient descent's steps are counted without simulating them


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Of E[x xᵀ] over MNIST's training images, under each treatment.

    Attributes:
        done: share of the work, in [0, 1].
        varying_pixels: that are not the same in all images; scaling, standardising and whitening leave out the others.
        eigenvalues: [t, p] descending. Whitened: 1 wherever the covariance is not 0, by construction.
        rank: [t] eigenvalues above λ_max p 2⁻⁵², the rule of `numpy.linalg.matrix_rank`.
        condition_number: [t] λ_max over the smallest of those.
        largest_rate: [t] 2/λ_max.
    """

    done: float
    varying_pixels: int
    eigenvalues: Floats
    rank: Floats
    condition_number: Floats
    largest_rate: Floats


@dataclass(frozen=True, eq=False)
class LinearUnit:
    """A unit y = w·x without bias on the loss ½ mean (y − w*·x)², x treated in five ways.

    The teacher w*·x is of the treated inputs, so that under every treatment the loss is 0 at w*, and every descent
    starts at the same displacement from it: the treatments differ in the shape of the loss alone. (A teacher of the raw
    inputs would need a bias as soon as they are centred.) Everything is of the sample drawn, and paths are w − w*.

    Attributes:
        done: share of the work, in [0, 1].
        inputs: [t, n, 2] treated.
        hessian: [t, 2, 2] E[x xᵀ], not centred.
        eigenvalues: [t, 2] of it, descending.
        eigenvectors: [t, 2, 2] the columns are those of the eigenvalues.
        condition_number: [t] λ_max/λ_min.
        largest_rate: [t] 2/λ_max; gradient descent is stable below it.
        rate: [t] used.
        gd_path: [t, s + 1, 2] gradient descent on the whole sample; NaN from where it overflows.
        sgd_path: [t, s + 1, 2] on mini-batches, the same samples for every treatment.
        gd_loss: [t, s + 1] of the whole sample, relative to the start's; inf where it overflows.
        sgd_loss: [t, s + 1]
        gd_steps: [t] to the target loss; inf where it is never reached.
        sgd_steps: [t] the same; NaN where `MOST_SGD_STEPS` do not reach it, inf where it diverges.
        same_sign_samples: [t] share of single samples whose gradient has two components of the same sign. It is
            x (x·(w − w*)), so that this is the share with x₁x₂ > 0, wherever w is.
        same_sign_updates: [t] share of the SGD updates drawn.
        is_diverging: [t] gradient descent, whose rate is beyond the largest stable one.
        is_sgd_diverging: [t] it does not reach the target, and its relative loss is beyond `DIVERGED_RATIO` at the end
            of what is drawn or of what is simulated.
        spectrum: of MNIST.
    """

    config: LinearUnitConfig
    done: float
    inputs: Floats
    hessian: Floats
    eigenvalues: Floats
    eigenvectors: Floats
    condition_number: Floats
    largest_rate: Floats
    rate: Floats
    gd_path: Floats
    sgd_path: Floats
    gd_loss: Floats
    sgd_loss: Floats
    gd_steps: Floats
    sgd_steps: Floats
    same_sign_samples: Floats
    same_sign_updates: Floats
    is_diverging: Flags
    is_sgd_diverging: Flags
    spectrum: Spectrum
