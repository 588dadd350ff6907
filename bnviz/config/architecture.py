"""Architectures: the weight layers that a network consists of, and how their outputs lie on the image.

A convolution is a matrix product over patches: at every position of its output the same [n_in, n_out] matrix sees a
patch of all feature maps below. So a fully connected layer is one with a single position, and every layer is the same
product of b * positions rows. Strides take the place of pooling: they need no layer of their own, and on a CPU they
save three quarters of the products of the same convolution without them.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from bnviz.config.names import Architecture

IMAGE_SIDE: Final = 28
INPUT_PIXELS: Final = IMAGE_SIDE**2
CLASSES: Final = 10
KERNEL: Final = 5  # pixels a side of a patch
STRIDE: Final = 2  # pixels from patch to patch; no padding, as torch.nn.Conv2d(c_in, c, 5, stride=2)
BLOCKS: Final = 2  # 28 x 28 to 12 x 12 to 4 x 4: a third would have nothing left to see


@dataclass(frozen=True)
class WeightLayer:
    """One weight matrix [n_in, n_out] and where it is applied.

    Attributes:
        n_in: numbers that one position sees: a whole layer, or a patch of all feature maps.
        n_out: units, or feature maps.
        side: positions a side of its output; 1 where there is no space.
        taps: of one feature map in a patch; 1 where fully connected.
    """

    n_in: int
    n_out: int
    side: int = 1
    taps: int = 1

    @property
    def positions(self) -> int:
        """How often the matrix is applied to an image: each unit has so many values of it (the paper's p * q)."""
        return self.side**2

    @property
    def weights(self) -> int:
        """Numbers in the matrix."""
        return self.n_in * self.n_out

    @property
    def fan_out(self) -> int:
        """As PyTorch counts it: the units above, times the taps through which a number reaches each of them."""
        return self.n_out * self.taps


@lru_cache(maxsize=256)
def weight_layers(architecture: Architecture, hidden_layers: int, width: int) -> tuple[WeightLayer, ...]:
    """All weight layers, that of the output last: [hidden_layers + 1]."""
    if architecture is Architecture.CONVOLUTIONAL:
        return _convolutional(hidden_layers, width)
    sizes = (INPUT_PIXELS, *[width] * hidden_layers, CLASSES)
    return tuple(WeightLayer(n_in, n_out) for n_in, n_out in pairwise(sizes))


def _convolutional(blocks: int, feature_maps: int) -> tuple[WeightLayer, ...]:
    layers, side, channels = [], IMAGE_SIDE, 1
    for _ in range(blocks):
        side = (side - KERNEL) // STRIDE + 1
        layers.append(WeightLayer(KERNEL**2 * channels, feature_maps, side, KERNEL**2))
        channels = feature_maps
    return (*layers, WeightLayer(side**2 * channels, CLASSES))


def default_sizes(architecture: Architecture) -> dict[str, int]:
    """Hidden layers and width that an architecture starts with."""
    is_convolutional = architecture is Architecture.CONVOLUTIONAL
    return {"hidden_layers": BLOCKS, "width": 16} if is_convolutional else {"hidden_layers": 3, "width": 100}
