"""One value that reproduces a run, and what it may cost."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from bnviz.config.competitors import lineup, normalizations_of
from bnviz.config.model import PROBE_IMAGES, HyperParams, ModelConfig, whitening_milliseconds
from bnviz.config.names import Normalization, Optimizer
from bnviz.config.rules import check_rules
from bnviz.config.table import BY_NAME
from bnviz.errors import ConfigError

MOST_STEP_MILLISECONDS: Final = 50.0
MOST_CHECKPOINT_BYTES: Final = 16_000_000


@dataclass(frozen=True)
class Settings:
    """One printable value that reproduces a run; its products are bounded as well as its parts."""

    model: ModelConfig = field(default_factory=ModelConfig)
    hyper: HyperParams = field(default_factory=HyperParams)

    def __post_init__(self) -> None:
        check_rules(self)
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


# --- cost -------------------------------------------------------------------------------------------------------------


def weight_count(model: ModelConfig) -> int:
    """Numbers in the weight matrices of one competitor."""
    return sum(layer.weights for layer in model.layers)


def values_of(model: ModelConfig) -> int:
    """Numbers that a layer-by-layer pass holds of one image, with the padding of a convolutional network's few maps."""
    if not model.is_convolutional:
        return model.width * model.hidden_layers
    padded = -(-model.width // 32) * 32
    return sum(layer.positions for layer in model.layers[:-1]) * padded


def step_milliseconds(settings: Settings, competitors: int | None = None) -> float:
    """Estimated time of one lock-step of so many competitors, the run's own unless given, on one CPU thread, in ms.

    Three matrix products a weight matrix at 75 GFLOP/s, the elementwise work of a batch, the update of the weights and
    a fixed cost a layer. Calibrated on a 2.5 GHz Xeon, where the twins took 2.4 ms at 3 x 100, batch 60, 20 ms at batch
    1024, 13 ms at 3 x 512, batch 60, and 28 ms at 10 x 200, batch 256; elsewhere it errs on the safe side. Maps do not
    stay in the cache: convolutional twins took 12 ms with 16 maps at batch 60, 20 with 32, 48 with 64, and 60 with 16
    maps at batch 256.
    """
    model, batch = settings.model, settings.hyper.batch_size
    rate, elementwise_ns = (50e6, 19) if model.is_convolutional else (75e6, 12)
    products = 6 * batch * sum(layer.weights * layer.positions for layer in model.layers) / rate
    elementwise = elementwise_ns * batch * values_of(model) / 1e6
    update = weight_count(model) * (4 if model.optimizer is Optimizer.ADAM else 1) / 0.75e6
    count = competitors or len(lineup(model))
    each = products + elementwise + update + 0.12 * (model.hidden_layers + 1)
    return count * each + whitening_milliseconds(model, batch)


def checkpoint_bytes(settings: Settings, competitors: int | None = None) -> int:
    """Size of a checkpoint, all float32: weights, what the optimizer keeps of each, and the last inputs of the probe.

    The inputs of every hidden unit on the probe are what the drift's next step is measured from.
    """
    model = settings.model
    optimizer_state = 2 if model.optimizer is Optimizer.ADAM else int(settings.hyper.momentum > 0)
    inputs = model.hidden_layers * model.width * PROBE_IMAGES
    whitens = Normalization.DECORRELATED in normalizations_of(model)
    covariances = model.hidden_layers * model.width * (model.width // model.groups) * whitens
    networks = competitors or len(lineup(model))
    return 4 * (networks * ((1 + optimizer_state) * weight_count(model) + inputs) + covariances)


def _remembers(settings: Settings) -> bool:
    """Whether the optimizer keeps something of every weight."""
    return settings.model.optimizer is Optimizer.ADAM or settings.hyper.momentum > 0


def _named(settings: Settings) -> str:
    name = "Adam" if settings.model.optimizer is Optimizer.ADAM else "SGD"
    competitors = len(lineup(settings.model))
    return f"{name} and {competitors} networks"


def check_cost(settings: Settings) -> None:
    """Refuse what would be too slow to watch or too large to keep; the text names the cost and a remedy."""
    model, hyper = settings.model, settings.hyper
    shape = f"{model.hidden_layers} {model.hidden} of {model.width} at batch {hyper.batch_size}"
    fewer = ["fewer feature maps"] if model.is_convolutional else ["fewer layers", "a smaller width"]
    milliseconds = step_milliseconds(settings)
    if milliseconds > MOST_STEP_MILLISECONDS:
        raise ConfigError(
            f"{shape} would take about {milliseconds:.0f} ms a step, more than {MOST_STEP_MILLISECONDS:.0f}: "
            f"choose {', '.join(fewer)} or a smaller batch"
            + (
                ", or whiten more groups."
                if whitening_milliseconds(model, hyper.batch_size) > milliseconds / 4
                else "."
            )
        )
    size = checkpoint_bytes(settings)
    if size > MOST_CHECKPOINT_BYTES:
        raise ConfigError(
            f"{shape} with {_named(settings)} would need {size / 1e6:.0f} MB a checkpoint, more than "
            f"{MOST_CHECKPOINT_BYTES / 1e6:.0f}: choose {' or '.join(fewer)}"
            + (", or SGD without momentum." if _remembers(settings) else ".")
        )
