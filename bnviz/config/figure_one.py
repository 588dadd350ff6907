"""Figure 1 of Ioffe & Szegedy 2015: the runs of it that are recorded, and which of them is looked at.

Figure and Section 4.1 name three layers of 100 sigmoids, binary inputs, mini-batches of 60 and 50,000 steps, which are
the defaults of `Settings`. They name neither optimizer nor learning rate nor initial standard deviation: these vary.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bnviz.config.names import Optimizer, UpdateRule
from bnviz.config.settings import Settings
from bnviz.config.table import BY_NAME, text_of
from bnviz.errors import ConfigError

FIGURE_ONE_STEPS: Final = 50_000
MOMENTUM: Final = 0.9  # of SGD with momentum, and Adam's decay of the first moment


@dataclass(frozen=True)
class Grid:
    """The values of one update rule that are recorded, each with each."""

    rates: tuple[float, ...]
    scales: tuple[float, ...]
    seeds: tuple[int, ...]


GRIDS: Final[Mapping[UpdateRule, Grid]] = {
    UpdateRule.SGD: Grid((0.02, 0.1, 0.5, 2.0, 10.0), (0.1, 0.01), (0, 1, 2)),
    UpdateRule.MOMENTUM: Grid((0.002, 0.01, 0.05, 0.2, 1.0), (0.1,), (0,)),
    UpdateRule.ADAM: Grid((0.001, 0.003, 0.01, 0.03, 0.1), (0.1,), (0,)),
}
_RULES: Final[Mapping[UpdateRule, Mapping[str, Any]]] = {
    UpdateRule.SGD: {},
    UpdateRule.MOMENTUM: {"momentum": MOMENTUM},
    UpdateRule.ADAM: {"optimizer": Optimizer.ADAM, "momentum": MOMENTUM},
}
_KEYS: Final = {"rule": "rule", "learning_rate": "rate", "init_scale": "sigma", "seed": "replica"}
FIGURE_ONE_KEYS: Final = tuple(_KEYS.values())


@dataclass(frozen=True)
class FigureOneConfig:
    """One of the recorded runs, both networks in lock-step.

    Attributes:
        init_scale: standard deviation of the initial weights.
        seed: of the initial weights and of the mini-batches.

    Raises:
        ConfigError: not one of those recorded.
    """

    rule: UpdateRule = UpdateRule.SGD
    learning_rate: float = 0.1
    init_scale: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "rule", UpdateRule(self.rule))
        except ValueError:
            raise ConfigError(f"Update rule {self.rule!r:.40}: choose one of {', '.join(UpdateRule)}.") from None
        offered = {"learning_rate": self.grid.rates, "init_scale": self.grid.scales, "seed": self.grid.seeds}
        for name, values in offered.items():
            if getattr(self, name) not in values:
                label = BY_NAME[name].label
                choices = ", ".join(f"{one:g}" for one in values)
                raise ConfigError(f"{label} {getattr(self, name)!r:.40} is not recorded here: choose one of {choices}.")

    @property
    def grid(self) -> Grid:
        """What else is recorded with this update rule."""
        return GRIDS[self.rule]

    @property
    def settings(self) -> Settings:
        """The run of the lab that this is: it trains to the same numbers."""
        own = {name: getattr(self, name) for name in ("learning_rate", "init_scale", "seed")}
        return Settings().replace(**own, **_RULES[self.rule])

    @property
    def name(self) -> str:
        """Such as "sgd-0.5-0.1-0": of its file."""
        return f"{self.rule}-{self.learning_rate:g}-{self.init_scale:g}-{self.seed}"

    @property
    def replicas(self) -> tuple["FigureOneConfig", ...]:
        """The same from every seed."""
        return tuple(one for one in recorded_configs(self.rule) if one._family == self._family)

    @property
    def _family(self) -> tuple[Any, ...]:
        return self.rule, self.learning_rate, self.init_scale


def recorded_configs(*rules: UpdateRule) -> Iterator[FigureOneConfig]:
    """Every recorded run of these update rules, or of all."""
    for rule in rules or UpdateRule:
        grid = GRIDS[rule]
        for scale in grid.scales:
            for seed in grid.seeds:
                for rate in grid.rates:
                    yield FigureOneConfig(rule, rate, scale, seed)


def figure_one_of(settings: Settings) -> FigureOneConfig | None:
    """The recorded run that has these settings, on whatever device; None if none has."""
    on_any = settings.replace(device=Settings().model.device)
    return next((one for one in recorded_configs() if one.settings == on_any), None)


def nearest_recorded(**values: Any) -> FigureOneConfig:
    """The recorded run nearest to these values, the update rule first: what each picker keeps of the others."""
    rule = UpdateRule(values.get("rule", UpdateRule.SGD))
    grid, default = GRIDS[rule], FigureOneConfig()
    rate = values.get("learning_rate", default.learning_rate)
    return FigureOneConfig(
        rule,
        min(grid.rates, key=lambda one: abs(math.log(one / rate))),
        min(grid.scales, key=lambda one: abs(one - values.get("init_scale", default.init_scale))),
        min(grid.seeds, key=lambda one: abs(one - values.get("seed", default.seed))),
    )


def figure_one_to_query(config: FigureOneConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    default = FigureOneConfig()
    return {
        key: text_of(getattr(config, name))
        for name, key in _KEYS.items()
        if getattr(config, name) != getattr(default, name)
    }


def figure_one_from_query(query: Mapping[str, str]) -> tuple[FigureOneConfig, list[str]]:
    """From a link; a notice, and the default, where it asks for a run that is not recorded."""
    values: dict[str, Any] = {}
    try:
        for name, key in _KEYS.items():
            if key in query:
                kind = {"rule": str, "seed": int}.get(name, float)
                values[name] = kind(query[key])
        return FigureOneConfig(**values), []
    except ConfigError as error:
        return FigureOneConfig(), [f"{error.text} The default is shown instead."]
    except ValueError:
        asked = "&".join(f"{key}={str(query[key])[:20]}" for key in FIGURE_ONE_KEYS if key in query)
        return FigureOneConfig(), [
            f"The link asks for {asked}, in which something is not a number; the default is shown instead."
        ]
