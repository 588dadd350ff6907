"""One mini-batch on its way through one BN layer, forward and backward, and what BN does there on other grounds.

Shapes: b = values that are kept of each unit: one an image of the mini-batch, and in a convolutional layer, where m' =
m p q of them go into each mean, a fixed sample of all images and positions; u = kept units of the layer, q =
QUANTILE_LEVELS, a = factors on the weights, s = steps of the naive descent, t = batches of the stream. What is not
measured yet is NaN.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import AnatomyConfig
from bnviz.records.arrays import Floats, Ints

# What an image's value in one unit goes through, in order where BN stands before the nonlinearity; where it stands
# after it, "pre_activation" is passed through the nonlinearity to become "x", and "output" is "y".
STAGES: Final = ("pre_activation", "x", "centred", "normalized", "y", "output")
GRADIENTS: Final = ("d_output", "d_y", "d_normalized", "d_x")  # dl/d of them, backwards
COMPARED: Final = ("y", "d_x", "d_gamma", "d_beta", "running mean", "running variance")  # with PyTorch's
SCALES: Final[Floats] = np.logspace(-1, 1, 21)  # a, on the layer's weights
NAIVE_STEPS: Final = 100  # s
STREAM_BATCHES: Final = 100  # t
ANATOMY_CHARTS: Final = (  # those that show one
    "anatomy-walk", "anatomy-identity", "anatomy-scale", "anatomy-naive", "anatomy-stream", "anatomy-inference",
)  # fmt: skip
MODES: Final = ("batch", "running")  # statistics; the first axis of what is measured with both


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Of one network with BN at one step, which nothing here changes.

    Attributes:
        config: what was asked for.
        network: the competitor's name.
        layer: hidden layer, counted from 1.
        is_before: whether BN stands before the nonlinearity.
        eps: added to the variance.
        done: share of the work, in [0, 1]; the walk itself is there from the first item on.
        problem: why there is nothing to see; everything else is empty then.
        labels: [b] digits, of the images that the kept values are of.
        units: [u] which of the layer's they are.
        values: [6, b, u] by STAGES.
        mean, variance: [u] over the batch, the variance biased (1/m).
        gamma, beta: [u] as trained.
        gradients: [4, b, u] by GRADIENTS, of the mean loss over the batch, in nats.
        d_mean, d_variance, d_gamma, d_beta: [u]
        layer_values: [6, q] quantiles by STAGES over all units and images.
        layer_gradients: [4, q] by GRADIENTS.
        differences: [6] by COMPARED, the largest |ours - PyTorch's| over all units, divided by PyTorch's largest value;
            where BN stands after the nonlinearity, of d_x times g', which is what our backward pass has there.
        scale_loss: [2, a] by MODES, of the network with the layer's weights times a, on this batch.
        scale_output: [2, a] root mean square change of the layer's outputs from those at a = 1, divided by their
            standard deviation over the images.
        scale_gradient: [2, a] Frobenius norm of dl/dW of the layer, divided by that at a = 1.
        naive_bias: [2, s + 1, u] a bias added before BN and trained alone: with the gradient that leaves out what flows
            through mean and variance, and with the whole one.
        naive_loss: [2, s + 1] of the network with that bias.
        naive_rate: the learning rate of both, at which the fastest unit goes three standard deviations of its x.
        stream_mean, stream_variance: [t, u] of each of the next batches of the training set, the variance biased.
        running_mean, running_variance: [t + 1, u] averages from 0 and 1 on, the variance with m/(m - 1).
        population_mean, population_variance: [u] over `population_images`, each layer before with its own.
        population_images: so many training images.
        accuracy: [3] of this network on the test images, BN with the statistics of each thousand (of a
            convolutional network, each 200), with the run's running ones, and with the population's.
        folded_difference: the largest |difference| between the logits of the network with running statistics and of
            the same with every BN layer folded into its neighbour, divided by the largest logit.
        folded_scale, folded_shift: [u] the one affine map that the layer is at inference.
        positions: p q, values of an image in one unit.
        moments: [10, 2, u] mean and standard deviation over all m' values, by STAGES and GRADIENTS; None where all are
            kept.
        sums: [2, u] of d_x, and of d_x times normalized, over all of them; None likewise.
    """

    config: AnatomyConfig
    step: int
    network: str
    layer: int
    is_before: bool
    eps: float
    done: float
    problem: str
    labels: Ints
    units: Ints
    values: Floats
    mean: Floats
    variance: Floats
    gamma: Floats
    beta: Floats
    gradients: Floats
    d_mean: Floats
    d_variance: Floats
    d_gamma: Floats
    d_beta: Floats
    layer_values: Floats
    layer_gradients: Floats
    differences: Floats
    scale_loss: Floats
    scale_output: Floats
    scale_gradient: Floats
    naive_bias: Floats
    naive_loss: Floats
    naive_rate: float
    stream_mean: Floats
    stream_variance: Floats
    running_mean: Floats
    running_variance: Floats
    population_mean: Floats
    population_variance: Floats
    population_images: int
    accuracy: Floats
    folded_difference: float
    folded_scale: Floats
    folded_shift: Floats
    positions: int = 1
    moments: Floats | None = None
    sums: Floats | None = None

    @property
    def m(self) -> int:
        """Values that BN takes a unit's mean and variance over: the paper's m, and m' where there is space."""
        return len(self.labels) if self.positions == 1 else self.config.images * self.positions


def no_anatomy(config: AnatomyConfig, step: int, problem: str) -> Anatomy:
    """One that says why there is none."""
    none, nothing = np.empty(0), np.empty((0, 0))
    return Anatomy(
        config, step, "", config.layer, True, 1e-5, 1.0, problem,
        labels=np.empty(0, np.int64), units=np.empty(0, np.int64),
        values=np.empty((len(STAGES), 0, 0)), mean=none, variance=none, gamma=none, beta=none,
        gradients=np.empty((len(GRADIENTS), 0, 0)), d_mean=none, d_variance=none, d_gamma=none, d_beta=none,
        layer_values=np.empty((len(STAGES), 0)), layer_gradients=np.empty((len(GRADIENTS), 0)), differences=none,
        scale_loss=nothing, scale_output=nothing, scale_gradient=nothing,
        naive_bias=np.empty((2, 0, 0)), naive_loss=nothing, naive_rate=np.nan,
        stream_mean=nothing, stream_variance=nothing, running_mean=nothing, running_variance=nothing,
        population_mean=none, population_variance=none, population_images=0, accuracy=none,
        folded_difference=np.nan, folded_scale=none, folded_shift=none,
    )  # fmt: skip
