"""The variants of the paper's scaled-down cousins, what is read off their runs, and what the paper reports of its own.

Shapes as in `records.cousins`: k = the twins, x = conditions, r = seeds, t = moments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bnviz.config import BASE, BN, FACTORS, PLAIN, TWINS, Competitor
from bnviz.figures.chart import Words, base_axis, clear_note, empty_axes, key_of, not_yet
from bnviz.figures.numbers import log_ticks
from bnviz.figures.studies import staged, study_chart
from bnviz.figures.theme import Spec
from bnviz.records import Cousins, Floats, Run

WAITING: Final = "No network of this experiment has finished yet."
TWIN: Final = {PLAIN: 0, BN: 1}
X5, X30, SIGMOID = FACTORS.index(5.0), FACTORS.index(30.0), len(FACTORS)
# A line's dash, and the same in characters, a hair space between them.
SOLID: Final = (None, "━━")
DASHES: Final = ("7px,3px", "– – –")
DOTS: Final = ("2px,3px", "· · · ·")
DASH_DOTS: Final = ("9px,3px,2px,3px", "– · –")


@dataclass(frozen=True)
class Reported:
    """What Ioffe & Szegedy 2015 print of a variant of Inception on ImageNet, Figure 3 and section 4.2.

    Attributes:
        steps: millions to 72.2 %, the accuracy of their baseline; None where none is printed.
        accuracy: the highest, in per cent; None where none is printed.
        told: what they say instead.
    """

    steps: float | None = None
    accuracy: float | None = None
    told: str = ""


@dataclass(frozen=True)
class Variant:
    """One network under one condition.

    Attributes:
        name: as the paper has it, where it has one.
        x: the condition.
        dash: of its line; None is solid.
        mark: the line's looks in a few characters, for words beside it.
    """

    name: str
    competitor: Competitor
    x: int
    dash: str | None
    mark: str
    reported: Reported

    @property
    def k(self) -> int:
        return TWIN[self.competitor]


VARIANTS: Final = (
    Variant("baseline", PLAIN, BASE, *SOLID, Reported(31.0, 72.2)),
    Variant("BN-baseline", BN, BASE, *SOLID, Reported(13.3, 72.7)),
    Variant("BN-x5", BN, X5, *DASHES, Reported(2.1, 73.0)),
    Variant("BN-x30", BN, X30, *DOTS, Reported(2.7, 74.8)),
    Variant("BN-x5-Sigmoid", BN, SIGMOID, *DASH_DOTS, Reported(None, 69.8, "never")),
    Variant("x5, no BN", PLAIN, X5, *DASHES, Reported(told="“machine infinity”")),
    Variant("x30, no BN", PLAIN, X30, *DOTS, Reported(told="not tried")),
    Variant("x5-Sigmoid, no BN", PLAIN, SIGMOID, *DASH_DOTS, Reported(None, 0.1, "stayed at chance")),
)
"""The paper's five, and what their settings do to the network without BN."""
PAPERS: Final = VARIANTS[:5]
BASELINE, BN_BASELINE, BN_X5, BN_X30, BN_SIGMOID, NO_BN_X5, NO_BN_X30, NO_BN_SIGMOID = VARIANTS


def cousins_chart(
    run: Run,
    name: str,
    words: Words,
    data: Sequence[Mapping[str, Any]],
    axes: Mapping[str, Mapping[str, Any]],
    **more: Any,
) -> Spec:
    """A chart of `run.cousins`."""
    twins = staged(run, TWINS)
    return study_chart(twins, run.cousins, name, words, data, axes, key=key_of(twins), **more)


def waiting(run: Run, name: str, title: str, how: str) -> Spec:
    """The chart before anything of it is measured."""
    return cousins_chart(run, name, not_yet(title, how), [], empty_axes(), annotations=[clear_note(WAITING)])


def progress(cousins: Cousins) -> str:
    """Such as "median of 6 seeds" or "1 of 6 seeds so far"."""
    whole, seeds = int(np.isfinite(cousins.diverged_step).all(axis=(0, 1)).sum()), cousins.config.seeds
    if whole == seeds:
        return f"median of {seeds} seeds" if seeds > 1 else "one seed"
    return f"{max(whole, 1)} of {seeds} seeds so far" if seeds > 1 else "one seed, still being measured"


def mark_of(variant: Variant) -> str:
    """What the line of a variant looks like, in its colour; for the label at its end."""
    return f'<span style="color:@{variant.competitor.name}"><b>{variant.mark}</b></span>'


def so_far(cousins: Cousins) -> str:
    """What is added to a number that more runs may change."""
    return "" if cousins.done >= 1 else " so far"


def log_axis(anchor: str, low: float, high: float, *, most: int = 5, **more: Any) -> dict[str, Any]:
    """A logarithmic x axis with few round numbers on it."""
    ticks = log_ticks(low, high, most)
    texts = [f"{tick:,g}" for tick in ticks]
    return base_axis(anchor, low, high, type="log", tickvals=ticks, ticktext=texts, **more)


# --- what is read off the runs ----------------------------------------------------------------------------------------


def best_accuracy(cousins: Cousins) -> Floats:
    """The highest of each run at any of its moments so far: [k, x, r]."""
    is_known = np.isfinite(cousins.accuracy).any(axis=3)
    best: Floats = np.where(is_known, np.nan_to_num(cousins.accuracy, nan=-1.0).max(axis=3), np.nan)
    return best


def target_accuracy(cousins: Cousins) -> float:
    """What the other variants have to reach: the median over seeds of the baseline's best accuracy; NaN before any.

    Of an even number of seeds the lower one of the two in the middle, so that most of the baseline's own runs reach it.
    """
    best = best_accuracy(cousins)[BASELINE.k, BASELINE.x]
    known = np.sort(best[np.isfinite(best)])
    return float(known[(len(known) - 1) // 2]) if known.size else float("nan")


def steps_to_reach(steps: Floats, accuracy: Floats, target: float) -> float:
    """The first step at which an accuracy is reached, interpolated between two moments; infinity if it never is.

    Args:
        steps: [t], ascending.
        accuracy: [t]; NaN where it is not measured, as after a network has diverged.
        target: the accuracy.

    Returns:
        NaN where there is nothing measured, or no target.
    """
    known = np.isfinite(accuracy)
    if not known.any() or not np.isfinite(target):
        return float("nan")
    x, y = np.asarray(steps, np.float64)[known], accuracy[known]
    reached = np.flatnonzero(y >= target)
    if not reached.size:
        return float("inf")
    i = int(reached[0])
    if i == 0:
        return float(x[0])
    return float(np.interp(target, y[i - 1 : i + 1], x[i - 1 : i + 1]))


def steps_to_target(cousins: Cousins) -> Floats:
    """Of every run: infinity where it never reaches the target, NaN where that is not known yet. [k, x, r]"""
    target, steps = target_accuracy(cousins), cousins.steps.astype(np.float64)
    found: Floats = np.apply_along_axis(lambda row: steps_to_reach(steps, row, target), 3, cousins.accuracy)
    is_open = np.isinf(found) & ~np.isfinite(cousins.diverged_step)
    return np.where(is_open, np.nan, found)


def middle(values: Floats) -> float:
    """Median of what is known, which may be infinity; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")


def of(values: Floats, variant: Variant) -> Floats:
    """Those of one variant: [r] of [k, x, r]."""
    found: Floats = values[variant.k, variant.x]
    return found


def seconds_to_target(cousins: Cousins, variant: Variant) -> Floats:
    """The same as compute time of the network alone, in s: [r]."""
    return of(steps_to_target(cousins), variant) * milliseconds_a_step(cousins, variant) / 1e3


def milliseconds_a_step(cousins: Cousins, variant: Variant) -> float:
    """Median over seeds; NaN where no clock was held to it."""
    return middle(of(cousins.step_milliseconds, variant))


def best_bn(cousins: Cousins) -> Variant:
    """The variant with BN whose median best accuracy is highest, of the paper's; BN-baseline before any is known."""
    with_bn = [one for one in VARIANTS if one.competitor is BN]
    medians = [middle(of(best_accuracy(cousins), one)) for one in with_bn]
    return with_bn[int(np.argmax(np.nan_to_num(medians, nan=-1.0)))]


def best_rate(cousins: Cousins, k: int) -> int:
    """The condition of the rate at which a network's median best accuracy is highest; `BASE` before any is known."""
    medians = np.array([middle(row) for row in best_accuracy(cousins)[k, : len(FACTORS)]])
    return int(np.nanargmax(medians)) if np.isfinite(medians).any() else BASE


def has_diverged(cousins: Cousins, variant: Variant) -> int:
    """From how many seeds it did."""
    return int((of(cousins.diverged_step, variant) > 0).sum())
