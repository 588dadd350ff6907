"""What defines a run's networks, and what may change while they train."""

from dataclasses import dataclass
from typing import Final

from bnviz.config.names import (
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

INPUT_PIXELS: Final = 28 * 28
CLASSES: Final = 10
PROBE_IMAGES: Final = 512  # on which every layer is measured


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
    nonlinearity: Nonlinearity = Nonlinearity.SIGMOID
    initialization: Initialization = Initialization.GAUSSIAN
    init_scale: float = 0.1
    hidden_layers: int = 3
    width: int = 100
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
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, input and output included: [hidden_layers + 2]."""
        return (INPUT_PIXELS, *[self.width] * self.hidden_layers, CLASSES)


def whitening_milliseconds(model: ModelConfig, images: int) -> float:
    """Estimated time that decorrelated BN adds to a step, both ways through all hidden layers, in ms; 0 without it.

    Eigenvectors of each group of s units and products in float64; 1.2 to 2.5 times the processor time at s = 5 to 128.
    """
    if Network.DECORRELATED not in model.networks:
        return 0.0
    size = model.width / model.groups
    eigenvectors = model.groups * (0.02 + 5e-5 * size**2 + 3e-7 * size**3)
    return 1.5 * model.hidden_layers * (0.3 + eigenvectors + 3e-7 * images * model.width * size)


def default_init_scale(initialization: Initialization) -> float:
    """0.1 for the Gaussian (SCIENCE: the paper names none), else the scheme's own scale."""
    return 0.1 if initialization is Initialization.GAUSSIAN else 1.0
