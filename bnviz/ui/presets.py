"""Presets: settings worth trying, with one sentence each on what to look for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bnviz.config import (
    LSUV,
    ORTHOGONAL,
    TWINS,
    WITH_DROPOUT,
    WITH_NOISE,
    Architecture,
    Initialization,
    InputForm,
    Network,
    Nonlinearity,
    Sampling,
    Settings,
    networks_of,
)


@dataclass(frozen=True)
class Preset:
    """Settings under a name.

    Attributes:
        label: the name in the list of presets.
        chip: the shorter name on a "Try this" chip; empty for none.
        sentence: what it shows, and what to look for.
    """

    label: str
    chip: str
    sentence: str
    settings: Settings


_PAPER: Final = Settings()
_WITH_OTHERS: Final = (Network.NONE, Network.BATCH, Network.LAYER, Network.GROUP)
_RELU: Final = _PAPER.replace(
    nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0, learning_rate=0.1
)

_BATCH_OF_TWO: Final = Preset(
    "Batch of two",
    "Batch of 2",
    "With two images a batch, BN keeps little more than a sign and suffers; LayerNorm and GroupNorm take nothing "
    "from the batch.",
    _RELU.replace(batch_size=2, learning_rate=0.05, networks=_WITH_OTHERS),
)
_TWO_CLASSES: Final = Preset(
    "Two classes a batch",
    "Two classes",
    "Every mini-batch holds two digits only, and its mean and variance are theirs. At inference BN takes running "
    "averages over all of them: look at its test accuracy.",
    _RELU.replace(networks=_WITH_OTHERS[:3], sampling=Sampling.TWO_CLASSES),
)
CONVOLUTIONAL: Final = Preset(
    "Convolutional",
    "Convolutional",
    "Two convolutions of 16 feature maps and a linear layer. BN takes one mean and variance a map, over every "
    "position of every image, so even small batches have enough of them.",
    _RELU.replace(architecture=Architecture.CONVOLUTIONAL, hidden_layers=2, width=16),
)
_DEEP_SIGMOID: Final = Preset(
    "Deep sigmoid",
    "Deep sigmoid",
    "Ten sigmoid layers: without BN the gradient vanishes on its way down. Look at layer 1's drift and gradients.",
    _PAPER.replace(hidden_layers=10),
)
_DROPOUT: Final = Preset(
    "Dropout and BN",
    "Dropout",
    "Only 1,000 training images: every network fits them and misses more than one test digit in eight. Networks "
    "with dropout are still behind at step 300; by step 1,000 BN does better with it than without.",
    _RELU.replace(networks=networks_of(WITH_DROPOUT), training_images=1000, learning_rate=0.05),
)
_LSUV: Final = Preset(
    "Initialization instead of BN",
    "LSUV",
    "Ten ReLU layers. LSUV gives every layer's inputs at step 0 the spread that BN gives them at every step, and "
    "by step 100 both have left the others behind. Watch whose spread stays.",
    _PAPER.replace(
        nonlinearity=Nonlinearity.RELU,
        hidden_layers=10,
        learning_rate=0.05,
        networks=networks_of((*TWINS, LSUV, ORTHOGONAL)),
    ),
)

PRESETS: Final = (
    Preset(
        "The paper's experiment",
        "",
        "Three layers of 100 sigmoids on binary digits, batch 60, as in Ioffe & Szegedy's section 4.1. The paper names "
        "neither learning rate nor initial scale: try others.",
        _PAPER,
    ),
    Preset(
        "Learning rate × 30",
        "Learning rate × 30",
        "The tuned ReLU network at 30 times its learning rate. Watch which network survives the first steps.",
        _RELU.replace(learning_rate=3.0),
    ),
    Preset(
        "Bad initialization",
        "Tiny init",
        "Initial weights ten times smaller than in the preset above. BN rescales every layer's inputs; the other "
        "network has to grow its weights first.",
        _PAPER.replace(init_scale=0.01),
    ),
    Preset(
        "ReLU, well tuned",
        "Tuned ReLU",
        "ReLU, He initialization, learning rate 0.1: the setting in which BN hardly matters. Compare the last percent.",
        _RELU,
    ),
    _BATCH_OF_TWO,
    _TWO_CLASSES,
    CONVOLUTIONAL,
    _DEEP_SIGMOID,
    _DROPOUT,
    _LSUV,
)

_DEEP_RELU: Final = _RELU.replace(hidden_layers=20, learning_rate=0.03)

# Of each part of the page where BN fails: the same, live.
LIMITS_PRESETS: Final[Mapping[str, tuple[Preset, ...]]] = {
    "batch_size": (
        _BATCH_OF_TWO,
        Preset(
            "Batch of one",
            "Batch of 1",
            "Online learning, one image a step: its mean is itself, so BN passes beta on and nothing else. GroupNorm "
            "and LayerNorm do not mind.",
            _RELU.replace(batch_size=1, learning_rate=0.05, networks=_WITH_OTHERS),
        ),
        Preset(
            "Batch Renorm, batch of four",
            "Renorm",
            "Batch Renorm leans on running averages: compare it with BN at four images a batch.",
            _RELU.replace(
                batch_size=4,
                learning_rate=0.05,
                networks=(Network.NONE, Network.BATCH, Network.GROUP, Network.RENORMALIZATION),
            ),
        ),
    ),
    "mini_batches": (
        _TWO_CLASSES,
        Preset(
            "Sorted by class",
            "Sorted",
            "All zeros, then all ones, and so on. Every network forgets what it saw first, with BN or without.",
            _RELU.replace(networks=_WITH_OTHERS[:3], sampling=Sampling.SORTED),
        ),
    ),
    "test_time": (
        Preset(
            "Grey digits",
            "Grey digits",
            "The networks of this experiment, on grey values, while they train.",
            _RELU.replace(networks=_WITH_OTHERS[:3], input_form=InputForm.RAW),
        ),
    ),
    "initialization": (_LSUV,),
    "dropout": (_DROPOUT,),
    "depth": (
        Preset(
            "Twenty ReLU layers",
            "20 ReLU layers",
            "Plain and deep: with BN the first layers see the largest gradients. Watch the update ratios.",
            _DEEP_RELU,
        ),
        _DEEP_SIGMOID,
    ),
}

_FOUR: Final = _PAPER.replace(networks=networks_of(WITH_NOISE))
_FOUR_RELU: Final = _RELU.replace(networks=networks_of(WITH_NOISE))

SHIFT_PRESETS: Final = (
    Preset(
        "The paper's network, four ways",
        "",
        "Three layers of 100 sigmoids: without BN, with it, with noise after it, and with the noise alone.",
        _FOUR,
    ),
    Preset(
        "More shift with BN",
        "More shift?",
        "Sigmoids from Glorot weights at learning rate 0.5. Compare the covariate shift of layers 2 and 3 in the first "
        "steps with who learns faster.",
        _FOUR.replace(initialization=Initialization.GLOROT, init_scale=1.0),
    ),
    Preset(
        "Less shift with BN",
        "Less shift?",
        "ReLU from He weights at learning rate 0.1. Single steps scatter: look at the steps from 20 on.",
        _FOUR_RELU,
    ),
    Preset(
        "A smaller learning rate",
        "Smaller rate",
        "The same ReLU network at learning rate 0.03. Does layer 2 still say the same?",
        _FOUR_RELU.replace(learning_rate=0.03),
    ),
    Preset(
        "Noise that ought to hurt",
        "Noise",
        "Learning rate 0.1: noisy BN's inputs are less stable than anybody's. Does it train the worse for it?",
        _FOUR.replace(learning_rate=0.1),
    ),
    Preset(
        "Little drift, little learning",
        "Little drift",
        "Weights ten times smaller: the network without BN hardly drifts at all. Is that a good sign?",
        _FOUR.replace(init_scale=0.01, learning_rate=0.1),
    ),
)
