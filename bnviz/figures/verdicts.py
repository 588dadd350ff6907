"""Verdicts: for each measure, which of the twins is lower in this run, by how much and over which steps.

Everything is computed from the run, and every comparison is paired: both networks at the same step. What the papers
report for their own settings stands in assets/texts/verdict-<measure>.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any, Final

import numpy as np

from bnviz.config import Competitor, Normalization
from bnviz.figures.numbers import number, percent, rough_percent, whole
from bnviz.figures.words import has_data, health_of, is_diverged, last_finite, spoken, weight_layer
from bnviz.records import Condition, Floats, Run

MEASURES: Final = (
    "ics-change",
    "ics-relative",
    "ics-cosine",
    "loss-range",
    "gradient-change",
    "beta",
    "drift-net",
    "drift-standardised",
    "speed",
)
FEWEST: Final = 5  # paired measurements: fewer decide nothing
AGREEING: Final = 2 / 3  # share of them that must lie on one side
HUGE: Final = 1e6  # a factor beyond this is told as such
ALIKE_FACTOR: Final = 1.1
ALIKE_COSINE: Final = 0.02
FEWEST_IN_PART: Final = 3  # measurements before a turn, and after it
TURNING: Final = 0.8  # share of the measurements that must lie on the side of their part, before a turn and after it
GAIN: Final = 0.1  # by how much that share must exceed the share of the best side without a turn
MARKS: Final = (0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)  # test accuracies whose first crossing is compared
LEARNT: Final = 0.2  # test accuracy below which a network has hardly begun to learn

_FIELDS: Final = {"drift-net": "net_displacement", "drift-standardised": "standardised_net_displacement"}
_WITHOUT_LAYERS: Final = ("loss-range", "gradient-change", "beta", "sharpness")


class Direction(StrEnum):
    """The measure of the network with BN, relative to that of the network without."""

    LOWER = "lower"
    HIGHER = "higher"
    ALIKE = "alike"
    MIXED = "mixed"  # it depends on the layer or on the step
    UNDECIDED = "undecided"


_PHRASES: Final = {
    Direction.LOWER: "lower",
    Direction.HIGHER: "higher",
    Direction.ALIKE: "about the same",
    Direction.UNDECIDED: "undecided",
}


@dataclass(frozen=True)
class Verdict:
    """What this run says about one measure.

    Attributes:
        measure: one of MEASURES; assets/texts/verdict-<measure>.md asks the question and tells what papers report.
        finding: which network is lower, by what factor, over which steps, in words.
        steps: the first and the last step that were compared; (0, 0) if none was.
    """

    measure: str
    finding: str
    direction: Direction
    steps: tuple[int, int]


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


def verdicts(run: Run) -> tuple[Verdict, ...]:
    """One for each of MEASURES, in their order; none for a run that has no twins."""
    twins = twins_of(run)
    if twins is None:
        return ()
    drawn = [_of_measure(run, measure, twins) for measure in MEASURES if measure != "speed"]
    return (*drawn, _speed(run, twins))


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
    if measure in _FIELDS:
        # At step 0 nothing has moved.
        moved: Floats = getattr(run.history, _FIELDS[measure])[1:]
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


def _overall(directions: Sequence[Direction]) -> Direction:
    """What the layers say together: the direction of two thirds of them, none of the others opposed."""
    kinds = set(directions)
    if {Direction.LOWER, Direction.HIGHER} <= kinds:
        return Direction.MIXED
    most = max(kinds, key=directions.count)
    return most if directions.count(most) >= AGREEING * len(directions) else Direction.MIXED


# --- the words --------------------------------------------------------------------------------------------------------


def _of_measure(run: Run, measure: str, twins: Twins) -> Verdict:
    found = compared(run, measure, twins)
    counted = [one for one in found if one.count]
    most = max((one.count for one in found), default=0)
    if not counted:
        return Verdict(measure, "Not measured yet in both networks.", Direction.UNDECIDED, (0, 0))
    steps = min(one.steps[0] for one in counted), max(one.steps[1] for one in counted)
    if most < FEWEST:
        ended = [one for k, one in enumerate(run.competitors) if k in (twins.plain, twins.bn) and is_diverged(run, k)]
        text = f"Too early to say: {whole(most)} of the {FEWEST} measurements that a verdict takes."
        if ended:
            names = " and ".join(spoken(one) for one in ended)
            text = f"The network {names} diverged before the {FEWEST} measurements that a verdict takes."
        return Verdict(measure, text, Direction.UNDECIDED, steps)
    direction = _overall([one.direction for one in counted])
    bn, plain = spoken(run.competitors[twins.bn]), spoken(run.competitors[twins.plain])
    told = f"{bn[0].upper()}{bn[1:]}, against {plain}: {_told(run, counted)}."
    parts = [told, _over(counted, steps), _opening(run, counted), _stall(run, measure, twins, direction)]
    return Verdict(measure, " ".join(part for part in parts if part), direction, steps)


def _told(run: Run, found: Sequence[Comparison]) -> str:
    """Such as "lower in layers 2 and 3 by factors of 1.5 to 3.2; about the same in layer 4"."""
    parts = []
    for direction, phrase in _PHRASES.items():
        group = [one for one in found if one.direction is direction]
        if group:
            size = "" if direction is Direction.UNDECIDED else _by_how_much([one.whole for one in group])
            parts.append(f"{phrase}{_where(run, group)}{size}")
    turned = [one for one in found if one.direction is Direction.MIXED]
    ways = dict.fromkeys(_way(one) for one in turned)
    parts += [_told_of_turns(run, [one for one in turned if _way(one) == way]) for way in ways]
    return "; ".join(parts)


def _way(one: Comparison) -> tuple[Direction, Direction]:
    """From which side to which one that turns does."""
    return (one.turn.before.direction, one.turn.after.direction) if one.turn else (Direction.MIXED, Direction.MIXED)


def _told_of_turns(run: Run, group: Sequence[Comparison]) -> str:
    """Such as "higher by a factor of 40 up to step 240 and then lower by a factor of 1.4 in layer 3"."""
    turns = [one.turn for one in group if one.turn is not None]
    steps = sorted(turn.step for turn in turns)
    until = " to ".join(dict.fromkeys(whole(step) for step in (steps[0], steps[-1])))
    first, then = ([turn.before for turn in turns], [turn.after for turn in turns])
    return (
        f"{_PHRASES[first[0].direction]}{_by_how_much(first)} up to step {until} and then "
        f"{_PHRASES[then[0].direction]}{_by_how_much(then)}{_where(run, group)}"
    )


def _where(run: Run, group: Sequence[Comparison]) -> str:
    return f" in {layers_of(run, [one.layer for one in group])}" if group[0].layer else ""


def _by_how_much(parts: Sequence[Part]) -> str:
    """Such as " by a factor of 3.2", " by factors of 1.5 to 3.2", of a cosine " by 0.10"; nothing for no difference."""
    if not all(one.direction in (Direction.LOWER, Direction.HIGHER) for one in parts):
        return ""
    sizes = sorted(_size(one) for one in parts)
    texts = list(dict.fromkeys(number(size) if size < HUGE else "over 10⁶" for size in (sizes[0], sizes[-1])))
    if parts[0].is_difference:
        return f" by {' to '.join(texts)}"
    return f" by a factor of {texts[0]}" if len(texts) == 1 else f" by factors of {' to '.join(texts)}"


def _size(one: Part) -> float:
    """By how much, whichever way."""
    if one.is_difference:
        return abs(one.ratio)
    return one.ratio if one.ratio >= 1 else 1 / one.ratio if one.ratio else math.inf


def _over(found: Sequence[Comparison], steps: tuple[int, int]) -> str:
    """Over which steps, and how many of the measurements agree with what is said to differ."""
    text = (
        f"Median of {whole(max(one.count for one in found))} measurements, steps {whole(steps[0])} to {whole(steps[1])}"
    )
    shares = sorted(one.share for one in found if one.direction not in (Direction.ALIKE, Direction.MIXED))
    if not shares:
        return f"{text}."
    agree = " to ".join(dict.fromkeys(percent(share, 0) for share in (shares[0], shares[-1])))
    return f"{text}; {agree} of them on the median’s side."


def _opening(run: Run, found: Sequence[Comparison]) -> str:
    """Where the run began or ended otherwise than its median says."""
    decided = [one for one in found if one.direction in (Direction.LOWER, Direction.HIGHER) and one.turn]
    parts = []
    for one in decided:
        if one.turn is not None:
            is_opening = one.turn.after.direction is one.direction
            phrase = _PHRASES[(one.turn.before if is_opening else one.turn.after).direction]
            when = f"{'up to' if is_opening else 'after'} step {whole(one.turn.step)}"
            parts.append(f"{when} {phrase}{_where(run, [one])}")
    return f"But {', '.join(parts)}." if parts else ""


def _stall(run: Run, measure: str, twins: Twins, direction: Direction) -> str:
    """What little movement, or much of it, means where a network does not learn."""
    if measure not in _FIELDS:
        return ""
    idle = [k for k in (twins.plain, twins.bn) if _hardly_learns(run, k)]
    if not idle:
        return ""
    names = " and ".join(
        f"{spoken(run.competitors[k])} ({rough_percent(last_finite(run.history.accuracy[:, k]))} test accuracy)"
        for k in idle
    )
    moves_more = {Direction.LOWER: twins.plain, Direction.HIGHER: twins.bn}.get(direction)
    if moves_more in idle:
        return f"But nothing is learnt yet {names}: there the inputs move without learning anything."
    return f"But nothing is learnt yet {names}: a network that stands still does not drift."


def _hardly_learns(run: Run, k: int) -> bool:
    accuracy = run.history.accuracy[:, k]
    if not has_data(accuracy):
        return False
    return health_of(run, k).condition is Condition.STALLED or float(np.nanmax(accuracy)) < LEARNT


def ratio_text(one: Part) -> str:
    """Such as "÷ 3.2", "× 40"; of a cosine "−0.10"."""
    if one.is_difference:
        return f"{'+' if one.ratio >= 0 else ''}{number(one.ratio)}"
    sign, size = ("÷", _size(one)) if one.ratio < 1 else ("×", one.ratio)
    return f"{sign} {number(size)}" if size < HUGE else f"{sign} over 10⁶"


def layers_of(run: Run, layers: Sequence[int]) -> str:
    """Such as "layers 2–4, 7 and the output layer"; layers ascend."""
    hidden = [layer for layer in layers if layer <= run.settings.model.hidden_layers]
    rows = [[layer for _, layer in row] for _, row in groupby(enumerate(hidden), lambda pair: pair[1] - pair[0])]
    names = [name for row in rows for name in ([f"{row[0]}–{row[-1]}"] if len(row) > 2 else map(str, row))]
    if names:
        names[0] = f"layer{'s' if len(hidden) > 1 else ''} {names[0]}"
    names += [weight_layer(run, layer) for layer in layers[len(hidden) :]]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


# --- training speed ---------------------------------------------------------------------------------------------------


def _speed(run: Run, twins: Twins) -> Verdict:
    """Steps to the highest mark that both networks have reached; lower means that BN needs fewer."""
    measured = run.history.has_accuracy
    steps, accuracy = run.history.step[measured], run.history.accuracy[measured].astype(np.float64)
    pair = [_crossings(steps, accuracy[:, k]) for k in (twins.bn, twins.plain)]
    names = [spoken(run.competitors[k]) for k in (twins.bn, twins.plain)]
    if len(steps) < FEWEST:
        return Verdict("speed", "Too early to say.", Direction.UNDECIDED, (0, 0))
    ends = int(steps[0]), int(steps[-1])
    newest = [last_finite(accuracy[:, k]) for k in (twins.bn, twins.plain)]
    now = ", ".join(
        f"{rough_percent(value)} {name}" for value, name in zip(newest, names, strict=True) if math.isfinite(value)
    )
    tail = f" At the last measurement: {now}." if now else ""
    both = [mark for mark in MARKS if mark in pair[0] and mark in pair[1]]
    if both:
        text, direction = _at_mark(pair, names, both)
    else:
        text, direction = _only_one(pair, names)
    return Verdict("speed", text + tail, direction, ends)


def _crossings(steps: Floats, accuracy: Floats) -> dict[float, int]:
    """The first step at each mark that is reached. [m], [m]"""
    reached = {mark: np.flatnonzero(accuracy >= mark) for mark in MARKS}
    return {mark: int(steps[where[0]]) for mark, where in reached.items() if where.size}


def _at_mark(pair: Sequence[dict[float, int]], names: Sequence[str], both: Sequence[float]) -> tuple[str, Direction]:
    """At the highest mark that both have reached, unless the other marks disagree."""
    bn, plain = pair[0][both[0]], pair[1][both[0]]
    sides = [_side(pair[0][mark], pair[1][mark]) for mark in both]
    text = f"{percent(both[0], 0)} test accuracy is reached by step {whole(bn)} {names[0]}, {whole(plain)} {names[1]}"
    agreeing = sides.count(sides[0])
    if agreeing < AGREEING * len(sides):
        return f"{text}; but only {agreeing} of {len(sides)} such marks say so.", Direction.UNDECIDED
    factor = f" ({number(max(bn, plain) / max(min(bn, plain), 1))} times as many)" if bn != plain else ""
    return f"{text}{factor}.", sides[0]


def _side(bn: int, plain: int) -> Direction:
    if max(bn, plain) <= ALIKE_FACTOR * min(bn, plain):
        return Direction.ALIKE
    return Direction.LOWER if bn < plain else Direction.HIGHER


def _only_one(pair: Sequence[dict[float, int]], names: Sequence[str]) -> tuple[str, Direction]:
    """Where there is no mark that both have reached."""
    for mine, other, direction in ((0, 1, Direction.LOWER), (1, 0, Direction.HIGHER)):
        if pair[mine]:
            best = max(pair[mine])
            when = whole(pair[mine][best])
            return (
                f"{percent(best, 0)} test accuracy is reached by step {when} {names[mine]}; "
                f"{rough_percent(MARKS[-1])} is not reached {names[other]}.",
                direction,
            )
    return f"No network has reached {rough_percent(MARKS[-1])} test accuracy yet.", Direction.UNDECIDED
