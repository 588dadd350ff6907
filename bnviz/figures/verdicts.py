"""Verdicts: for each measure, which of the twins is lower in this run, by how much and over which steps.

Everything is computed from the run, and every comparison is paired: both networks at the same step. What the papers
report for their own settings stands in assets/texts/verdict-<measure>.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bnviz.figures.comparisons import (
    AGREEING,
    ALIKE_FACTOR,
    DRIFT_FIELDS,
    FEWEST,
    HUGE,
    Comparison,
    Direction,
    Part,
    Twins,
    compared,
    layers_of,
    overall,
    size_of,
    twins_of,
)
from bnviz.figures.numbers import number, percent, rough_percent, whole
from bnviz.figures.words import has_data, health_of, is_diverged, last_finite, spoken
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
MARKS: Final = (0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)  # test accuracies whose first crossing is compared
LEARNT: Final = 0.2  # test accuracy below which a network has hardly begun to learn

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


def verdicts(run: Run) -> tuple[Verdict, ...]:
    """One for each of MEASURES, in their order; none for a run that has no twins."""
    twins = twins_of(run)
    if twins is None:
        return ()
    drawn = [_of_measure(run, measure, twins) for measure in MEASURES if measure != "speed"]
    return (*drawn, _speed(run, twins))


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
    direction = overall([one.direction for one in counted])
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
    sizes = sorted(size_of(one) for one in parts)
    texts = list(dict.fromkeys(number(size) if size < HUGE else "over 10⁶" for size in (sizes[0], sizes[-1])))
    if parts[0].is_difference:
        return f" by {' to '.join(texts)}"
    return f" by a factor of {texts[0]}" if len(texts) == 1 else f" by factors of {' to '.join(texts)}"


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
    if measure not in DRIFT_FIELDS:
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
