"""The networks that train in lock-step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from bnviz.config.model import ModelConfig
from bnviz.config.names import Initialization, Lineup, Normalization
from bnviz.config.table import BY_NAME

_OWN_START: Final = ("initialization", "init_scale", "seed")


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

    def starts_from(self, model: ModelConfig) -> ModelConfig:
        """The model of the run with what is this competitor's own: what its initial weights are drawn from."""
        own = {name: getattr(self, name) for name in _OWN_START if getattr(self, name) is not None}
        return replace(model, **own)


PLAIN: Final = Competitor("plain", "without BN", Normalization.NONE)
BN: Final = Competitor("bn", "with BN", Normalization.BATCH)
TWINS: Final = (PLAIN, BN)
NOISY: Final = Competitor("noisy", "noisy BN", Normalization.NOISY_BATCH)
NOISE: Final = Competitor("noise", "noise, no BN", Normalization.NOISE)

LINEUPS: Final[Mapping[Lineup, tuple[Competitor, ...]]] = {
    Lineup.TWINS: TWINS,
    Lineup.NOISY: (*TWINS, NOISY, NOISE),
}


def lineup(model: ModelConfig) -> tuple[Competitor, ...]:
    """The competitors of a run of this model, in their order."""
    return LINEUPS[model.lineup]
