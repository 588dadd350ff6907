"""What defines a linear unit with two inputs, their treatments, and the descents on its loss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bnviz.config.names import PixelForm, RateRule, Whitening
from bnviz.config.table import (
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

LEAST_START: Final = 0.01  # of its larger coordinate
_MEANS: Final = (-100, -50, -30, -20, -10, -5, -3, -2, -1, 0, 1, 2, 3, 5, 10, 20, 30, 50, 100)
_STDS: Final = log_grid(0.1, 100, (1, 2, 3, 5))
_SIZES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_CORRELATIONS: Final = (*(-size for size in reversed(_SIZES)), 0.0, *_SIZES)
_RATES: Final = log_grid(1e-5, 5, (1, 1.5, 2, 3, 5, 7))
_MULTIPLES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1, 1.01, 1.05, 1.1, 1.2, 1.5, 2)
_TARGETS: Final = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5)
_STEPS: Final = (10, 20, 30, 50, 70, 100, 150, 200, 300, 500)

# fmt: off
LINEAR_UNIT_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("mean_1", "wm1", "Mean of x₁", False, Number(-100, 100, _MEANS),
            "A mean far from 0 stretches the loss: it adds its square to the second moment."),
    Setting("mean_2", "wm2", "Mean of x₂", False, Number(-100, 100, _MEANS),
            "Where both means are well above 0, nearly every gradient has two components of the same sign."),
    Setting("std_1", "ws1", "Std. dev. of x₁", False, Number(0.1, 100, _STDS),
            "Inputs of different scales stretch the loss along the weights of the smaller one."),
    Setting("std_2", "ws2", "Std. dev. of x₂", False, Number(0.1, 100, _STDS),
            "Inputs of different scales stretch the loss along the weights of the smaller one."),
    Setting("correlation", "wrho", "Correlation", False, Number(-0.99, 0.99, _CORRELATIONS),
            "Standardising leaves it as it is; only whitening takes it away."),
    Setting("samples", "wn", "Samples", False, Number(20, 1000, (20, 50, 100, 200, 300, 500, 1000), is_integer=True),
            "Pairs of inputs drawn; every number is of these, not of the distribution that they come from."),
    Setting("seed", "wseed", "Seed", False, Number(0, 999_999, is_integer=True),
            "Draws the inputs, and the order in which SGD sees them."),
    Setting("whitening", "wkind", "Whitening", False, Choice(Whitening),
            "pca turns the inputs onto their principal axes; zca turns them back again."),
    Setting("rate_rule", "wrule", "Learning rate", False, Choice(RateRule),
            "shared: one for all. multiple: so many times each one's largest stable rate. best: 2/(λ_max + λ_min)."),
    Setting("learning_rate", "wrate", "Shared learning rate", False, Number(1e-5, 5, _RATES),
            "The same rate for all five treatments."),
    Setting("rate_multiple", "wtimes", "Times the largest stable rate", False, Number(0.05, 2, _MULTIPLES),
            "Gradient descent zigzags above 0.5 and diverges above 1."),
    Setting("batch_size", "wbatch", "SGD batch size", False,
            Number(1, 256, (1, 2, 4, 8, 16, 32, 64, 128, 256), is_integer=True),
            "Samples in each mini-batch of SGD; not more than there are."),
    Setting("start_1", "wx", "Start, w₁ − w₁*", False, Number(-2, 2, tuple(step / 10 for step in range(-20, 21))),
            "How far the first weight starts from its best value, the same under every treatment."),
    Setting("start_2", "wy", "Start, w₂ − w₂*", False, Number(-2, 2, tuple(step / 10 for step in range(-20, 21))),
            "How far the second weight starts from its best value, the same under every treatment."),
    Setting("target", "wtarget", "Target loss", False, Number(1e-8, 0.5, _TARGETS),
            "The loss to reach, as a share of that at the start."),
    Setting("steps", "wsteps", "Steps drawn", False, Number(10, 500, _STEPS, is_integer=True),
            "How many steps of each descent are drawn."),
    Setting("pixel_form", "wpixels", "MNIST pixels", False, Choice(PixelForm),
            "Of the spectrum: binary pixels are 0 or 1, raw ones grey levels from 0 to 1."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in LINEAR_UNIT_SETTINGS}


@dataclass(frozen=True)
class LinearUnitConfig:
    """One printable value that reproduces the inputs of a linear unit, their treatments and the descents.

    Raises:
        ConfigError: a value out of its bounds, a start at the minimum, or a batch larger than the sample; the text
            names value, rule and remedy.
    """

    mean_1: float = 30.0
    mean_2: float = 2.0
    std_1: float = 10.0
    std_2: float = 1.0
    correlation: float = 0.9
    samples: int = 300
    seed: int = 0
    whitening: Whitening = Whitening.ZCA
    rate_rule: RateRule = RateRule.MULTIPLE
    learning_rate: float = 0.0015
    rate_multiple: float = 0.9
    batch_size: int = 32
    start_1: float = -0.6
    start_2: float = 1.0
    # At 1 % of the start's loss a long valley looks as good as a round bowl: that much lies across it, and goes first.
    target: float = 1e-4
    steps: int = 100
    pixel_form: PixelForm = PixelForm.BINARY

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        if self.batch_size > self.samples:
            raise ConfigError(
                f"A batch of {self.batch_size} is more than the {self.samples} samples there are: "
                "choose a smaller batch or more samples."
            )
        if max(abs(self.start_1), abs(self.start_2)) < LEAST_START:
            raise ConfigError(
                f"A start at ({self.start_1:g}, {self.start_2:g}) is the minimum itself: choose one coordinate of "
                f"at least {LEAST_START:g} in size."
            )

    @property
    def means(self) -> tuple[float, float]:
        return self.mean_1, self.mean_2

    @property
    def stds(self) -> tuple[float, float]:
        return self.std_1, self.std_2

    @property
    def start(self) -> tuple[float, float]:
        """Displacement of the weights from the minimum."""
        return self.start_1, self.start_2

    def replace(self, **changes: Any) -> "LinearUnitConfig":
        return replace(self, **changes)


def linear_unit_to_query(config: LinearUnitConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(LINEAR_UNIT_SETTINGS, config, LinearUnitConfig())


def linear_unit_from_query(query: Mapping[str, str]) -> tuple[LinearUnitConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(LINEAR_UNIT_SETTINGS, query)
    together = ("batch_size", "samples", "start_1", "start_2")
    return built_from_query(LinearUnitConfig, values, notices, together, "batch, samples and start")
