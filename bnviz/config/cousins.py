"""The cousins of the paper's section 4.2, scaled down: a convolutional network in variants of rate and nonlinearity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bnviz.config.architecture import default_sizes
from bnviz.config.competitors import TWINS, Competitor
from bnviz.config.model import default_init_scale
from bnviz.config.names import Architecture, Initialization, Nonlinearity
from bnviz.config.settings import Settings, step_milliseconds
from bnviz.config.table import (
    MANTISSAS,
    Number,
    Setting,
    built_from_query,
    changed_to_query,
    check_fields,
    log_grid,
    values_from_query,
)
from bnviz.config.trials import Condition
from bnviz.errors import ConfigError

MOST_COUSINS_SECONDS: Final = 900.0
FACTORS: Final = (1 / 3, 1.0, 3.0, 5.0, 30.0)  # of the base rate; the paper has 1, 5 and 30, the others tune the twins
BASE: Final = FACTORS.index(1.0)  # the condition of the baselines
SIGMOID_FACTOR: Final = 5.0  # at which the nonlinearity is a sigmoid, in the last condition
BATCH_SIZE: Final = 32  # as in section 4.2, which also has SGD with momentum but does not say how much
MOMENTUM: Final = 0.9
STEP_SHARE: Final = 0.3  # of the estimate of a step, which is on the safe side for convolutions of 16 maps
ACCURACIES_SECONDS: Final = 8.0  # of both networks, at all moments of a run, on all test images

# fmt: off
COUSINS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("steps", "cousins-steps", "Steps", False,
            Number(200, 10_000, (200, 300, 500, 1000, 1500, 2000, 3000, 4000, 6000, 10_000), is_integer=True),
            "Of every run."),
    Setting("learning_rate", "cousins-lr", "Base learning rate", False,
            Number(0.003, 1, log_grid(0.003, 1, MANTISSAS)),
            "Of the baselines. The other variants train at a third of it, at 3, 5 and 30 times as much."),
    Setting("seeds", "cousins-seeds", "Seeds", False, Number(1, 10, tuple(range(1, 11)), is_integer=True),
            "Networks of every variant, each from other weights and with other mini-batches. An ensemble is all of "
            "one variant together."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in COUSINS_SETTINGS}


@dataclass(frozen=True)
class CousinsConfig:
    """One printable value that reproduces the experiment.

    The default rate is the baseline's best of `FACTORS` times it, as the recording shows: the median of six best test
    accuracies is lower at a third of it and at three times as much.

    Raises:
        ConfigError: a value out of its bounds, or a product that takes too long; the text names the cost.
    """

    steps: int = 4000
    learning_rate: float = 0.03
    seeds: int = 6  # as many as networks in the paper's ensemble

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        seconds = cousins_seconds(self)
        if seconds > MOST_COUSINS_SECONDS:
            raise ConfigError(
                f"{self.steps:,} steps with {self.seeds} seeds would take about {seconds / 60:.0f} minutes, more than "
                f"{MOST_COUSINS_SECONDS / 60:.0f}: choose fewer steps or seeds."
            )

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        """The networks that train side by side under every condition: the twins."""
        return TWINS

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Rates in ascending order, and last the sigmoid: what the variants differ in besides BN."""
        rates = [Condition(factor_text(one), _settings(self.learning_rate * one), self.steps) for one in FACTORS]
        sigmoid = _settings(self.learning_rate * SIGMOID_FACTOR, Nonlinearity.SIGMOID)
        return (*rates, Condition(f"{factor_text(SIGMOID_FACTOR)}, sigmoid", sigmoid, self.steps))


def factor_text(factor: float) -> str:
    """Such as "× 5"; of a third "÷ 3"."""
    return f"× {factor:g}" if factor >= 1 else f"÷ {1 / factor:g}"


def _settings(learning_rate: float, nonlinearity: Nonlinearity = Nonlinearity.RELU) -> Settings:
    """Of a convolutional network from He weights: the nonlinearity is all that a sigmoid network differs in."""
    return Settings().replace(
        architecture=Architecture.CONVOLUTIONAL,
        **default_sizes(Architecture.CONVOLUTIONAL),
        initialization=Initialization.HE,
        init_scale=default_init_scale(Initialization.HE),
        nonlinearity=nonlinearity,
        learning_rate=float(f"{learning_rate:.6g}"),
        momentum=MOMENTUM,
        batch_size=BATCH_SIZE,
    )


def cousins_seconds(config: CousinsConfig) -> float:
    """Estimated time of all runs, on one CPU thread that trains nothing else, in s."""
    runs = config.seeds * len(config.conditions)
    return runs * (1e-3 * config.steps * cousins_milliseconds(config) + ACCURACIES_SECONDS)


def cousins_milliseconds(config: CousinsConfig) -> float:
    """Estimated time of one lock-step of both networks, in ms."""
    return STEP_SHARE * step_milliseconds(config.conditions[BASE].settings)


def cousins_to_query(config: CousinsConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(COUSINS_SETTINGS, config, CousinsConfig())


def cousins_from_query(query: Mapping[str, str]) -> tuple[CousinsConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(COUSINS_SETTINGS, query)
    return built_from_query(partial(replace, CousinsConfig()), values, notices, ("steps", "seeds"), "lengths")
