"""What defines a pair of untrained networks, as deep as the visitor likes: they are measured, never trained."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from bnviz.config.architecture import WeightLayer, weight_layers
from bnviz.config.model import default_init_scale
from bnviz.config.names import Architecture, Connections, Initialization, Nonlinearity
from bnviz.config.table import (
    MANTISSAS,
    WIDTHS,
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

C = TypeVar("C")

MOST_UNTRAINED_SECONDS: Final = 20.0
MOST_JACOBIAN_LAYERS: Final = 16
JACOBIAN_IMAGES: Final = 4  # that the Jacobian of a layer is taken at
_DEPTHS: Final = (*range(1, 21), 25, 30, 40, 50, 60, 70, 80, 90, 100)

# fmt: off
UNTRAINED_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("connections", "connections", "Connections", False, Choice(Connections),
            "plain: each layer sees the one before. residual: each layer adds to what the one before has passed on."),
    Setting("depth", "depth", "Depth", False, Number(1, 100, _DEPTHS, is_integer=True),
            "Hidden layers between the image and the ten outputs."),
    Setting("width", "uwidth", "Width", False, Number(10, 512, WIDTHS, is_integer=True),
            "Units in each hidden layer."),
    Setting("nonlinearity", "ug", "Nonlinearity", False, Choice(Nonlinearity),
            "The function g after each hidden layer."),
    Setting("initialization", "uinit", "Initialization", False, Choice(Initialization),
            "The distribution that the weights are drawn from, the same for both networks."),
    Setting("init_scale", "uscale", "Initial scale", False, Number(0.01, 10, log_grid(0.01, 10, MANTISSAS)),
            "Gaussian: the standard deviation of the weights. Other schemes: a factor on theirs."),
    Setting("seed", "useed", "Seed", False, Number(0, 999_999, is_integer=True),
            "Draws the weights."),
)
# fmt: on
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in UNTRAINED_SETTINGS}


@dataclass(frozen=True)
class UntrainedConfig:
    """One printable value that reproduces what is measured of two untrained networks.

    Raises:
        ConfigError: a value out of its bounds, or a product that takes too long; the text names the cost.
    """

    connections: Connections = Connections.PLAIN
    depth: int = 20
    width: int = 100
    nonlinearity: Nonlinearity = Nonlinearity.RELU
    initialization: Initialization = Initialization.HE
    init_scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        check_seconds(self.depth, self.width, untrained_seconds(self), MOST_UNTRAINED_SECONDS)

    @property
    def layers(self) -> tuple[WeightLayer, ...]:
        """Every weight layer, that of the output last: [depth + 1]."""
        return weight_layers(Architecture.FULLY_CONNECTED, self.depth, self.width)


def check_seconds(depth: int, width: int, seconds: float, most: float) -> None:
    """Refuse networks that would take too long to measure."""
    if seconds > most:
        raise ConfigError(
            f"{depth} layers of {width} would take about {seconds:.0f} s to measure, more than {most:.0f}: choose "
            "fewer layers or a smaller width."
        )


def untrained_seconds(config: UntrainedConfig) -> float:
    """Estimated time of everything that is measured, on one CPU thread that trains nothing else, in s."""
    return sum(untrained_parts(config))


def untrained_parts(config: UntrainedConfig) -> tuple[float, float, float, float, float]:
    """The same for drawing the weights, activations, gradients, Jacobians and relative losses, in s.

    On the safe side: 1.2 to 2.2 times the processor time of one thread at depths 1 to 100 and widths 32 to 512.
    """
    n, layers = config.width, config.depth + 1
    weights = sum(layer.weights for layer in config.layers)
    one_pass = 6.5e-9 * weights + 1.4e-4 * layers  # forward through one network
    one_svd = 1.5e-10 * n**3 + 5.5e-8 * n**2 + 1.5e-4
    jacobian_layers = min(config.depth - 1, MOST_JACOBIAN_LAYERS)
    return (
        (2e-8 + 1e-10 * n) * weights,  # the term in n is the orthogonal scheme's
        2 * (one_pass + 2e-4 * layers),
        1.6e-7 * weights + 1.1e-3 * layers,  # sorting for the histograms takes most of it
        2 * jacobian_layers * JACOBIAN_IMAGES * one_svd,
        2 * 37 * one_pass,  # at 37 step sizes
    )


def untrained_to_query(config: UntrainedConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(UNTRAINED_SETTINGS, config, UntrainedConfig())


def untrained_from_query(query: Mapping[str, str]) -> tuple[UntrainedConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    return network_from_query(UntrainedConfig, UNTRAINED_SETTINGS, query)


def network_from_query(
    build: Callable[..., C], settings: Iterable[Setting], query: Mapping[str, str]
) -> tuple[C, list[str]]:
    """The same of anything with the sizes and weights of untrained networks."""
    values, notices = values_from_query(settings, query)
    if "initialization" in values and "init_scale" not in values:
        values["init_scale"] = default_init_scale(values["initialization"])
    return built_from_query(build, values, notices, ("depth", "width"), "sizes")
