"""The networks that train in lock-step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bnviz.config.model import ModelConfig
from bnviz.config.names import Initialization, Network, Normalization
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
    has_dropout: bool = False

    def __post_init__(self) -> None:
        for name in ("learning_rate", *_OWN_START):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, BY_NAME[name].check(getattr(self, name)))

    def starts_from(self, model: ModelConfig) -> ModelConfig:
        """The model of the run with what is this competitor's own: what its initial weights are drawn from."""
        own = {name: getattr(self, name) for name in _OWN_START if getattr(self, name) is not None}
        return replace(model, **own)

    @property
    def has_own_start(self) -> bool:
        """Whether its initial weights are not drawn as the run says."""
        return any(getattr(self, name) is not None for name in _OWN_START)


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
DROPOUT: Final = Competitor("dropout", "dropout, no BN", Normalization.NONE, has_dropout=True)
BN_DROPOUT: Final = Competitor("bndropout", "BN and dropout", Normalization.BATCH, has_dropout=True)
WITH_DROPOUT: Final = (*TWINS, DROPOUT, BN_DROPOUT)


def _with_own_start(initialization: Initialization, name: str) -> Competitor:
    """Without BN, from weights of this scheme whatever the run's."""
    own: dict[str, Any] = {"initialization": initialization, "init_scale": 1.0}
    return Competitor(str(initialization), f"{name}, no BN", Normalization.NONE, **own)


LSUV: Final = _with_own_start(Initialization.LSUV, "LSUV")
ORTHOGONAL: Final = _with_own_start(Initialization.ORTHOGONAL, "orthogonal")
HE: Final = _with_own_start(Initialization.HE, "He")
GLOROT: Final = _with_own_start(Initialization.GLOROT, "Glorot")

COMPETITORS: Final[Mapping[Network, Competitor]] = {
    Network.NONE: PLAIN,
    Network.BATCH: BN,
    Network.LAYER: LAYER,
    Network.GROUP: GROUP,
    Network.WEIGHT: WEIGHT,
    Network.RENORMALIZATION: RENORM,
    Network.DECORRELATED: DECORRELATED,
    Network.NOISY_BATCH: NOISY,
    Network.NOISE: NOISE,
    Network.DROPOUT: DROPOUT,
    Network.BATCH_DROPOUT: BN_DROPOUT,
    Network.LSUV: LSUV,
    Network.ORTHOGONAL: ORTHOGONAL,
    Network.HE: HE,
    Network.GLOROT: GLOROT,
}
_NETWORKS: Final[Mapping[str, Network]] = {one.name: network for network, one in COMPETITORS.items()}


def networks_of(competitors: Iterable[Competitor]) -> tuple[Network, ...]:
    """What a model says of its networks where these, each one of `COMPETITORS`, are its competitors."""
    return tuple(_NETWORKS[one.name] for one in competitors)


def lineup(model: ModelConfig) -> tuple[Competitor, ...]:
    """The competitors of a run of this model, in their order."""
    return tuple(COMPETITORS[network] for network in model.networks)


def normalizations_of(model: ModelConfig) -> tuple[Normalization, ...]:
    """What each of these competitors does to its values."""
    return tuple(one.normalization for one in lineup(model))
