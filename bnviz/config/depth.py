"""What defines the deep networks whose gradients are compared: plain and residual, without BN and with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from bnviz.config.names import Connections, Initialization, Nonlinearity
from bnviz.config.table import Setting, changed_to_query, check_fields
from bnviz.config.untrained import UNTRAINED_SETTINGS, UntrainedConfig, check_seconds, network_from_query

MOST_DEPTH_SECONDS: Final = 20.0
DEPTH_SETTINGS: Final[tuple[Setting, ...]] = tuple(
    replace(one, key=f"depth-{one.key}") for one in UNTRAINED_SETTINGS if one.name != "connections"
)
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in DEPTH_SETTINGS}


@dataclass(frozen=True)
class DepthConfig:
    """One printable value that reproduces what is measured of four untrained networks.

    Raises:
        ConfigError: a value out of its bounds, or a product that takes too long; the text names the cost.
    """

    depth: int = 30
    width: int = 256
    nonlinearity: Nonlinearity = Nonlinearity.RELU
    initialization: Initialization = Initialization.HE
    init_scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        check_seconds(self.depth, self.width, depth_seconds(self), MOST_DEPTH_SECONDS)

    def network(self, connections: Connections) -> UntrainedConfig:
        """The same network, with its layers joined so."""
        return UntrainedConfig(
            connections, self.depth, self.width, self.nonlinearity, self.initialization, self.init_scale, self.seed
        )


def depth_seconds(config: DepthConfig) -> float:
    """Estimated time of everything that is measured, on one CPU thread that trains nothing else, in s."""
    weights = sum(layer.weights for layer in config.network(Connections.PLAIN).layers)
    return (4e-7 + 1.5e-10 * config.width) * weights + 6e-3 * (config.depth + 1)


def depth_to_query(config: DepthConfig) -> dict[str, str]:
    """As part of a link: only what differs from the default."""
    return changed_to_query(DEPTH_SETTINGS, config, DepthConfig())


def depth_from_query(query: Mapping[str, str]) -> tuple[DepthConfig, list[str]]:
    """From a link, and a notice for every value that fell back to its default."""
    return network_from_query(DepthConfig, DEPTH_SETTINGS, query)
