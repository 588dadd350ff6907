"""Frozen, validated settings; their bounds, cost limits, URL form and back.

Every setting has its bounds here and nowhere else: widget, link, file loader and engine all read this table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from bnviz.errors import ConfigError

SCHEMA_VERSION: Final = 1

INPUT_PIXELS: Final = 28 * 28
CLASSES: Final = 10
MOST_STEP_MILLISECONDS: Final = 50.0
MOST_CHECKPOINT_BYTES: Final = 16_000_000
PROBE_IMAGES: Final = 512  # on which every layer is measured


class Nonlinearity(StrEnum):
    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    GELU = "gelu"
    IDENTITY = "identity"


class Initialization(StrEnum):
    GAUSSIAN = "gaussian"  # N(0, init_scale²)
    GLOROT = "glorot"  # init_scale × N(0, 2/(fan_in + fan_out))
    HE = "he"  # init_scale × N(0, 2/fan_in)
    ORTHOGONAL = "orthogonal"  # init_scale × a (semi-)orthogonal matrix


class Optimizer(StrEnum):
    SGD = "sgd"
    ADAM = "adam"


class BnPlacement(StrEnum):
    BEFORE = "before"  # z = g(BN(W u)), as Ioffe & Szegedy 2015, Sec. 3.2
    AFTER = "after"  # z = BN(g(W u + b))


class InputForm(StrEnum):
    BINARY = "binary"  # pixel > 0.5, as Ioffe & Szegedy 2015, Sec. 4.1
    RAW = "raw"  # pixel / 255, in [0, 1]
    STANDARDISED = "standardised"  # (raw - mean) / std, both over the 60,000 training images' pixels


class Device(StrEnum):
    AUTO = "auto"  # CUDA where torch sees it, else CPU
    CPU = "cpu"
    CUDA = "cuda"


class Normalization(StrEnum):
    NONE = "none"
    BATCH = "batch"


class Axis(StrEnum):
    """What a chart over time has on its x axis."""

    STEPS = "steps"
    IMAGES = "images"
    COMPUTE = "compute"  # each network's own compute seconds


class Directions(StrEnum):
    """The two directions that span the plane of a loss contour."""

    PATHS = "paths"  # the two leading principal components of both paths together
    RANDOM = "random"  # filter-normalised Gaussian directions, Li et al. 2018


@dataclass(frozen=True)
class Competitor:
    """One of the networks that train in lock-step on the same mini-batches.

    All of them share shape, nonlinearity and the order of the images; what a competitor does not have of its own (None)
    is the run's.
    """

    name: str  # "plain", "bn": also the role of its colour
    label: str
    normalization: Normalization
    learning_rate: float | None = None
    initialization: Initialization | None = None
    init_scale: float | None = None
    seed: int | None = None  # of its initial weights

    def __post_init__(self) -> None:
        for name in ("learning_rate", *_OWN_START):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, BY_NAME[name].check(getattr(self, name)))

    def starts_from(self, model: "ModelConfig") -> "ModelConfig":
        """The model of the run with what is this competitor's own: what its initial weights are drawn from."""
        own = {name: getattr(self, name) for name in _OWN_START if getattr(self, name) is not None}
        return replace(model, **own)


_OWN_START: Final = ("initialization", "init_scale", "seed")


PLAIN: Final = Competitor("plain", "without BN", Normalization.NONE)
BN: Final = Competitor("bn", "with BN", Normalization.BATCH)
TWINS: Final = (PLAIN, BN)


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
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
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


def _log_grid(low: float, high: float, mantissas: tuple[float, ...]) -> tuple[float, ...]:
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
    domain: Number | Choice
    help: str

    def check(self, value: Any) -> Any:
        """The value in its own type; `ConfigError` names value, rule and remedy."""
        try:
            return self.domain.check(value)
        except ValueError as error:
            raise ConfigError(f"{self.label} = {value!r} {error}: choose {self.domain.rule}.") from None


_MANTISSAS: Final = (1, 1.5, 2, 3, 5, 7)
_COARSE: Final = (1, 2, 5)
_BATCHES: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 60, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_MOMENTA: Final = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_WIDTHS: Final = (10, 16, 20, 32, 50, 64, 80, 100, 128, 150, 200, 256, 320, 400, 512)

# fmt: off
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("learning_rate", "lr", "Learning rate", True, Number(0.001, 30, _log_grid(0.001, 30, _MANTISSAS)),
            "The size of each step against the gradient, for both networks."),
    Setting("batch_size", "batch", "Batch size", True, Number(2, 1024, _BATCHES, is_integer=True),
            "Images in a mini-batch. BN takes its mean and variance over them, so it needs at least 2."),
    Setting("momentum", "momentum", "Momentum", True, Number(0, 0.99, _MOMENTA),
            "SGD's momentum, or Adam's decay of the first moment."),
    Setting("weight_decay", "decay", "Weight decay", True, Number(0, 0.1, (0, *_log_grid(1e-5, 0.1, _COARSE))),
            "L2 penalty on the weight matrices; biases, gamma and beta are not decayed."),
    Setting("bn_momentum", "bnmomentum", "BN momentum", True, Number(0.001, 1, _log_grid(0.001, 1, _COARSE)),
            "Share of each new batch in BN's running mean and variance (PyTorch's convention)."),
    Setting("nonlinearity", "g", "Nonlinearity", False, Choice(Nonlinearity),
            "The function g after each hidden layer."),
    Setting("optimizer", "optimizer", "Optimizer", False, Choice(Optimizer),
            "How the gradient becomes a step."),
    Setting("initialization", "init", "Initialization", False, Choice(Initialization),
            "The distribution that the initial weights are drawn from; both networks start from the same weights."),
    Setting("input_form", "input", "Input form", False, Choice(InputForm),
            "binary: pixels above 0.5 are 1, the others 0, as in the paper."),
    Setting("init_scale", "scale", "Initial scale", False, Number(0.01, 10, _log_grid(0.01, 10, _MANTISSAS)),
            "Gaussian: the standard deviation of the weights. Other schemes: a factor on theirs."),
    Setting("hidden_layers", "layers", "Hidden layers", False, Number(1, 20, tuple(range(1, 21)), is_integer=True),
            "Hidden layers between the image and the ten outputs."),
    Setting("width", "width", "Width", False, Number(10, 512, _WIDTHS, is_integer=True),
            "Units in each hidden layer."),
    Setting("bn_placement", "bn", "BN placed", False, Choice(BnPlacement),
            "before the nonlinearity, as in the paper, or after it."),
    Setting("seed", "seed", "Seed", False, Number(0, 999_999, is_integer=True),
            "Draws the initial weights and the order of the images."),
    Setting("device", "device", "Device", False, Choice(Device),
            "Where the networks train."),
)
# fmt: on
BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}


def _check_fields(instance: "HyperParams | ModelConfig") -> None:
    for one in fields(instance):
        object.__setattr__(instance, one.name, BY_NAME[one.name].check(getattr(instance, one.name)))


@dataclass(frozen=True)
class HyperParams:
    """What may change between two steps, by replacement, for all competitors at once."""

    learning_rate: float = 0.5
    batch_size: int = 60  # images per step, as in Ioffe & Szegedy 2015
    momentum: float = 0.0
    weight_decay: float = 0.0
    bn_momentum: float = 0.1

    def __post_init__(self) -> None:
        _check_fields(self)


@dataclass(frozen=True)
class ModelConfig:
    """What defines the networks and their data: changing it restarts the run from the seed."""

    nonlinearity: Nonlinearity = Nonlinearity.SIGMOID
    initialization: Initialization = Initialization.GAUSSIAN
    init_scale: float = 0.1
    hidden_layers: int = 3
    width: int = 100
    bn_placement: BnPlacement = BnPlacement.BEFORE
    optimizer: Optimizer = Optimizer.SGD
    input_form: InputForm = InputForm.BINARY
    seed: int = 0
    device: Device = Device.AUTO

    def __post_init__(self) -> None:
        _check_fields(self)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, input and output included: [hidden_layers + 2]."""
        return (INPUT_PIXELS, *[self.width] * self.hidden_layers, CLASSES)


@dataclass(frozen=True)
class Settings:
    """One printable value that reproduces a run; its products are bounded as well as its parts."""

    model: ModelConfig = field(default_factory=ModelConfig)
    hyper: HyperParams = field(default_factory=HyperParams)

    def __post_init__(self) -> None:
        check_cost(self)

    def get(self, name: str) -> Any:
        return getattr(self.hyper if BY_NAME[name].is_live else self.model, name)

    def replace(self, **changes: Any) -> "Settings":
        """The same settings with some changed, live and restarting ones alike."""
        unknown = set(changes) - set(BY_NAME)
        if unknown:
            raise ConfigError(f"No setting is called {sorted(unknown)}: choose from {', '.join(BY_NAME)}.")
        live = {name: value for name, value in changes.items() if BY_NAME[name].is_live}
        rest = {name: value for name, value in changes.items() if not BY_NAME[name].is_live}
        return Settings(replace(self.model, **rest), replace(self.hyper, **live))


def default_init_scale(initialization: Initialization) -> float:
    """0.1 for the Gaussian (SCIENCE: the paper names none), else the scheme's own scale."""
    return 0.1 if initialization is Initialization.GAUSSIAN else 1.0


# --- cost -------------------------------------------------------------------------------------------------------------


def weight_count(model: ModelConfig) -> int:
    """Numbers in the weight matrices of one competitor."""
    return sum(a * b for a, b in zip(model.sizes, model.sizes[1:], strict=False))


def step_milliseconds(settings: Settings, competitors: int = len(TWINS)) -> float:
    """Estimated time of one lock-step on one CPU thread, in ms.

    Three matrix products a weight matrix at 75 GFLOP/s, the elementwise work of a batch, the update of the weights and
    a fixed cost a layer. Calibrated on a 2.5 GHz Xeon, where the twins took 2.4 ms at 3 x 100, batch 60, 20 ms at batch
    1024, 13 ms at 3 x 512, batch 60, and 28 ms at 10 x 200, batch 256; elsewhere it errs on the safe side.
    """
    model, batch = settings.model, settings.hyper.batch_size
    products = 6 * batch * weight_count(model) / 75e6
    elementwise = 12 * batch * model.width * model.hidden_layers / 1e6
    update = weight_count(model) * (4 if model.optimizer is Optimizer.ADAM else 1) / 0.75e6
    return competitors * (products + elementwise + update + 0.12 * (model.hidden_layers + 1))


def checkpoint_bytes(settings: Settings, competitors: int = len(TWINS)) -> int:
    """Size of a checkpoint, all float32: weights, what the optimizer keeps of each, and the last inputs of the probe.

    The inputs of every hidden unit on the probe are what the drift's next step is measured from.
    """
    model = settings.model
    optimizer_state = 2 if model.optimizer is Optimizer.ADAM else int(settings.hyper.momentum > 0)
    inputs = model.hidden_layers * model.width * PROBE_IMAGES
    return 4 * competitors * ((1 + optimizer_state) * weight_count(model) + inputs)


def check_cost(settings: Settings) -> None:
    """Refuse what would be too slow to watch or too large to keep; the text names the cost and a remedy."""
    model, hyper = settings.model, settings.hyper
    shape = f"{model.hidden_layers} layers of {model.width} at batch {hyper.batch_size}"
    milliseconds = step_milliseconds(settings)
    if milliseconds > MOST_STEP_MILLISECONDS:
        raise ConfigError(
            f"{shape} would take about {milliseconds:.0f} ms a step, more than {MOST_STEP_MILLISECONDS:.0f}: "
            "choose fewer layers, a smaller width or a smaller batch."
        )
    size = checkpoint_bytes(settings)
    if size > MOST_CHECKPOINT_BYTES:
        raise ConfigError(
            f"{shape} with {model.optimizer} would need {size / 1e6:.0f} MB a checkpoint, more than "
            f"{MOST_CHECKPOINT_BYTES / 1e6:.0f}: choose fewer layers, a smaller width, or SGD without momentum."
        )


# --- links and files --------------------------------------------------------------------------------------------------


def to_query(settings: Settings) -> dict[str, str]:
    """The settings as the query of a link: every one of them, so that new defaults never change an old link."""
    return {setting.key: _text(settings.get(setting.name)) for setting in SETTINGS}


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def from_query(query: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Settings from a link, and a notice for every value that fell back to its default."""
    settings, notices = Settings(), []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.key not in query:
            continue
        text = str(query[setting.key])
        try:
            values[setting.name] = setting.check(setting.domain.parse(text))
        except (ValueError, ConfigError):
            default = _text(settings.get(setting.name))
            shown = text if len(text) <= 40 else text[:40] + "…"
            notices.append(
                f"The link asks for {setting.key}={shown}, which is not {setting.domain.rule}; "
                f"{setting.label.lower()} is {default} instead."
            )
    if "initialization" in values and "init_scale" not in values:
        values["init_scale"] = default_init_scale(values["initialization"])
    try:
        return settings.replace(**values), notices
    except ConfigError as error:
        notices.append(f"{error.text} The link's sizes fell back to their defaults.")
        sizes = {"hidden_layers", "width", "batch_size", "optimizer", "momentum"}
        return settings.replace(**{name: v for name, v in values.items() if name not in sizes}), notices


def to_json(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values, with the schema's version."""
    return {"schema": SCHEMA_VERSION} | {s.name: settings.get(s.name) for s in SETTINGS}


def from_json(values: Mapping[str, Any]) -> Settings:
    """Settings from `to_json`; unlike a link, a file that asks for the impossible is refused."""
    version = values.get("schema")
    if version != SCHEMA_VERSION:
        raise ConfigError(f"These settings have schema {version!r}; this bnviz reads {SCHEMA_VERSION}: update bnviz.")
    return Settings().replace(**{name: value for name, value in values.items() if name != "schema"})


# --- what is looked at ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """What a visitor looks at in a run; changing it never touches the training.

    Attributes:
        layer: hidden layer, counted from 1 as the paper does.
        unit: unit of that layer, counted from 0; the nearest unit that is kept is shown.
        axis: what is on the x axis of charts over time.
        is_path: drift as path length instead of net displacement.
        is_standardised: drift divided by the pooled standard deviation; gradients divided by theirs.
    """

    layer: int = 3
    unit: int = 0
    axis: Axis = Axis.STEPS
    is_path: bool = False
    is_standardised: bool = False
    is_gradient_standardised: bool = False

    def within(self, model: ModelConfig) -> "View":
        """The nearest view that this model has."""
        return replace(
            self,
            layer=min(max(self.layer, 1), model.hidden_layers),
            unit=min(max(self.unit, 0), model.width - 1),
        )


VIEW_KEYS: Final = ("layer", "unit", "x")


def view_to_query(view: View) -> dict[str, str]:
    """The view as part of a link: only what differs from the default."""
    query = {"layer": str(view.layer), "unit": str(view.unit), "x": str(view.axis)}
    default = {"layer": str(View.layer), "unit": str(View.unit), "x": str(View.axis)}
    return {key: value for key, value in query.items() if value != default[key]}


def view_from_query(query: Mapping[str, str]) -> tuple[View, list[str]]:
    """The view from a link, and a notice for every value that fell back to its default."""
    rules: dict[str, tuple[str, Number | Choice]] = {
        "layer": ("layer", Number(1, 20, is_integer=True)),
        "unit": ("unit", Number(0, 511, is_integer=True)),
        "x": ("axis", Choice(Axis)),
    }
    values: dict[str, Any] = {}
    notices = []
    for key, (name, domain) in rules.items():
        if key not in query:
            continue
        try:
            values[name] = domain.check(domain.parse(str(query[key])))
        except ValueError:
            shown = str(query[key])[:40]
            notices.append(
                f"The link asks for {key}={shown}, which is not {domain.rule}; the default is shown instead."
            )
    return View(**values), notices
