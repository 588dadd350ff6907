"""What defines a run's networks, and what may change while they train."""

from dataclasses import dataclass
from typing import Final

from bnviz.config.architecture import WeightLayer, weight_layers
from bnviz.config.names import (
    Architecture,
    BnPlacement,
    Device,
    Initialization,
    InputForm,
    Network,
    Nonlinearity,
    Optimizer,
    Sampling,
)
from bnviz.config.table import BY_NAME, TRAIN_IMAGES, check_fields

PROBE_IMAGES: Final = 512  # on which every layer is measured
# What a convolutional network is measured on has 160 rows an image in its hidden layers, and so fewer images.
_CURVATURE_IMAGES, _CURVATURE_MAPS = 512, 128
_CONTOUR_IMAGES, _CONTOUR_MAPS = 512, 64
_TEST_IMAGES_AT_ONCE, _TEST_MAPS_AT_ONCE = 1000, 200


@dataclass(frozen=True)
class HyperParams:
    """What may change between two steps, by replacement, for all competitors at once."""

    learning_rate: float = 0.5
    batch_size: int = 60  # images per step, as in Ioffe & Szegedy 2015
    momentum: float = 0.0
    weight_decay: float = 0.0
    bn_momentum: float = 0.1
    noise_mean: float = 0.5  # the noise's constants are those of Santurkar et al. 2018, Appendix A
    noise_scale: float = 1.25
    noise_mean_spread: float = 0.1
    noise_scale_spread: float = 0.1
    r_max: float = 3.0  # where the schedule of Ioffe 2017 ends: 1 and 0 for 5,000 steps, then slowly up to these
    d_max: float = 5.0
    dropout: float = 0.5  # p, as in Srivastava et al. 2014 for hidden layers

    def __post_init__(self) -> None:
        check_fields(self, BY_NAME)


@dataclass(frozen=True)
class ModelConfig:
    """What defines the networks and their data: changing it restarts the run from the seed."""

    networks: tuple[Network, ...] = (Network.NONE, Network.BATCH)
    groups: int = 4
    architecture: Architecture = Architecture.FULLY_CONNECTED
    nonlinearity: Nonlinearity = Nonlinearity.SIGMOID
    initialization: Initialization = Initialization.GAUSSIAN
    init_scale: float = 0.1
    hidden_layers: int = 3
    width: int = 100  # of every hidden layer: units, or feature maps
    bn_placement: BnPlacement = BnPlacement.BEFORE
    optimizer: Optimizer = Optimizer.SGD
    input_form: InputForm = InputForm.BINARY
    sampling: Sampling = Sampling.SHUFFLED
    training_images: int = TRAIN_IMAGES
    seed: int = 0
    device: Device = Device.AUTO

    def __post_init__(self) -> None:
        check_fields(self, BY_NAME)

    @property
    def layers(self) -> tuple[WeightLayer, ...]:
        """Every weight layer, that of the output last: [hidden_layers + 1]."""
        return weight_layers(self.architecture, self.hidden_layers, self.width)

    @property
    def is_convolutional(self) -> bool:
        return self.architecture is Architecture.CONVOLUTIONAL

    @property
    def unit(self) -> str:
        """What a hidden layer has `width` of, in words; `units` are several."""
        return "feature map" if self.is_convolutional else "unit"

    @property
    def units(self) -> str:
        return f"{self.unit}s"

    @property
    def hidden(self) -> str:
        """What the hidden layers are, in words."""
        return "convolutions" if self.is_convolutional else "layers"

    @property
    def sharpness_images(self) -> int:
        """Of the training set, on which the curvature is measured: it needs every value of every layer at once."""
        return _CURVATURE_MAPS if self.is_convolutional else _CURVATURE_IMAGES

    @property
    def contour_images(self) -> int:
        """Of the training set, on which the lab's loss contour is measured."""
        return _CONTOUR_MAPS if self.is_convolutional else _CONTOUR_IMAGES

    @property
    def test_images_at_once(self) -> int:
        """Of the test set; where BN takes batch statistics there, over so many."""
        return _TEST_MAPS_AT_ONCE if self.is_convolutional else _TEST_IMAGES_AT_ONCE

    @property
    def fewest_positions(self) -> int:
        """Values that an image has in one unit of a hidden layer, in the layer with the fewest: 1 without space."""
        return min(layer.positions for layer in self.layers[:-1])


def whitening_milliseconds(model: ModelConfig, images: int) -> float:
    """Estimated time that decorrelated BN adds to a step, both ways through all hidden layers, in ms; 0 without it.

    Eigenvectors of each group of s units and products in float64; 1.2 to 2.5 times the processor time at s = 5 to 128.
    """
    if Network.DECORRELATED not in model.networks:
        return 0.0
    size, positions = model.width / model.groups, sum(layer.positions for layer in model.layers[:-1])
    eigenvectors = model.groups * (0.02 + 5e-5 * size**2 + 3e-7 * size**3)
    products = 3e-7 * images * positions * model.width * size
    passes = 5e-5 * images * positions * model.width * model.is_convolutional  # in float64, over maps beyond the cache
    return 1.5 * (model.hidden_layers * (0.3 + eigenvectors) + products + passes)


def default_init_scale(initialization: Initialization) -> float:
    """0.1 for the Gaussian (SCIENCE: the paper names none), else the scheme's own scale."""
    return 0.1 if initialization is Initialization.GAUSSIAN else 1.0
