"""Sweeps: a map of short runs over two settings, every cell from several seeds, and what it may cost."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bnviz.config.competitors import WITH_DROPOUT, Competitor, lineup, networks_of
from bnviz.config.links import from_json as settings_from_json
from bnviz.config.links import from_query as settings_from_query
from bnviz.config.links import to_json as settings_to_json
from bnviz.config.links import to_query as settings_to_query
from bnviz.config.names import Initialization, Nonlinearity
from bnviz.config.settings import Settings, step_milliseconds
from bnviz.config.table import BY_KEY, BY_NAME, Choice, Number, Setting, check_fields, text_of
from bnviz.errors import ConfigError

SWEEP_SCHEMA_VERSION: Final = 1
SWEEPABLE: Final = (
    "learning_rate", "init_scale", "batch_size", "hidden_layers", "width", "nonlinearity", "training_images",
)  # fmt: skip
MOST_VALUES: Final = 12  # of an axis
MOST_SWEEP_SECONDS: Final = 3600.0
NETWORKS_AT_ONCE: Final = 8  # in one computation: on a CPU more of them are no faster, and cells come in more rarely
MOST_BATCH_SECONDS: Final = 10.0  # estimated: what is lost where a batch is stopped half way
WITHIN_A_BATCH: Final = ("learning_rate", "init_scale")  # in which the cells of one computation may differ
BATCHED_SHARE: Final = 0.6  # of the estimate for a step, where several cells are computed at once
ACCURACY_SECONDS: Final = 0.05  # of one network, at all moments of a run and at its end
_SEEDS: Final = 1_000_000  # of which a run has one
_STEPS: Final = (50, 100, 200, 250, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)

# fmt: off
SWEEP_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("steps", "sweep-steps", "Steps", False, Number(10, 5000, _STEPS, is_integer=True),
            "Of every run."),
    Setting("seeds", "sweep-seeds", "Seeds", False, Number(1, 10, tuple(range(1, 11)), is_integer=True),
            "How often every cell is run, each time from other weights and with other mini-batches."),
)
# fmt: on
AXIS_KEYS: Final[Mapping[str, str]] = {"y": "sweep-y", "x": "sweep-x"}  # of a link, by the field of `SweepConfig`
SWEEP_KEYS: Final = (*AXIS_KEYS.values(), *(one.key for one in SWEEP_SETTINGS))
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SWEEP_SETTINGS}


@dataclass(frozen=True)
class SweepAxis:
    """One side of the map: a setting and the values that it takes there, ascending, names in their usual order.

    Raises:
        ConfigError: a setting that cannot be swept, too many values, one twice, or one out of the setting's own bounds.
    """

    setting: str  # one of SWEEPABLE
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.setting not in SWEEPABLE:
            raise ConfigError(f"{self.setting!r:.40} cannot be swept: choose from {', '.join(SWEEPABLE)}.")
        row = BY_NAME[self.setting]
        if not isinstance(self.values, tuple | list):
            raise ConfigError(f"{row.label} in a sweep has a list of values, not {self.values!r:.40}.")
        given = self.values
        if not 1 <= len(given) <= MOST_VALUES:
            count = "none" if not given else f"more than {MOST_VALUES}"
            raise ConfigError(f"{row.label} has {count} of the values of a sweep: choose 1 to {MOST_VALUES}.")
        checked = [row.check(one) for one in given]
        if len(set(checked)) < len(checked):
            raise ConfigError(f"{row.label} has a value twice in this sweep: name each once.")
        if isinstance(row.domain, Choice):
            object.__setattr__(self, "values", tuple(one for one in row.domain.kind if one in checked))
        else:
            object.__setattr__(self, "values", tuple(sorted(checked)))

    @property
    def label(self) -> str:
        return BY_NAME[self.setting].label

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class SweepCell:
    """One run of a sweep: where it stands on the map, and which of its seeds; all counted from 0."""

    row: int
    column: int
    seed: int


RATES: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SCALES: Final = (0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class SweepConfig:
    """One printable value that reproduces a sweep.

    Every cell is an ordinary run of the lab, `settings_of` says which: all its networks share initial weights and
    mini-batches, which the seed draws, the same seeds in every cell. Cells of one seed and one shape see the same
    mini-batches, so that several may train as one computation, each bit for bit as it would alone; see `batches`.

    Attributes:
        y, x: the two sides of the map: rows and columns.
        base: what the axes do not change, with the networks that are compared; its seed is the first one's.
        steps: of every run.
        seeds: how many of a cell.

    Raises:
        ConfigError: a value out of its bounds, a cell that the lab would refuse, or a product that takes too long; the
            text names the cell or the cost.
    """

    y: SweepAxis = field(default_factory=lambda: SweepAxis("init_scale", SCALES))
    x: SweepAxis = field(default_factory=lambda: SweepAxis("learning_rate", RATES))
    base: Settings = field(default_factory=Settings)
    steps: int = 1000
    seeds: int = 3

    def __post_init__(self) -> None:
        check_fields(self, _BY_NAME)
        if self.x.setting == self.y.setting:
            raise ConfigError(f"Both sides of this map are {self.x.label.lower()}: choose another setting for one.")
        for row, column in self.places:
            try:
                self.settings_of(SweepCell(row, column, 0))
            except ConfigError as error:
                raise ConfigError(f"The cell {self.label(row, column)} is not possible. {error.text}") from None
        seconds = sweep_seconds(self)
        if seconds > MOST_SWEEP_SECONDS:
            raise ConfigError(
                f"{len(self.places)} cells with {self.seeds} seeds of {self.steps:,} steps would take a processor core "
                f"about {seconds / 60:.0f} minutes, more than {MOST_SWEEP_SECONDS / 60:.0f}: choose fewer values, "
                "seeds or steps, or smaller networks."
            )

    @property
    def competitors(self) -> tuple[Competitor, ...]:
        """The networks that are compared in every cell."""
        return lineup(self.base.model)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Row and column of every cell, row by row."""
        return list(itertools.product(range(len(self.y)), range(len(self.x))))

    @property
    def cells(self) -> list[SweepCell]:
        """All runs: the whole map from the first seed, then from the second, and so on."""
        return [SweepCell(row, column, seed) for seed in range(self.seeds) for row, column in self.places]

    def __contains__(self, cell: SweepCell) -> bool:
        return 0 <= cell.row < len(self.y) and 0 <= cell.column < len(self.x) and 0 <= cell.seed < self.seeds

    def settings_of(self, cell: SweepCell) -> Settings:
        """The run that this cell is: the lab comes to the same result with it."""
        seed = (self.base.model.seed + cell.seed) % _SEEDS
        values = {self.y.setting: self.y.values[cell.row], self.x.setting: self.x.values[cell.column]}
        return self.base.replace(seed=seed, **values)

    def label(self, row: int, column: int) -> str:
        """Such as "learning rate 0.1, initial scale 0.3"."""
        axes = ((self.x, column), (self.y, row))
        return ", ".join(f"{axis.label.lower()} {text_of(axis.values[place])}" for axis, place in axes)


def batches(
    config: SweepConfig, cells: Iterable[SweepCell], networks_at_once: int = NETWORKS_AT_ONCE
) -> Iterator[tuple[SweepCell, ...]]:
    """These cells in their order, those together that may train as one computation, no more than pays.

    They differ in learning rate and initial scale alone: same seed, hence same mini-batches, and same shape. Few enough
    that cells come in every few seconds.
    """
    alike: dict[Settings, list[SweepCell]] = {}
    for cell in cells:
        alike.setdefault(_in_common(config, cell), []).append(cell)
    for common, members in alike.items():
        in_time = MOST_BATCH_SECONDS // run_seconds(common, config.steps)
        together = int(min(networks_at_once // len(config.competitors), in_time))
        yield from _chunks(members, max(together, 1))


def _in_common(config: SweepConfig, cell: SweepCell) -> Settings:
    """What the cells of one computation share, the seed included."""
    return config.settings_of(cell).replace(**{name: config.base.get(name) for name in WITHIN_A_BATCH})


def _chunks(members: Sequence[SweepCell], most: int) -> Iterator[tuple[SweepCell, ...]]:
    """In parts of nearly equal size."""
    count = -(-len(members) // most)
    for part in range(count):
        yield tuple(members[part * len(members) // count : (part + 1) * len(members) // count])


# --- cost -------------------------------------------------------------------------------------------------------------


def sweep_seconds(config: SweepConfig) -> float:
    """Estimated time of all runs on one CPU thread that trains nothing else, in s: so many workers, so much less."""
    one_seed = (
        run_seconds(config.settings_of(SweepCell(row, column, 0)), config.steps) for row, column in config.places
    )
    return config.seeds * sum(one_seed)


def run_seconds(settings: Settings, steps: int) -> float:
    """The same of one cell from one seed: its steps, and its accuracies."""
    networks = len(lineup(settings.model))
    return BATCHED_SHARE * 1e-3 * steps * step_milliseconds(settings) + ACCURACY_SECONDS * networks


# --- presets ----------------------------------------------------------------------------------------------------------

RATE_AND_SCALE: Final = SweepConfig()
"""Ioffe & Szegedy 2015: BN allows higher learning rates, and less care about the initialization."""

RATE_AND_NONLINEARITY: Final = SweepConfig(
    y=SweepAxis("nonlinearity", tuple(Nonlinearity)),
    base=Settings().replace(initialization=Initialization.GLOROT, init_scale=1.0),
)
"""The same: BN makes saturating nonlinearities usable."""

RATE_AND_BATCH_SIZE: Final = SweepConfig(
    y=SweepAxis("batch_size", (2, 4, 8, 16, 32, 60, 128, 256)),
    base=Settings().replace(nonlinearity=Nonlinearity.RELU, initialization=Initialization.HE, init_scale=1.0),
    steps=500,
)
"""BN's mean and variance need a large enough batch; larger batches bear larger rates (Bjorck et al. 2018)."""

RATE_AND_DEPTH: Final = SweepConfig(
    y=SweepAxis("hidden_layers", (1, 2, 3, 5, 7, 10)),
    base=Settings().replace(initialization=Initialization.GLOROT, init_scale=1.0),
)
"""The same of deep networks of sigmoids, where saturation does the most harm."""

RATE_AND_TRAINING_IMAGES: Final = SweepConfig(
    y=SweepAxis("training_images", (500, 2000, 10_000, 60_000)),
    x=SweepAxis("learning_rate", (0.03, 0.1, 0.3, 1.0, 3.0)),
    base=Settings().replace(
        nonlinearity=Nonlinearity.RELU,
        initialization=Initialization.HE,
        init_scale=1.0,
        networks=networks_of(WITH_DROPOUT),
        dropout=0.2,  # one half takes too much from 100 units: with few images too, all do worse with it
    ),
    steps=2000,
)
"""The same: BN regularizes, and dropout is needed less with it."""

SWEEPS: Final[Mapping[str, SweepConfig]] = {
    "rate_and_scale": RATE_AND_SCALE,
    "rate_and_nonlinearity": RATE_AND_NONLINEARITY,
    "rate_and_depth": RATE_AND_DEPTH,
    "rate_and_training_images": RATE_AND_TRAINING_IMAGES,
    "rate_and_batch_size": RATE_AND_BATCH_SIZE,
}
"""The presets; the first is what the page shows at first."""


# --- links and files --------------------------------------------------------------------------------------------------


def sweep_to_query(config: SweepConfig) -> dict[str, str]:
    """The sweep as the query of a link: all of it, so that new defaults never change an old link."""
    own = {one.key: text_of(getattr(config, one.name)) for one in SWEEP_SETTINGS}
    axes = {key: _axis_text(getattr(config, name)) for name, key in AXIS_KEYS.items()}
    return settings_to_query(config.base) | axes | own


def _axis_text(axis: SweepAxis) -> str:
    """Such as "lr:0.01,0.1,1"."""
    return f"{BY_NAME[axis.setting].key}:{','.join(text_of(one) for one in axis.values)}"


def sweep_from_query(query: Mapping[str, str], start: SweepConfig = RATE_AND_SCALE) -> tuple[SweepConfig, list[str]]:
    """A sweep from a link, and a notice for every value that fell back to that of `start`."""
    base, notices = settings_from_query(query, start.base)
    values: dict[str, Any] = {}
    for one in SWEEP_SETTINGS:
        if one.key in query:
            try:
                values[one.name] = one.check(one.domain.parse(str(query[one.key])))
            except (ValueError, ConfigError):
                notices.append(_notice(one.key, query[one.key], one.domain.rule, one.label))
    for name, key in AXIS_KEYS.items():
        if key in query:
            try:
                values[name] = _axis_from(str(query[key]))
            except (ValueError, ConfigError):
                rule = f"a setting and 1 to {MOST_VALUES} values of it, such as lr:0.01,0.1,1"
                notices.append(_notice(key, query[key], rule, f"this side of the map, {getattr(start, name).label},"))
    return _nearest(start, base, values, notices)


def _nearest(
    start: SweepConfig, base: Settings, values: Mapping[str, Any], notices: list[str]
) -> tuple[SweepConfig, list[str]]:
    """What a link asks for; where that does not go together, without its map, and without its networks if need be."""
    try:
        return replace(start, base=base, **values), notices
    except ConfigError as error:
        text = error.text
    try:
        return replace(start, base=base), [*notices, f"{text} The link's map fell back to its defaults."]
    except ConfigError:
        return start, [*notices, f"{text} The link's map and networks fell back to their defaults."]


def _notice(key: str, text: Any, rule: str, label: str) -> str:
    shown = str(text) if len(str(text)) <= 40 else str(text)[:40] + "…"
    return f"The link asks for {key}={shown}, which is not {rule}; {label.lower()} has its default instead."


def _axis_from(text: str) -> SweepAxis:
    key, colon, rest = text.partition(":")
    if not colon or key not in BY_KEY:
        raise ValueError("names no setting")
    row = BY_KEY[key]
    if not isinstance(row.domain, Number | Choice):
        raise ValueError("cannot be swept")
    return SweepAxis(row.name, tuple(row.domain.parse(one) for one in rest.split(",", MOST_VALUES + 1)))


def sweep_to_json(config: SweepConfig) -> dict[str, Any]:
    """The sweep as JSON values, with the schema's version."""
    axes = {
        name: {"setting": axis.setting, "values": list(axis.values)}
        for name, axis in (("y", config.y), ("x", config.x))
    }
    own = {one.name: getattr(config, one.name) for one in SWEEP_SETTINGS}
    return {"schema": SWEEP_SCHEMA_VERSION, "base": settings_to_json(config.base)} | axes | own


def sweep_from_json(values: Mapping[str, Any]) -> SweepConfig:
    """A sweep from `sweep_to_json`; unlike a link, a file that asks for the impossible is refused."""
    if not isinstance(values, Mapping):
        raise ConfigError("A sweep is an object of JSON, with its axes, base, steps and seeds.")
    if (version := values.get("schema")) != SWEEP_SCHEMA_VERSION:
        raise ConfigError(
            f"This sweep has schema {version!r:.40}; this bnviz reads {SWEEP_SCHEMA_VERSION}: update bnviz."
        )
    try:
        y, x = (SweepAxis(values[name]["setting"], values[name]["values"]) for name in AXIS_KEYS)
        return SweepConfig(y, x, settings_from_json(values["base"]), values["steps"], values["seeds"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"This sweep is not whole ({error}): start it again from the page.") from None
