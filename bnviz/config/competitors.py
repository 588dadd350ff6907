"""The networks that train in lock-step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bnviz.config.model import ModelConfig
from bnviz.config.names import Initialization, Normalization
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
LAYER: Final = Competitor("layer", "LayerNorm", Normalization.LAYER)
GROUP: Final = Competitor("group", "GroupNorm", Normalization.GROUP)
WEIGHT: Final = Competitor("weight", "WeightNorm", Normalization.WEIGHT)
RENORM: Final = Competitor("renorm", "Batch Renorm", Normalization.RENORMALIZATION)
DECORRELATED: Final = Competitor("decorrelated", "decorrelated BN", Normalization.DECORRELATED)
NOISY: Final = Competitor("noisy", "noisy BN", Normalization.NOISY_BATCH)
NOISE: Final = Competitor("noise", "noise, no BN", Normalization.NOISE)
WITH_NOISE: Final = (*TWINS, NOISY, NOISE)  # the four of Santurkar et al. 2018, Appendix A

COMPETITORS: Final[Mapping[Normalization, Competitor]] = {
    one.normalization: one for one in (*TWINS, LAYER, GROUP, WEIGHT, RENORM, DECORRELATED, NOISY, NOISE)
}


def networks_of(competitors: Iterable[Competitor]) -> tuple[Normalization, ...]:
    """What a model says of its networks where these are its competitors."""
    return tuple(one.normalization for one in competitors)


def lineup(model: ModelConfig) -> tuple[Competitor, ...]:
    """The competitors of a run of this model, in their order."""
    return tuple(COMPETITORS[normalization] for normalization in model.networks)
