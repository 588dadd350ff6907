"""What comes of the paper's scaled-down cousins and of the cost of BN: sentences, verdicts and the table of variants.

Everything is computed from the record; the paper's side stands in assets/texts/asked-<question>.md and in
`cousins_parts.Reported`. Shapes as in `records.cousins`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from bnviz.config import FACTORS, TWINS, View
from bnviz.figures.bn_cost import told_of_cost
from bnviz.figures.cousins_parts import (
    BASELINE,
    BN_BASELINE,
    BN_SIGMOID,
    BN_X5,
    BN_X30,
    NO_BN_SIGMOID,
    NO_BN_X5,
    NO_BN_X30,
    PAPERS,
    VARIANTS,
    Reported,
    Variant,
    best_accuracy,
    best_rate,
    has_diverged,
    middle,
    milliseconds_a_step,
    of,
    seconds_to_target,
    so_far,
    steps_to_target,
    target_accuracy,
)
from bnviz.figures.ensemble import members, shown_variants, told_of
from bnviz.figures.numbers import number, percent, whole
from bnviz.figures.trials_parts import PERCENT
from bnviz.figures.words import joined
from bnviz.records import Cousins, Floats, Run

BEFORE: Final = "Each chart fills in as the networks of this experiment finish."
ALIKE_FACTOR: Final = 1.1  # of steps or times, up to which they are about the same
ALIKE_POINTS: Final = 0.1  # percentage points of accuracy: ten test images
AGREEING: Final = 2 / 3  # share of the seeds that must lie on one side
CHANCE: Final = 0.2  # accuracy below which a network has learnt next to nothing


class Answer(StrEnum):
    """To a question that the paper answers with yes."""

    YES = "yes"
    NO = "no"
    ALIKE = "about the same"
    MIXED = "in part"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class CousinsVerdict:
    """What the runs say to one question; assets/texts/asked-<question>.md has it, and what the paper reports."""

    question: str
    answer: Answer
    finding: str


# --- sentences --------------------------------------------------------------------------------------------------------


def cousins_sentence(run: Run, view: View) -> str:
    """Steps to the baseline's accuracy and best accuracy of the paper's variants; marks as in `words`."""
    cousins = run.cousins
    if cousins is None or not np.isfinite(target_accuracy(cousins)):
        return BEFORE
    steps, parts = steps_to_target(cousins), []
    for one in PAPERS:
        count = middle(of(steps, one))
        if not np.isnan(count):
            parts.append(f"{{{one.competitor.name}}} **{_count_text(count)}** {one.name}")
    return f"Steps to {percent(target_accuracy(cousins))}, the baseline’s best{so_far(cousins)}: {', '.join(parts)}."


def cost_sentence(run: Run, view: View) -> str:
    """What BN costs in each loop, and on what it was timed."""
    told = "" if run.cost is None else told_of_cost(run.cost)
    so_far = "" if run.cost is None or run.cost.done >= 1 else "so far "
    return f"With BN a step takes {so_far}{told}" if told else "Timing networks with BN and without."


def _count_text(steps: float) -> str:
    return "never" if np.isinf(steps) else whole(steps)


# --- the table --------------------------------------------------------------------------------------------------------

TABLE: Final = (
    "Variant", "Steps", "of the baseline’s", "Best accuracy", "Paper: steps", "of its baseline’s", "Best accuracy",
)  # fmt: skip


def cousins_table(cousins: Cousins) -> list[tuple[str, ...]]:
    """A row for each variant, columns as in `TABLE`: medians with the lowest and the highest seed, then the paper's."""
    steps, best = steps_to_target(cousins), best_accuracy(cousins)
    own = middle(of(steps, BASELINE))
    return [
        (
            one.name,
            _spread(of(steps, one), _count_text),
            _share(middle(of(steps, one)), own),
            _spread(PERCENT * of(best, one), lambda value: f"{value:.2f} %"),
            *_reported(one.reported),
        )
        for one in VARIANTS
    ]


def _spread(values: Floats, text_of: Callable[[float], str]) -> str:
    """Such as "1,200 (900–1,500)"; a dash where nothing is known."""
    known = values[~np.isnan(values)]
    if not known.size:
        return "–"
    text = text_of(float(np.median(known)))
    ends = [text_of(float(end)).removesuffix(" %") for end in (known.min(), known.max())]
    return text if ends[0] == ends[1] else f"{text} ({ends[0]}–{ends[1]})"


def _share(steps: float, own: float) -> str:
    return f"{PERCENT * steps / own:.0f} %" if np.isfinite(steps) and np.isfinite(own) and own > 0 else "–"


def _reported(one: Reported) -> tuple[str, str, str]:
    baseline = BASELINE.reported.steps
    assert baseline is not None
    steps = f"{one.steps:.1f} M" if one.steps is not None else one.told or "–"
    share = f"{PERCENT * one.steps / baseline:.0f} %" if one.steps is not None else "–"
    return steps, share, "–" if one.accuracy is None else f"{one.accuracy:.1f} %"


# --- verdicts ---------------------------------------------------------------------------------------------------------


def cousins_verdicts(cousins: Cousins) -> tuple[CousinsVerdict, ...]:
    """One for each question, in their order."""
    return tuple(CousinsVerdict(name, *ask(cousins)) for name, ask in _QUESTIONS.items())


def fewer(values: Floats, others: Floats) -> tuple[Answer, str]:
    """Whether the first are smaller, seed by seed: YES, NO or ALIKE, and such as "÷ 2.1, in 6 of 6 seeds".

    Args:
        values: [r], infinity where a run never gets there, NaN where it is not known.
        others: [r], of the same seeds.
    """
    known = ~np.isnan(values) & ~np.isnan(others)
    a, b = values[known], others[known]
    is_decided = np.isfinite(a) | np.isfinite(b)  # where neither gets there, nothing is compared
    if not is_decided.any():
        return Answer.UNDECIDED, ""
    lower = int((a[is_decided] < b[is_decided]).sum())
    higher = int((a[is_decided] > b[is_decided]).sum())
    first, second = float(np.median(a)), float(np.median(b))
    if np.isinf(first) and np.isinf(second):
        return Answer.UNDECIDED, ""
    ratio = 0.0 if np.isinf(second) else np.inf if np.isinf(first) or second == 0 else first / second
    if 1 / ALIKE_FACTOR <= ratio <= ALIKE_FACTOR:
        return Answer.ALIKE, f"× {number(ratio)}"
    agree = lower if ratio < 1 else higher
    size = "only here" if ratio == 0 else "never" if np.isinf(ratio) else f"÷ {number(1 / ratio)}"
    if 1 < ratio < np.inf:
        size = f"× {number(ratio)}"
    text = f"{size}, in {agree} of {len(a)} seeds"
    if agree < AGREEING * len(a):
        return Answer.UNDECIDED, text
    return (Answer.YES if ratio < 1 else Answer.NO), text


def higher(values: Floats, others: Floats) -> tuple[Answer, str]:
    """Whether the first accuracies are higher, seed by seed, and by how many points. [r] each, shares"""
    known = np.isfinite(values) & np.isfinite(others)
    if not known.any():
        return Answer.UNDECIDED, ""
    points = PERCENT * (values[known] - others[known])
    median = float(np.median(points))
    text = f"{median:+.2f} points".replace("-", "−")
    if abs(median) <= ALIKE_POINTS:
        return Answer.ALIKE, text
    agree = int((np.sign(points) == np.sign(median)).sum())
    told = f"{text}, in {agree} of {len(points)} seeds"
    if agree < AGREEING * len(points):
        return Answer.UNDECIDED, told
    return (Answer.YES if median > 0 else Answer.NO), told


def _same_rate(cousins: Cousins) -> tuple[Answer, str]:
    steps, best = steps_to_target(cousins), best_accuracy(cousins)
    answer, text = fewer(of(steps, BN_BASELINE), of(steps, BASELINE))
    _, points = higher(of(best, BN_BASELINE), of(best, BASELINE))
    accuracy = f"Best accuracy {points}." if points else ""
    return answer, joined(_steps_told(cousins, (BN_BASELINE, BASELINE), text), accuracy)


def _high_rate(cousins: Cousins) -> tuple[Answer, str]:
    """BN-x5 and BN-x30 against BN-baseline: steps, and best accuracy."""
    steps, best = steps_to_target(cousins), best_accuracy(cousins)
    answers, told = [], []
    for one in (BN_X5, BN_X30):
        sooner, count = fewer(of(steps, one), of(steps, BN_BASELINE))
        better, points = higher(of(best, one), of(best, BN_BASELINE))
        answers += [sooner, better]
        if points:
            is_never = np.isinf(middle(of(steps, one)))
            when = f"steps {count}, " if count else "the baseline’s accuracy never reached, " if is_never else ""
            told.append(f"{one.name} against BN-baseline: {when}best accuracy {points}.")
    return _together(answers), " ".join(told)


def _no_bn(cousins: Cousins) -> tuple[Answer, str]:
    """Whether the rates that the paper says cannot be trained without BN cannot be here."""
    best, told, fails = best_accuracy(cousins), [], []
    for one in (NO_BN_X5, NO_BN_X30):
        accuracy = of(best, one)
        known = np.isfinite(of(cousins.diverged_step, one))
        if not known.any():
            continue
        final = cousins.accuracy[one.k, one.x, known, -1]
        diverged = has_diverged(cousins, one)
        lost = diverged + int((final < CHANCE).sum())
        fails.append(lost / int(known.sum()))
        how = [f"diverged from {diverged}"] * bool(diverged)
        how += [f"near chance at the end from {lost - diverged}"] * bool(lost - diverged)
        count = int(known.sum())
        told.append(
            f"{one.name}: best {percent(middle(accuracy))}, {' and '.join(how) or 'learns from all'} of {count} seeds."
        )
    if not fails:
        return Answer.UNDECIDED, ""
    sides = [share >= AGREEING for share in fails]
    return Answer.YES if all(sides) else Answer.MIXED if any(sides) else Answer.NO, " ".join(told)


def _sigmoid(cousins: Cousins) -> tuple[Answer, str]:
    best = best_accuracy(cousins)
    answer, points = higher(of(best, BN_SIGMOID), of(best, NO_BN_SIGMOID))
    if not points:
        return answer, ""
    with_bn, without = (percent(middle(of(best, one))) for one in (BN_SIGMOID, NO_BN_SIGMOID))
    is_chance = middle(of(best, NO_BN_SIGMOID)) < CHANCE
    chance = "Without BN it stays near chance." if is_chance else "Without BN it does not stay at chance here."
    return answer, f"Best accuracy {with_bn} with BN, {without} without: {points}. {chance}"


def _tuned(cousins: Cousins) -> tuple[Answer, str]:
    """Each network at the rate that suits it best."""
    best = best_accuracy(cousins)[:, : len(FACTORS)]
    if not np.isfinite(best).any(axis=(1, 2)).all():
        return Answer.UNDECIDED, ""
    rates = [one.settings.hyper.learning_rate for one in cousins.config.conditions]
    places = [best_rate(cousins, k) for k in range(len(TWINS))]
    plain, bn = (best[k, places[k]] for k in range(len(TWINS)))
    answer, points = higher(bn, plain)
    told = ", ".join(
        f"{percent(middle(accuracy))} {how} at {rates[at]:g}"
        for accuracy, how, at in ((bn, "with BN", places[1]), (plain, "without", places[0]))
    )
    return answer, f"{told}: {points}."


def _time(cousins: Cousins) -> tuple[Answer, str]:
    """Compute time to the baseline's accuracy: the cost of a step counted."""
    bn, plain = seconds_to_target(cousins, BN_BASELINE), seconds_to_target(cousins, BASELINE)
    answer, text = fewer(bn, plain)
    a_step = milliseconds_a_step(cousins, BN_BASELINE) / milliseconds_a_step(cousins, BASELINE)
    if not np.isfinite(a_step):
        return Answer.UNDECIDED, ""
    times = ", ".join(
        f"{one.name} {'never' if np.isinf(seconds) else f'{number(seconds)} s'}"
        for one, seconds in ((BN_BASELINE, middle(bn)), (BASELINE, middle(plain)))
        if not np.isnan(seconds)
    )
    each = f"A step takes × {number(a_step)} as long with BN."
    return answer, f"{each} To the baseline’s accuracy: {times}{f' ({text})' if text else ''}."


def _ensemble(cousins: Cousins) -> tuple[Answer, str]:
    """Whether all networks together do better than the best of them alone."""
    if cousins.config.seeds < 2:
        return Answer.UNDECIDED, "One network is no ensemble: choose more seeds."
    answers, told = [], []
    for one in shown_variants(cousins):
        group, single = members(cousins, one)
        if single.size < 2:
            continue
        gain = PERCENT * (float(group[-1]) - single)
        median = float(np.median(gain))
        answers.append(
            Answer.YES
            if (gain > 0).all() and median > ALIKE_POINTS
            else Answer.NO
            if median < -ALIKE_POINTS
            else Answer.ALIKE
        )
        told.append(told_of(cousins, one))
    text = " ".join(told)
    return _together(answers), f"{text[:1].upper()}{text[1:]}"


def _together(answers: list[Answer]) -> Answer:
    """What several answers say as one: theirs where they agree, those that say nothing apart."""
    said = {one for one in answers if one is not Answer.UNDECIDED}
    if not said:
        return Answer.UNDECIDED
    return said.pop() if len(said) == 1 else Answer.MIXED


def _steps_told(cousins: Cousins, pair: tuple[Variant, Variant], text: str) -> str:
    steps = steps_to_target(cousins)
    counts = [(one.name, middle(of(steps, one))) for one in pair]
    if any(np.isnan(count) for _, count in counts):
        return ""
    told = ", ".join(f"{name} {_count_text(count)}" for name, count in counts)
    return f"Steps to {percent(target_accuracy(cousins))}: {told}{f' ({text})' if text else ''}."


_QUESTIONS: Final[Mapping[str, Callable[[Cousins], tuple[Answer, str]]]] = {
    "same-rate": _same_rate,
    "high-rate": _high_rate,
    "no-bn": _no_bn,
    "sigmoid": _sigmoid,
    "tuned": _tuned,
    "time": _time,
    "ensemble": _ensemble,
}
