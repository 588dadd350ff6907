"""The runs that show the claims of the paper in the lab: settings out of the very experiment that tests each.

All networks of a run have one learning rate. So a claim that compares each at its best rate shows in one run only where
its finding does at one rate, such as the best without BN; the others take a run for each of the two rates. Which rates,
how many layers and how many images those are, the records say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.config import BN, PLAIN, ClaimRun, Network, Nonlinearity, Settings, SweepCell
from bnviz.figures.best_cells import best_cell, best_of, cells_at, side_of
from bnviz.figures.claims import CLAIMS, Claim
from bnviz.figures.claims_on_accuracy import images_where_dropout_helps
from bnviz.figures.claims_on_rates import MULTIPLES, NEAR, usable_at
from bnviz.records import Run, Sweep

IN_THE_LAB: Final = "In the lab"
WITH_BN: Final = "Lab: best rate with BN"
WITHOUT_BN: Final = "Lab: best rate without"


@dataclass(frozen=True)
class LabRun:
    """A run of the lab that shows a claim.

    Attributes:
        name: in a link.
        label: of the button that opens it.
    """

    name: ClaimRun
    label: str
    settings: Settings


def lab_runs(name: str, runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """Of a claim, by the records that test it; none where those decide nothing."""
    claim: Claim = CLAIMS[name]
    return _RUNS[name](runs) if claim.judge(*runs).size else ()


def _sweeps(runs: Sequence[Run]) -> list[Sweep]:
    return [run.sweep for run in runs if run.sweep is not None]


def _settings(sweep: Sweep, place: tuple[int, int]) -> Settings:
    """The first of a cell's seeds."""
    return sweep.config.settings_of(SweepCell(*place, 0))


def _one(name: ClaimRun, settings: Settings) -> tuple[LabRun, ...]:
    return (LabRun(name, IN_THE_LAB, settings),)


def _faster(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """Sigmoids where they end best without BN, so that no rate that suits BN alone makes the difference."""
    scale, _ = _sweeps(runs)
    return _one(ClaimRun.FASTER, _settings(scale, best_cell(scale, PLAIN.name, scale.config.places)))


def _higher_rates(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """ReLUs at the highest multiple of the best rate without BN that they bear with BN alone; none if there is none."""
    (sweep,) = _sweeps(runs)
    kind = Nonlinearity.RELU
    places = cells_at(sweep, "nonlinearity", kind)
    best = _settings(sweep, best_cell(sweep, PLAIN.name, places)).hyper.learning_rate
    for multiple in reversed(MULTIPLES):
        bn, plain = (usable_at(sweep, name, multiple).get(kind, False) for name in (BN.name, PLAIN.name))
        near = [
            place for place in places if 1 / NEAR < _settings(sweep, place).hyper.learning_rate / best / multiple < NEAR
        ]
        if bn and not plain and near:
            return _one(ClaimRun.HIGHER_RATES, _settings(sweep, near[0]))
    return ()


def _less_care(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The initial scale that suits the network without BN worst, at the rate that suits it best there."""
    (scale,) = _sweeps(runs)
    axis, _ = side_of(scale, "init_scale")
    rows = [cells_at(scale, "init_scale", value) for value in axis.values]
    worst = min(rows, key=lambda places: float(np.median(best_of(scale, PLAIN.name, places))))
    return _one(ClaimRun.LESS_CARE, _settings(scale, best_cell(scale, PLAIN.name, worst)))


def _saturating(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The depth at which the two differ most, at the rate that suits the better one."""
    _, depth = _sweeps(runs)
    places = _widest_gap(depth, "hidden_layers")
    best = max((BN.name, PLAIN.name), key=lambda name: float(np.median(best_of(depth, name, places))))
    return _one(ClaimRun.SATURATING, _settings(depth, best_cell(depth, best, places)))


def _regularizes(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The number of images on which the two differ most, at the best rate of either."""
    (sweep,) = _sweeps(runs)
    places = _widest_gap(sweep, "training_images")
    bn, plain = (
        _settings(sweep, best_cell(sweep, name, places)).replace(networks=(Network.NONE, Network.BATCH))
        for name in (BN.name, PLAIN.name)
    )
    return (
        LabRun(ClaimRun.REGULARIZES, WITH_BN, bn),
        LabRun(ClaimRun.REGULARIZES_PLAIN, WITHOUT_BN, plain),
    )


def _widest_gap(sweep: Sweep, setting: str) -> Sequence[tuple[int, int]]:
    """The cells at the value of a side at which the networks, each at its best, differ most."""
    axis, _ = side_of(sweep, setting)

    def gap(places: Sequence[tuple[int, int]]) -> float:
        bn, plain = (float(np.median(best_of(sweep, name, places))) for name in (BN.name, PLAIN.name))
        return abs(bn - plain)

    return max((cells_at(sweep, setting, value) for value in axis.values), key=gap)


def _less_dropout(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The images of the verdict: the networks with BN alone at their best rate, and those without at theirs."""
    (sweep,) = _sweeps(runs)
    places = cells_at(sweep, "training_images", images_where_dropout_helps(sweep)[0])
    bn, plain = (_settings(sweep, best_cell(sweep, name, places)) for name in (BN.name, PLAIN.name))
    return (
        LabRun(ClaimRun.LESS_DROPOUT, WITH_BN, bn.replace(networks=(Network.BATCH, Network.BATCH_DROPOUT))),
        LabRun(ClaimRun.LESS_DROPOUT_PLAIN, WITHOUT_BN, plain.replace(networks=(Network.NONE, Network.DROPOUT))),
    )


def _scale_free(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The very run that is recorded."""
    return _one(ClaimRun.SCALE_FREE, runs[0].settings)


def _less_shift(runs: Sequence[Run]) -> tuple[LabRun, ...]:
    """The run that is recorded, without its networks with noise."""
    return _one(ClaimRun.LESS_SHIFT, runs[0].settings.replace(networks=(Network.NONE, Network.BATCH)))


_RUNS: Final[Mapping[str, Callable[[Sequence[Run]], tuple[LabRun, ...]]]] = {
    "faster": _faster,
    "higher-rates": _higher_rates,
    "less-care": _less_care,
    "saturating": _saturating,
    "regularizes": _regularizes,
    "less-dropout": _less_dropout,
    "scale-free": _scale_free,
    "less-shift": _less_shift,
}
