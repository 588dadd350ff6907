"""The table of settings: every one has its bounds here and nowhere else.

Widget, link, file loader and engine all read this table.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, TypeVar

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
from bnviz.errors import ConfigError

C = TypeVar("C")


@dataclass(frozen=True)
class Number:
    """An interval of real numbers, or of integers; `grid` holds the values the slider stops at."""

    low: float
    high: float
    grid: tuple[float, ...] = ()
    is_integer: bool = False

    def parse(self, text: str) -> float:
        return int(text) if self.is_integer else float(text)

    def check(self, value: Any) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("is not a number")
        if not -sys.float_info.max <= value <= sys.float_info.max:  # NaN, infinities, and whole numbers beyond them
            raise ValueError("is not a number")
        if self.is_integer and value != int(value):
            raise ValueError("is not a whole number")
        if not self.low <= value <= self.high:
            raise ValueError("is out of bounds")
        return int(value) if self.is_integer else float(value)

    @property
    def rule(self) -> str:
        kind = "a whole number" if self.is_integer else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One member of an enumeration."""

    kind: type[StrEnum]

    def parse(self, text: str) -> str:
        return text

    def check(self, value: Any) -> StrEnum:
        try:
            return self.kind(value)
        except ValueError:
            raise ValueError("is not offered") from None

    @property
    def rule(self) -> str:
        return "one of " + ", ".join(self.kind)


@dataclass(frozen=True)
class Several:
    """So many different members of an enumeration, kept in its order."""

    kind: type[StrEnum]
    least: int
    most: int

    def parse(self, text: str) -> tuple[str, ...]:
        return tuple(text.split(","))

    def check(self, value: Any) -> tuple[StrEnum, ...]:
        if not isinstance(value, tuple | list) or not all(isinstance(one, str) for one in value):
            raise ValueError("is not a list of names")
        if unknown := [one for one in value if one not in list(self.kind)]:
            raise ValueError(f"has {unknown[0][:20]!r}, which is not offered")
        if len(set(value)) < len(value):
            raise ValueError("names one of them twice")
        if not self.least <= len(value) <= self.most:
            raise ValueError(f"has {len(value)}")
        return tuple(one for one in self.kind if one in value)

    @property
    def rule(self) -> str:
        return f"{self.least} to {self.most} different ones of " + ", ".join(self.kind)


def log_grid(low: float, high: float, mantissas: tuple[float, ...]) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    values = (float(f"{m:g}e{d}") for d in decades for m in mantissas)
    return tuple(v for v in values if low <= v <= high)


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings.

    Attributes:
        name: the field in `HyperParams` or `ModelConfig`.
        key: its name in a link.
        label: its name on the page.
        is_live: whether it may change between two steps; otherwise changing it restarts the run.
        domain: what it may be.
        help: one sentence for the visitor.
    """

    name: str
    key: str
    label: str
    is_live: bool
    domain: Number | Choice | Several
    help: str

    def check(self, value: Any) -> Any:
        """The value in its own type; `ConfigError` names value, rule and remedy."""
        try:
            return self.domain.check(value)
        except ValueError as error:
            raise ConfigError(f"{self.label} = {repr(value)[:40]} {error}: choose {self.domain.rule}.") from None


def check_fields(instance: Any, settings: Mapping[str, "Setting"]) -> None:
    """Each field of a frozen dataclass that has a row, in its own type; `ConfigError` names value, rule and remedy."""
    for one in fields(instance):
        if one.name in settings:
            object.__setattr__(instance, one.name, settings[one.name].check(getattr(instance, one.name)))


def changed_to_query(settings: Iterable[Setting], values: Any, default: Any) -> dict[str, str]:
    """As part of a link: the settings of `values` that differ from the default."""
    return {
        setting.key: text_of(getattr(values, setting.name))
        for setting in settings
        if getattr(values, setting.name) != getattr(default, setting.name)
    }


def text_of(value: Any) -> str:
    """A value as a link says it."""
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def values_from_query(settings: Iterable[Setting], query: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Those of these settings that a link gives, and a notice for every value that falls back to its default."""
    values: dict[str, Any] = {}
    notices = []
    for setting in settings:
        if setting.key not in query:
            continue
        text = str(query[setting.key])
        try:
            values[setting.name] = setting.check(setting.domain.parse(text))
        except (ValueError, ConfigError):
            notices.append(
                f"The link asks for {setting.key}={text[:40]}, which is not {setting.domain.rule}; "
                "the default is shown instead."
            )
    return values, notices


def built_from_query(
    build: Callable[..., C], values: Mapping[str, Any], notices: list[str], together: Iterable[str], told: str
) -> tuple[C, list[str]]:
    """What a link asks for; where its values do not go together, without those of `together`, and a notice more.

    `told` says what of the link fell back, such as "sizes".
    """
    try:
        return build(**values), notices
    except ConfigError as error:
        notice = f"{error.text} The link's {told} fell back to their defaults."
        rest = {name: value for name, value in values.items() if name not in set(together)}
        return build(**rest), [*notices, notice]


MANTISSAS: Final = (1, 1.5, 2, 3, 5, 7)
_COARSE: Final = (1, 2, 5)
_BATCHES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 60, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_MOMENTA: Final = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_NOISE: Final = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5)
_SCALE_LIMITS: Final = (1, 1.1, 1.25, 1.5, 2, 3, 5, 7, 10)
_SHIFT_LIMITS: Final = (0, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7, 10, 20)
_DROPOUTS: Final = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TRAIN_IMAGES: Final = 60_000  # of MNIST
_TRAINING_SETS: Final = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, TRAIN_IMAGES)
_GROUPS: Final = (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 256)
WIDTHS: Final = (10, 16, 20, 32, 50, 64, 80, 100, 128, 150, 200, 256, 320, 400, 512)

# fmt: off
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("learning_rate", "lr", "Learning rate", True, Number(0.001, 30, log_grid(0.001, 30, MANTISSAS)),
            "The size of each step against the gradient, for every network."),
    Setting("batch_size", "batch", "Batch size", True, Number(1, 1024, _BATCHES, is_integer=True),
            "Images in a mini-batch. BN takes its mean and variance over them and leaves nothing of a single value; "
            "LayerNorm, GroupNorm and WeightNorm do not look at the others."),
    Setting("momentum", "momentum", "Momentum", True, Number(0, 0.99, _MOMENTA),
            "SGD's momentum, or Adam's decay of the first moment."),
    Setting("weight_decay", "decay", "Weight decay", True, Number(0, 0.1, (0, *log_grid(1e-5, 0.1, _COARSE))),
            "L2 penalty on the weight matrices; biases, gamma and beta are not decayed."),
    Setting("bn_momentum", "bnmomentum", "BN momentum", True, Number(0.001, 1, log_grid(0.001, 1, _COARSE)),
            "Share of each new batch in the running mean and variance of BN, Batch Renorm and decorrelated BN "
            "(PyTorch's convention)."),
    Setting("noise_mean", "nmu", "Noise mean n_μ", True, Number(0, 5, _NOISE),
            "Each unit's noise has a mean drawn from [−n_μ, n_μ] at every step."),
    Setting("noise_scale", "nsigma", "Noise scale n_σ", True, Number(1, 5, tuple(1 + x for x in _NOISE if x <= 4)),
            "Each unit's values are scaled by a factor drawn from [1, n_σ] at every step."),
    Setting("noise_mean_spread", "rmu", "Mean spread r_μ", True, Number(0, 5, _NOISE),
            "Each value's own shift is drawn within r_μ of its unit's mean."),
    Setting("noise_scale_spread", "rsigma", "Scale spread r_σ", True, Number(0, 5, _NOISE),
            "Each value's own factor is normal about its unit's, with standard deviation r_σ."),
    Setting("r_max", "rmax", "Limit r_max", True, Number(1, 10, _SCALE_LIMITS),
            "Batch Renorm: how far the scale may depart from the batch's own, up and down; 1 is BN."),
    Setting("d_max", "dmax", "Limit d_max", True, Number(0, 20, _SHIFT_LIMITS),
            "Batch Renorm: how far the mean may depart from the batch's own, in standard deviations; 0 is BN."),
    Setting("dropout", "dropout", "Dropout p", True, Number(0, 0.9, _DROPOUTS),
            "Each value of a hidden layer's output is 0 with this probability, in training and in networks with "
            "dropout only; what is left is divided by 1 − p."),
    Setting("networks", "networks", "Compare", False, Several(Network, 2, 4),
            "Networks that differ in normalization, dropout or initial weights; two to four train side by side."),
    Setting("groups", "groups", "Groups of units", False, Number(1, 256, _GROUPS, is_integer=True),
            "Into how many groups GroupNorm and decorrelated BN part a layer's units. GroupNorm with 1 is LayerNorm."),
    Setting("architecture", "net", "Architecture", False, Choice(Architecture),
            "convolutional: two 5 × 5 convolutions of stride 2, then a linear layer; BN's batch is then every position "
            "of every image."),
    Setting("nonlinearity", "g", "Nonlinearity", False, Choice(Nonlinearity),
            "The function g after each hidden layer."),
    Setting("optimizer", "optimizer", "Optimizer", False, Choice(Optimizer),
            "How the gradient becomes a step."),
    Setting("initialization", "init", "Initialization", False, Choice(Initialization),
            "The distribution that the initial weights are drawn from; all networks start from the same weights."),
    Setting("input_form", "input", "Input form", False, Choice(InputForm),
            "binary: pixels above 0.5 are 1, the others 0, as in the paper."),
    Setting("sampling", "sampling", "Mini-batches", False, Choice(Sampling),
            "shuffled: independent of each other. two classes: each of two digits only, drawn anew. sorted: digit "
            "after digit. In the last two a batch’s statistics are not the population’s."),
    Setting("training_images", "images", "Training images", False,
            Number(100, TRAIN_IMAGES, _TRAINING_SETS, is_integer=True),
            "Only the first so many of MNIST's 60,000 are trained on: with few of them networks overfit."),
    Setting("init_scale", "scale", "Initial scale", False, Number(0.01, 10, log_grid(0.01, 10, MANTISSAS)),
            "Gaussian: the standard deviation of the weights. Other schemes: a factor on theirs."),
    Setting("hidden_layers", "layers", "Hidden layers", False, Number(1, 20, tuple(range(1, 21)), is_integer=True),
            "Hidden layers between the image and the ten outputs."),
    Setting("width", "width", "Width", False, Number(10, 512, WIDTHS, is_integer=True),
            "Units in each hidden layer; of a convolutional network, feature maps."),
    Setting("bn_placement", "bn", "BN placed", False, Choice(BnPlacement),
            "Where BN, LayerNorm and the like stand: before the nonlinearity, as in the paper, or after it."),
    Setting("seed", "seed", "Seed", False, Number(0, 999_999, is_integer=True),
            "Draws the initial weights and the order of the images."),
    Setting("device", "device", "Device", False, Choice(Device),
            "Where the networks train."),
)
# fmt: on
BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}
BY_KEY: Final[Mapping[str, Setting]] = {setting.key: setting for setting in SETTINGS}
NOISE_SETTINGS: Final = tuple(setting.name for setting in SETTINGS if setting.name.startswith("noise_"))
