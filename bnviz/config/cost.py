"""What a step costs with BN and without it: the networks that are timed, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bnviz.config.architecture import default_sizes
from bnviz.config.model import default_init_scale
from bnviz.config.names import Architecture, Initialization, Nonlinearity
from bnviz.config.settings import Settings
from bnviz.config.table import (
    Choice,
    Number,
    Setting,
    built_from_query,
    changed_to_query,
    check_fields,
    values_from_query,
)
from bnviz.errors import ConfigError

MOST_COST_SECONDS: Final = 60.0
SHAPES: Final = (Architecture.FULLY_CONNECTED, Architecture.CONVOLUTIONAL)
WIDTHS_TIMED: Final[Mapping[Architecture, tuple[int, ...]]] = {
    Architecture.FULLY_CONNECTED: (32, 64, 128, 256),
    Architecture.CONVOLUTIONAL: (10, 16, 24, 32),
}
"""Units of a layer, or feature maps: as many of each."""
BATCHES_TIMED: Final = (16, 60, 120)
TIMED_SECONDS: Final = 0.02  # of steps, at least, that are timed as one
BUILDING_SECONDS: Final = 0.25  # of the networks at one width and batch size, and their first steps

# fmt: off
COST_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("nonlinearity", "cost-g", "Nonlinearity", False, Choice(Nonlinearity),
            "The function after each hidden layer: a cheap one leaves BN a larger share of the step."),
    Setting("hidden_layers", "cost-depth", "Hidden layers", False,
            Number(1, 5, (1, 2, 3, 4, 5), is_integer=True), "Of the fully connected networks; the others have two."),
    Setting("repetitions", "cost-times", "Repetitions", False, Number(3, 30, (3, 5, 7, 9, 15, 30), is_integer=True),
            "How often everything is timed, in turns: what else the machine does meanwhile shows as spread."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in COST_SETTINGS}


@dataclass(frozen=True)
class CostConfig:
    """What is timed.

    Raises:
        ConfigError: a value out of its bounds, or a product that takes too long; the text names the cost.
    """

    nonlinearity: Nonlinearity = Nonlinearity.RELU
    hidden_layers: int = 3
    repetitions: int = 9

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        if (seconds := cost_seconds(self)) > MOST_COST_SECONDS:
            raise ConfigError(
                f"{self.repetitions} repetitions with {self.hidden_layers} layers would take about {seconds:.0f} s, "
                f"more than {MOST_COST_SECONDS:.0f}: choose fewer repetitions or layers."
            )

    def settings(self, shape: Architecture, width: int, batch: int) -> Settings:
        """Of the networks that are timed there: the twins but for their sizes, plain SGD."""
        has_kinks = self.nonlinearity in (Nonlinearity.RELU, Nonlinearity.LEAKY_RELU, Nonlinearity.GELU)
        initialization = Initialization.HE if has_kinks else Initialization.GLOROT
        is_connected = shape is Architecture.FULLY_CONNECTED
        return Settings().replace(
            architecture=shape,
            hidden_layers=self.hidden_layers if is_connected else default_sizes(shape)["hidden_layers"],
            width=width,
            batch_size=batch,
            nonlinearity=self.nonlinearity,
            initialization=initialization,
            init_scale=default_init_scale(initialization),
            learning_rate=0.01,
        )

    @property
    def places(self) -> tuple[tuple[Architecture, int, int], ...]:
        """Every shape, width and batch size, in the order of the record."""
        return tuple(
            (shape, width, batch) for shape in SHAPES for width in WIDTHS_TIMED[shape] for batch in BATCHES_TIMED
        )


def cost_seconds(config: CostConfig) -> float:
    """Estimated time of everything, on one CPU thread that trains nothing else, in s.

    The largest networks take more than `TIMED_SECONDS` for the one step that is timed at least; 4 is of two networks,
    each in two ways.
    """
    each = 4 * TIMED_SECONDS * (1.2 + 0.05 * config.hidden_layers)
    return len(config.places) * (BUILDING_SECONDS + config.repetitions * each)


def cost_to_query(config: CostConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(COST_SETTINGS, config, CostConfig())


def cost_from_query(query: Mapping[str, str]) -> tuple[CostConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(COST_SETTINGS, query)
    build = partial(replace, CostConfig())
    return built_from_query(build, values, notices, ("repetitions", "hidden_layers"), "sizes")
