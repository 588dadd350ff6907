"""What a loss landscape shows: its plane, its grid, the images it is measured on, and what BN does there."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from bnviz.config.competitors import BN, COMPETITORS, PLAIN
from bnviz.config.model import ModelConfig, whitening_milliseconds
from bnviz.config.names import Directions, Statistics
from bnviz.config.table import Choice, Number, Setting, changed_to_query, check_fields, values_from_query
from bnviz.errors import ConfigError

NOW: Final = -1  # a point's step: the present one
EARLIER: Final = "earlier-"  # before the name of a network of the run before this one
CUT_POINTS: Final = 61
MOST_LANDSCAPE_SECONDS: Final = 60.0
MOST_GRADIENT_MAPS: Final = 512  # images of a convolutional network's gradient: it needs all values at all positions
_NETWORKS: Final = tuple(competitor.name for competitor in COMPETITORS.values())

# fmt: off
LANDSCAPE_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("directions", "plane", "Plane", False, Choice(Directions),
            "The two directions through weight space that the picture shows: a 2-D slice."),
    Setting("statistics", "stats", "BN statistics", False, Choice(Statistics),
            "The mean and variance that BN takes on the plane: those of the images, or the running ones. Networks "
            "that take none over images look the same with either."),
    Setting("resolution", "res", "Resolution", False,
            Number(11, 101, (11, 17, 25, 33, 41, 49, 65, 81, 101), is_integer=True),
            "Grid points a side."),
    Setting("span", "span", "Span", False, Number(0.05, 20, (0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20)),
            "1 reaches as far as the weights are long, or as the path and a margin; 2 twice as far."),
    Setting("images", "pimages", "Images a batch", False,
            Number(2, 2000, (2, 10, 60, 128, 256, 512, 1000, 2000), is_integer=True),
            "Training images in each batch that the loss is measured on."),
    Setting("batches", "batches", "Batches", False, Number(1, 8, (1, 2, 4, 8), is_integer=True),
            "Batches that are measured, each with a surface of its own."),
    Setting("seed", "pseed", "Directions' seed", False, Number(0, 999_999, is_integer=True),
            "Draws the random directions."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in LANDSCAPE_SETTINGS}
_POINT_KEYS: Final = ("pa", "pb", "pc")
LANDSCAPE_KEYS: Final = (*(setting.key for setting in LANDSCAPE_SETTINGS), *_POINT_KEYS)


@dataclass(frozen=True)
class WeightPoint:
    """The weights of one network at one step.

    Attributes:
        network: a competitor's name.
        step: the nearest one whose weights are kept is meant; NOW is the present one, or the last of an earlier run.
        is_earlier: of the run before this one.
    """

    network: str
    step: int = NOW
    is_earlier: bool = False

    def __str__(self) -> str:
        """Such as "bn@240", "plain@now" or "earlier-bn@now"."""
        return f"{EARLIER if self.is_earlier else ''}{self.network}@{'now' if self.step == NOW else self.step}"

    @classmethod
    def parse(cls, text: str) -> "WeightPoint":
        """The point that `str` wrote; `ConfigError` for anything else."""
        name, _, step = text.removeprefix(EARLIER).partition("@")
        is_step = step == "now" or (step.isascii() and step.isdecimal() and len(step) <= 9)
        if name not in _NETWORKS or not is_step:
            raise ConfigError(
                f"{text[:40]!r} is no point of a path: write a network and a step, such as plain@0, bn@240 or bn@now."
            )
        return cls(name, NOW if step == "now" else int(step), text.startswith(EARLIER))


@dataclass(frozen=True)
class LandscapeConfig:
    """One printable value that says what a loss landscape shows.

    Attributes:
        points: those that the plane of `Directions.POINTS` goes through.

    Raises:
        ConfigError: a value out of its bounds; the text names value, rule and remedy.
    """

    directions: Directions = Directions.PATHS
    statistics: Statistics = Statistics.BATCH
    resolution: int = 33  # 32 intervals: what is there first, at every eighth point, reaches from edge to edge
    span: float = 1.0
    images: int = 512
    batches: int = 2
    seed: int = 0
    points: tuple[WeightPoint, ...] = (
        WeightPoint(PLAIN.name, 0),
        WeightPoint(PLAIN.name),
        WeightPoint(BN.name),
    )

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        object.__setattr__(self, "points", tuple(WeightPoint.parse(str(point)) for point in self.points))
        if len(self.points) != len(_POINT_KEYS):
            raise ConfigError(f"{len(self.points)} points do not make a plane: choose 3.")

    def replace(self, **changes: Any) -> "LandscapeConfig":
        return replace(self, **changes)


def landscape_seconds(config: LandscapeConfig, model: ModelConfig, networks: int = 2) -> float:
    """Estimated time of a whole picture, on one CPU thread that trains nothing else, in s.

    On the safe side: 1.0 to 1.9 times the processor time at widths 10 to 512, 1 to 20 layers and 2 to 2,000 images,
    where it is more than half a second.
    """
    points = (config.resolution**2 + 2 * CUT_POINTS) * config.batches
    later = model.layers[1:]  # the first layer's products are computed once
    weights = sum(layer.weights for layer in later)
    products = sum(layer.weights * layer.positions for layer in later)
    values = sum(layer.positions * layer.n_out for layer in model.layers[:-1])
    one_value = 5.5e-9 if model.is_convolutional else 1.1e-9  # maps do not stay in a processor's cache
    one_image = 2.1e-11 * products + one_value * values
    whitening = 0.7e-3 * points * whitening_milliseconds(model, config.images)
    return 1.3 * points * networks * (config.images * one_image + 2.2e-9 * weights + 3e-6) + whitening


def check_landscape(config: LandscapeConfig, model: ModelConfig, networks: int = 2) -> None:
    """`ConfigError` where the picture of such networks would take too long."""
    if model.is_convolutional and config.directions is Directions.GRADIENT and config.images > MOST_GRADIENT_MAPS:
        raise ConfigError(
            f"The gradient of convolutional networks on {config.images:,} images a batch needs too much memory: choose "
            f"at most {MOST_GRADIENT_MAPS} images, or another plane."
        )
    seconds = landscape_seconds(config, model, networks)
    if seconds > MOST_LANDSCAPE_SECONDS:
        rows = config.images * config.batches
        raise ConfigError(
            f"{config.resolution} x {config.resolution} points on {rows:,} images of networks with "
            f"{model.hidden_layers} {model.hidden} of {model.width} would take about {seconds:,.0f} s, more than "
            f"{MOST_LANDSCAPE_SECONDS:.0f}: choose a lower resolution, or fewer batches or images."
        )


def landscape_to_query(config: LandscapeConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    default = LandscapeConfig()
    query = changed_to_query(LANDSCAPE_SETTINGS, config, default)
    if config.points != default.points:
        query |= dict(zip(_POINT_KEYS, map(str, config.points), strict=True))
    return query


def landscape_from_query(query: Mapping[str, str]) -> tuple[LandscapeConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    values, notices = values_from_query(LANDSCAPE_SETTINGS, query)
    points = list(LandscapeConfig().points)
    for index, key in enumerate(_POINT_KEYS):
        if key in query:
            try:
                points[index] = WeightPoint.parse(str(query[key]))
            except ConfigError as error:
                notices.append(f"{error.text} The default is shown instead.")
    return LandscapeConfig(**values, points=tuple(points)), notices


def landscape_to_json(config: LandscapeConfig) -> dict[str, Any]:
    """As JSON values."""
    return {one.name: getattr(config, one.name) for one in fields(config)} | {"points": list(map(str, config.points))}


def landscape_from_json(values: Mapping[str, Any]) -> LandscapeConfig:
    """From `landscape_to_json`."""
    points = tuple(WeightPoint.parse(point) for point in values["points"])
    return LandscapeConfig(**{name: value for name, value in values.items() if name != "points"}, points=points)
