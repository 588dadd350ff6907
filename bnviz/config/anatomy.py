"""Which BN layer a mini-batch is walked through, and with which images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bnviz.config.table import Number, Setting, changed_to_query, check_fields, values_from_query

MOST_ANATOMY_IMAGES: Final = 256

# fmt: off
ANATOMY_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("layer", "alayer", "BN layer", False, Number(1, 20, tuple(range(1, 21)), is_integer=True),
            "The hidden layer whose BN the batch is walked through, counted from 1."),
    Setting("images", "aimages", "Images in the batch", False,
            Number(2, MOST_ANATOMY_IMAGES, (2, 4, 10, 32, 60, 128, 256), is_integer=True),
            "m: BN takes its mean and variance over them."),
    Setting("batch", "abatch", "Mini-batch", False, Number(0, 999, is_integer=True),
            "Which training images: 0 are the first m, 1 the next m, and so on."),
    Setting("momentum", "amomentum", "Running momentum", False,
            Number(0.001, 1, (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)),
            "Share of each new batch in the running mean and variance (PyTorch's convention)."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in ANATOMY_SETTINGS}


@dataclass(frozen=True)
class AnatomyConfig:
    """One printable value that says which layer is looked into, and with which images.

    Attributes:
        layer: hidden layer, counted from 1; that of the network nearest to it is meant.
        images: m, of one mini-batch.
        batch: number of the mini-batch in the training set, in the order of the files.
        momentum: of the running averages that are begun anew on the frozen network.

    Raises:
        ConfigError: a value out of its bounds; the text names value, rule and remedy.
    """

    layer: int = 3
    images: int = 60
    batch: int = 0
    momentum: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)

    def replace(self, **changes: Any) -> "AnatomyConfig":
        return replace(self, **changes)


def anatomy_to_query(config: AnatomyConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(ANATOMY_SETTINGS, config, AnatomyConfig())


def anatomy_from_query(query: Mapping[str, str]) -> tuple[AnatomyConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(ANATOMY_SETTINGS, query)
    return AnatomyConfig(**values), notices
