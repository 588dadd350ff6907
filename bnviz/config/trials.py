"""Experiments of several short runs each: what is compared, under which conditions, and what they may cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bnviz.config.competitors import (
    BN,
    GLOROT,
    GROUP,
    HE,
    LAYER,
    LSUV,
    ORTHOGONAL,
    PLAIN,
    RENORM,
    WEIGHT,
    WITH_DROPOUT,
    Competitor,
)
from bnviz.config.model import default_init_scale
from bnviz.config.names import Equal, Experiment, Initialization, InputForm, Nonlinearity, Sampling
from bnviz.config.settings import Settings, step_milliseconds
from bnviz.config.table import (
    MANTISSAS,
    Choice,
    Number,
    Setting,
    built_from_query,
    changed_to_query,
    check_fields,
    log_grid,
    values_from_query,
)
from bnviz.errors import ConfigError

MOST_TRIALS_SECONDS: Final = 900.0
ACCURACY_SECONDS: Final = 0.3  # of one network, at all moments of a run and at its end
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LEARNING_RATES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)  # under which initializations are compared
TRAINING_SETS: Final = (500, 1000, 2000, 5000, 20_000, 60_000)  # images, with which dropout is compared
DEEP: Final = 10  # hidden layers, where initialization matters
DEEP_SHARE: Final = 0.6  # of the estimate for one network alone: five of them share what a layer costs in itself
_STEPS: Final = (100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)
_IMAGES: Final = (1000, 2000, 3000, 6000, 12_000, 24_000, 48_000)

# fmt: off
TRIALS_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("equal", "equal", "Equal for all", False, Choice(Equal),
            "steps: small batches see fewer images. images: large batches take fewer steps."),
    Setting("steps", "steps", "Steps", False, Number(100, 5000, _STEPS, is_integer=True),
            "Of every run."),
    Setting("images", "images", "Images", False, Number(1000, 48_000, _IMAGES, is_integer=True),
            "That every network sees, some of them again where there are more than 60,000."),
    Setting("nonlinearity", "g", "Nonlinearity", False, Choice(Nonlinearity),
            "The function after each hidden layer."),
    Setting("learning_rate", "lr", "Learning rate", False, Number(0.001, 30, log_grid(0.001, 30, MANTISSAS)),
            "The same for all networks and conditions: nobody here is best tuned."),
    Setting("seeds", "seeds", "Seeds", False, Number(1, 10, tuple(range(1, 11)), is_integer=True),
            "How often everything is repeated, each time from other weights and with other mini-batches."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in TRIALS_SETTINGS}


@dataclass(frozen=True)
class TrialsConfig:
    """One printable value that reproduces an experiment.

    Raises:
        ConfigError: a value out of its bounds, or a product that takes too long; the text names the cost.
    """

    experiment: Experiment = Experiment.BATCH_SIZE
    equal: Equal = Equal.STEPS
    steps: int = 1500
    images: int = 24_000
    nonlinearity: Nonlinearity = Nonlinearity.RELU
    learning_rate: float = 0.05  # means nothing where the conditions are learning rates
    seeds: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "experiment", Experiment(self.experiment))
        check_fields(self, _BY_NAME)
        seconds = trials_seconds(self)
        if seconds > MOST_TRIALS_SECONDS:
            length = f"{self.images:,} images" if self.counts_images else f"{self.steps:,} steps"
            raise ConfigError(
                f"{length} with {self.seeds} seeds would take about {seconds / 60:.0f} minutes, more than "
                f"{MOST_TRIALS_SECONDS / 60:.0f}: choose fewer {'images' if self.counts_images else 'steps'} or seeds."
            )

    @property
    def counts_images(self) -> bool:
        """Whether every network sees the same number of images, rather than takes the same number of steps."""
        return self.experiment is Experiment.BATCH_SIZE and self.equal is Equal.IMAGES

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        """The networks that train side by side under every condition."""
        return _COMPETITORS[self.experiment]

    @property
    def conditions(self) -> tuple["Condition", ...]:
        """What the experiment goes through, in the order of its axis."""
        return _CONDITIONS[self.experiment](self)


@dataclass(frozen=True)
class Condition:
    """One run of an experiment: what is on the axis, the settings of its first seed, and how many steps it takes."""

    label: str
    settings: Settings
    steps: int

    def with_seed(self, seed: int) -> Settings:
        return self.settings.replace(seed=seed)


_COMPETITORS: Final[Mapping[Experiment, tuple[Competitor, ...]]] = {
    Experiment.BATCH_SIZE: (PLAIN, BN, LAYER, GROUP, WEIGHT, RENORM),
    Experiment.MINI_BATCHES: (PLAIN, BN, LAYER, RENORM),
    Experiment.TEST_TIME: (PLAIN, BN, LAYER),
    Experiment.INITIALIZATION: (BN, LSUV, ORTHOGONAL, HE, GLOROT),
    Experiment.DROPOUT: WITH_DROPOUT,
}


def _settings(config: TrialsConfig, **changes: object) -> Settings:
    """Of the networks that all experiments are about: three layers of 100 units, unless changed."""
    has_kinks = config.nonlinearity in (Nonlinearity.RELU, Nonlinearity.LEAKY_RELU, Nonlinearity.GELU)
    initialization = Initialization.HE if has_kinks else Initialization.GLOROT
    usual = {
        "nonlinearity": config.nonlinearity,
        "initialization": initialization,
        "init_scale": default_init_scale(initialization),
        "learning_rate": config.learning_rate,
    }
    return Settings().replace(**(usual | changes))


def _batch_sizes(config: TrialsConfig) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            str(size),
            _settings(config, batch_size=size),
            max(config.images // size, 1) if config.counts_images else config.steps,
        )
        for size in BATCH_SIZES
    )


_SAMPLINGS: Final[Mapping[Sampling, str]] = {
    Sampling.SHUFFLED: "shuffled",
    Sampling.TWO_CLASSES: "two classes",
    Sampling.SORTED: "sorted by class",
}


def _samplings(config: TrialsConfig) -> tuple[Condition, ...]:
    return tuple(
        Condition(label, _settings(config, sampling=sampling), config.steps) for sampling, label in _SAMPLINGS.items()
    )


def _one(config: TrialsConfig) -> tuple[Condition, ...]:
    """Changes at test time are made to grey values."""
    return (Condition("trained on digits as they are", _settings(config, input_form=InputForm.RAW), config.steps),)


def _learning_rates(config: TrialsConfig) -> tuple[Condition, ...]:
    """Each scheme may need another rate: here the rate is what varies, and none is set for all."""
    return tuple(
        Condition(f"{rate:g}", _settings(config, hidden_layers=DEEP, learning_rate=rate), config.steps)
        for rate in LEARNING_RATES
    )


def _training_sets(config: TrialsConfig) -> tuple[Condition, ...]:
    return tuple(
        Condition(f"{count:,}", _settings(config, training_images=count), config.steps) for count in TRAINING_SETS
    )


_CONDITIONS: Final[Mapping[Experiment, Callable[[TrialsConfig], tuple[Condition, ...]]]] = {
    Experiment.BATCH_SIZE: _batch_sizes,
    Experiment.MINI_BATCHES: _samplings,
    Experiment.TEST_TIME: _one,
    Experiment.INITIALIZATION: _learning_rates,
    Experiment.DROPOUT: _training_sets,
}


def trials_seconds(config: TrialsConfig) -> float:
    """Estimated time of all runs of an experiment, on one CPU thread that trains nothing else, in s.

    Steps, and what the accuracies of each run take.
    """
    networks, conditions = len(config.competitors), config.conditions
    steps = sum(1e-3 * one.steps * trials_milliseconds(config, one) for one in conditions)
    return config.seeds * (steps + ACCURACY_SECONDS * networks * len(conditions))


def trials_milliseconds(config: TrialsConfig, condition: Condition) -> float:
    """Estimated time of one lock-step under this condition, in ms."""
    share = DEEP_SHARE if condition.settings.model.hidden_layers >= DEEP else 1.0
    return share * step_milliseconds(condition.settings, len(config.competitors))


TRIALS: Final[Mapping[Experiment, TrialsConfig]] = {
    Experiment.BATCH_SIZE: TrialsConfig(Experiment.BATCH_SIZE, learning_rate=0.05),
    Experiment.MINI_BATCHES: TrialsConfig(Experiment.MINI_BATCHES, learning_rate=0.1),
    Experiment.TEST_TIME: TrialsConfig(Experiment.TEST_TIME, learning_rate=0.1),
    Experiment.INITIALIZATION: TrialsConfig(Experiment.INITIALIZATION, steps=500),
    Experiment.DROPOUT: TrialsConfig(Experiment.DROPOUT, steps=2000, learning_rate=0.1),
}
"""Each experiment as its part of the page shows it at first."""


def settings_of(experiment: Experiment) -> tuple[Setting, ...]:
    """Those that an experiment has, each with a name of its own in a link, such as "batch_size-lr"."""
    without = set() if experiment is Experiment.BATCH_SIZE else {"equal", "images"}
    if experiment is Experiment.INITIALIZATION:
        without.add("learning_rate")
    return tuple(replace(one, key=f"{experiment}-{one.key}") for one in TRIALS_SETTINGS if one.name not in without)


def trials_to_query(config: TrialsConfig) -> dict[str, str]:
    """As part of a link: only what differs from the experiment's default."""
    return changed_to_query(settings_of(config.experiment), config, TRIALS[config.experiment])


def trials_from_query(experiment: Experiment, query: Mapping[str, str]) -> tuple[TrialsConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(settings_of(experiment), query)
    build = partial(replace, TRIALS[experiment])
    return built_from_query(build, values, notices, ("steps", "images", "seeds"), "lengths")
