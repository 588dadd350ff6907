"""Comparisons: the twins' paired measurements, in which direction they differ, by how much, and where that turns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, Normalization
from bnviz.figures.numbers import number
from bnviz.figures.words import listed, weight_layer
from bnviz.records import Floats, Run

FEWEST: Final = 5  # paired measurements: fewer decide nothing
AGREEING: Final = 2 / 3  # share of them that must lie on one side
HUGE: Final = 1e6  # a factor beyond this is told as such
ALIKE_FACTOR: Final = 1.1
ALIKE_COSINE: Final = 0.02
FEWEST_IN_PART: Final = 3  # measurements before a turn, and after it
TURNING: Final = 0.8  # share of the measurements that must lie on the side of their part, before a turn and after it
GAIN: Final = 0.1  # by how much that share must exceed the share of the best side without a turn

DRIFT_FIELDS: Final = {"drift-net": "net_displacement", "drift-standardised": "standardised_net_displacement"}
_WITHOUT_LAYERS: Final = ("loss-range", "gradient-change", "beta", "sharpness")


class Direction(StrEnum):
    """The measure of the network with BN, relative to that of the network without."""

    LOWER = "lower"
    HIGHER = "higher"
    ALIKE = "alike"
    MIXED = "mixed"  # it depends on the layer or on the step
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Twins:
    """The two competitors that a verdict compares, by their numbers."""

    plain: int
    bn: int


@dataclass(frozen=True)
class Part:
    """Successive measurements: median of BN ÷ no BN, or of BN minus no BN where `is_difference`."""

    ratio: float
    is_difference: bool = False

    @property
    def direction(self) -> Direction:
        """The side on which the median lies."""
        if self.is_difference:
            is_alike, is_lower = abs(self.ratio) <= ALIKE_COSINE, self.ratio < 0
        else:
            is_alike, is_lower = 1 / ALIKE_FACTOR <= self.ratio <= ALIKE_FACTOR, self.ratio < 1
        return Direction.ALIKE if is_alike else Direction.LOWER if is_lower else Direction.HIGHER


@dataclass(frozen=True)
class Turn:
    """A step up to which the comparison says one thing and after which it says another."""

    step: int
    before: Part
    after: Part


@dataclass(frozen=True)
class Comparison:
    """The paired measurements of one layer, or of the whole network.

    Attributes:
        layer: counted from 1; 0 for the whole network.
        whole: all measurements.
        share: of them that lie on the median's side.
        count: of the measurements that both networks have.
        steps: the first and the last of them.
        turn: where it turns round, if it clearly does.
    """

    layer: int
    whole: Part
    share: float = 0.0
    count: int = 0
    steps: tuple[int, int] = (0, 0)
    turn: Turn | None = None

    @property
    def direction(self) -> Direction:
        if self.count < FEWEST:
            return Direction.UNDECIDED
        is_split = self.whole.direction is not Direction.ALIKE and self.share < AGREEING
        if self.turn is not None and (is_split or self.whole.direction is Direction.ALIKE):
            return Direction.MIXED
        return Direction.UNDECIDED if is_split else self.whole.direction


def twins_of(run: Run) -> Twins | None:
    """The first competitor without and the first with batch normalization that do not differ in anything else."""
    of = run.competitors
    with_bn = [k for k, one in enumerate(of) if one.normalization is Normalization.BATCH]
    without = [k for k, one in enumerate(of) if one.normalization is Normalization.NONE]
    pairs = [Twins(plain, bn) for plain in without for bn in with_bn if _differ_in_bn_alone(of[plain], of[bn])]
    return pairs[0] if pairs else None


def _differ_in_bn_alone(one: Competitor, other: Competitor) -> bool:
    """Whatever they are called."""
    return replace(one, normalization=other.normalization, name=other.name, label=other.label) == other


# --- comparing --------------------------------------------------------------------------------------------------------


def compared(run: Run, measure: str, twins: Twins, layers: Sequence[int] = ()) -> list[Comparison]:
    """The comparison of each of these layers, else of all that the measure has, or of the whole network.

    Not for "speed".
    """
    steps, values = measured(run, measure)
    first = 0 if measure in _WITHOUT_LAYERS else 2 if measure.startswith("ics-") else 1
    columns = values[:, :, max(first - 1, 0) :]
    return [
        _compare(first + at, steps, columns[:, twins.bn, at], columns[:, twins.plain, at], measure == "ics-cosine")
        for at in range(columns.shape[2])
        if not layers or first + at in layers
    ]


def measured(run: Run, measure: str) -> tuple[Floats, Floats]:
    """Steps and values of a measure. [m], [m, k, layers]; a measure of the whole network has one layer."""
    count = len(run.competitors)
    if measure.startswith("ics-"):
        return series_of(run.shift, measure.removeprefix("ics-"), count)
    if measure in DRIFT_FIELDS:
        # At step 0 nothing has moved.
        moved: Floats = getattr(run.history, DRIFT_FIELDS[measure])[1:]
        return run.history.step[1:], moved.astype(np.float64)
    if measure == "sharpness":
        steps, largest = series_of(run.sharpness, "eigenvalue", count)
        return steps, largest[:, :, None]
    field = {"loss-range": "loss_along", "gradient-change": "gradient_change", "beta": "beta"}[measure]
    steps, along = series_of(run.smoothness, field, count)
    highest = along.max(axis=2, keepdims=True)
    if measure != "loss-range":
        return steps, highest
    with np.errstate(invalid="ignore"):
        span = highest - along.min(axis=2, keepdims=True)
    return steps, np.where(np.isposinf(highest), np.inf, span)


def series_of(records: Sequence[Any], field: str, competitors: int) -> tuple[Floats, Floats]:
    """Steps and values of a field of some records over time. [m], [m, k, …]; without records [0], [0, k, 2]"""
    if not records:
        return np.empty(0), np.empty((0, competitors, 2))
    values = np.array([getattr(one, field) for one in records], np.float64)
    return np.array([one.step for one in records], np.float64), values


def _compare(layer: int, steps: Floats, bn: Floats, plain: Floats, is_difference: bool) -> Comparison:
    """Paired: only steps at which both are known and, where they are divided, positive. bn, plain: [m]

    What overflows counts as larger than anything that does not. What is 0, as a change too small for float32, says
    nothing of a ratio.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = bn - plain if is_difference else np.log(bn) - np.log(plain)
    known = ~np.isnan(sides) if is_difference else ~np.isnan(sides) & (bn > 0) & (plain > 0)
    sides, steps = sides[known], steps[known]
    if not len(sides):
        return Comparison(layer, Part(math.nan, is_difference))
    weights = weights_of(steps)
    return Comparison(
        layer=layer,
        whole=_part(sides, weights, is_difference),
        share=float(weights[np.sign(sides) == np.sign(_middle(sides, weights))].sum()),
        count=len(sides),
        steps=(int(steps[0]), int(steps[-1])),
        turn=_turn(steps, sides, is_difference),
    )


def weights_of(steps: Floats) -> Floats:
    """For what share of the steps each measurement stands. [n]

    The first steps are measured one by one: without weights half a dozen of them would outvote all that follows.
    """
    if len(steps) < 2:
        return np.ones(len(steps))
    gaps = np.diff(steps)
    reach = (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2
    weights: Floats = reach / reach.sum()
    return weights


def _part(sides: Floats, weights: Floats, is_difference: bool) -> Part:
    middle = _middle(sides, weights)
    return Part(middle if is_difference else math.exp(min(max(middle, -700.0), 700.0)), is_difference)


def _turn(steps: Floats, sides: Floats, is_difference: bool) -> Turn | None:
    """The best place to cut the measurements in two that say different things. steps, sides: [n]

    Here each measurement counts the same, so that how a run began is told.
    """
    count = len(sides)
    if count < 2 * FEWEST:
        return None
    width = ALIKE_COSINE if is_difference else math.log(ALIKE_FACTOR)
    kinds = (sides < 0, np.abs(sides) <= width, sides > 0)
    fits = np.array([np.concatenate([[0], np.cumsum(kind)]) for kind in kinds])  # [3, n + 1] up to each place
    cuts = np.arange(FEWEST_IN_PART, count - FEWEST_IN_PART + 1)
    found = [
        (float(share.max()), int(cuts[int(np.argmax(share))]))
        for before in range(3)
        for after in range(3)
        if before != after
        for share in [(fits[before, cuts] + fits[after, -1] - fits[after, cuts]) / count]
    ]
    share, cut = max(found)
    before, after = (_part(one, np.ones(len(one)), is_difference) for one in (sides[:cut], sides[cut:]))
    turn = Turn(int(steps[cut - 1]), before, after)
    is_clear = share >= TURNING and share >= float(fits[:, -1].max()) / count + GAIN
    return turn if is_clear and turn.before.direction is not turn.after.direction else None


def _middle(values: Floats, weights: Floats) -> float:
    """The weighted median. values, weights: [n], n > 0"""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[int(np.searchsorted(reached, reached[-1] / 2))]])


def overall(directions: Sequence[Direction]) -> Direction:
    """What the layers say together: the direction of two thirds of them, none of the others opposed."""
    kinds = set(directions)
    if {Direction.LOWER, Direction.HIGHER} <= kinds:
        return Direction.MIXED
    most = max(kinds, key=directions.count)
    return most if directions.count(most) >= AGREEING * len(directions) else Direction.MIXED


# --- in words ---------------------------------------------------------------------------------------------------------


def size_of(one: Part) -> float:
    """By how much, whichever way."""
    if one.is_difference:
        return abs(one.ratio)
    return one.ratio if one.ratio >= 1 else 1 / one.ratio if one.ratio else math.inf


def ratio_text(one: Part) -> str:
    """Such as "÷ 3.2", "× 40"; of a cosine "−0.10"."""
    if one.is_difference:
        return f"{'+' if one.ratio >= 0 else ''}{number(one.ratio)}"
    sign, size = ("÷", size_of(one)) if one.ratio < 1 else ("×", one.ratio)
    return f"{sign} {number(size)}" if size < HUGE else f"{sign} over 10⁶"


def layers_of(run: Run, layers: Sequence[int]) -> str:
    """Such as "layers 2–4, 7 and the output layer"; layers ascend."""
    hidden = [layer for layer in layers if layer <= run.settings.model.hidden_layers]
    rows = [[layer for _, layer in row] for _, row in groupby(enumerate(hidden), lambda pair: pair[1] - pair[0])]
    names = [name for row in rows for name in ([f"{row[0]}–{row[-1]}"] if len(row) > 2 else map(str, row))]
    if names:
        names[0] = f"layer{'s' if len(hidden) > 1 else ''} {names[0]}"
    names += [weight_layer(run, layer) for layer in layers[len(hidden) :]]
    return listed(names)
