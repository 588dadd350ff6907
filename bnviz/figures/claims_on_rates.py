"""Claims on learning rates and initial scales: faster, higher rates, less care.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds, t = moments.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bnviz.config import BN, PLAIN, Nonlinearity, SweepAxis
from bnviz.figures.best_cells import ALIKE_POINTS, best_of, cells_at, place_of, side_of
from bnviz.figures.numbers import number, percent, whole
from bnviz.figures.rulings import Cases, ClaimVerdict, points_between, ruling_of, span
from bnviz.figures.sweep_parts import value_text
from bnviz.figures.words import listed
from bnviz.records import USABLE_ACCURACY, Floats, Sweep

MARKS: Final = (0.8, 0.9)  # test accuracies whose first moment is compared, beside the best without BN
ALIKE_FACTOR: Final = 1.1
MULTIPLES: Final = (3.0, 10.0, 30.0)  # of the best rate without BN; the paper went to 5 and 30 times its baseline's
NEAR: Final = 1.2  # a factor within which a rate of the map counts as such a multiple
CALM: Final = 2.0  # times as much spread, or as many cells that work, is a difference


# --- faster -----------------------------------------------------------------------------------------------------------


def steps_to(sweep: Sweep, k: int, mark: float, places: Sequence[tuple[int, int]]) -> float:
    """The first moment at which a network's median reaches a test accuracy, at the cell where that is soonest.

    Infinite where it never does.
    """
    rows, columns = (list(side) for side in zip(*places, strict=True))
    reached = np.median(np.nan_to_num(sweep.accuracy_over_steps[k, rows, columns]), axis=1) >= mark - 1e-9  # [n, t]
    moments = np.flatnonzero(reached.any(axis=0))
    return float(sweep.steps[moments[0]]) if moments.size else math.inf


def faster(scale: Sweep, nonlinearity: Sweep) -> ClaimVerdict:
    """Steps to the same accuracy, each network where it gets there first: 80 %, 90 %, and the best without BN."""
    told, sides, factors = [], [], []
    for name, sweep, places in (
        ("Sigmoid", scale, scale.config.places),
        ("ReLU", nonlinearity, cells_at(nonlinearity, "nonlinearity", Nonlinearity.RELU)),
    ):
        k_bn, k_plain = place_of(sweep), place_of(sweep, PLAIN.name)
        best = float(np.median(best_of(sweep, PLAIN.name, places)))
        rows = []
        for mark in (*(one for one in MARKS if one < best), best):
            bn, plain = (steps_to(sweep, k, mark, places) for k in (k_bn, k_plain))
            factor = plain / bn
            sides.append(0 if 1 / ALIKE_FACTOR <= factor <= ALIKE_FACTOR else 1 if factor > 1 else -1)
            factors += [factor]
            which = ", the best without BN" if mark == best else ""
            rows.append((f"{percent(mark, 0 if mark in MARKS else 1)}{which}", _step(bn), _step(plain)))
        told.append(Cases(f"{name}: steps, of {whole(sweep.config.steps)}, until", tuple(rows)))
    return ClaimVerdict(ruling_of(sides), _steps_size(factors), tuple(told))


def _step(step: float) -> str:
    return whole(step) if math.isfinite(step) else "not reached"


def _steps_size(factors: Sequence[float]) -> str:
    """Such as "BN takes 1.5 to 5 times fewer steps to 5 of 6 marks"."""
    won = [factor for factor in factors if factor > ALIKE_FACTOR]
    if not won:
        return "BN takes no fewer steps to any mark"
    where = "every mark" if len(won) == len(factors) else f"{len(won)} of {len(factors)} marks"
    return f"BN takes {span(won, _short)} times fewer steps to {where}"


def _short(factor: float) -> str:
    return f"{float(number(factor)):g}"


# --- higher learning rates --------------------------------------------------------------------------------------------


def higher_rates(nonlinearity: Sweep) -> ClaimVerdict:
    """How far above the best rate without BN each network still ends above 80 %, nonlinearity by nonlinearity."""
    rates, _ = side_of(nonlinearity, "learning_rate")
    rows, _ = side_of(nonlinearity, "nonlinearity")
    sides: list[int] = []
    borne, told = [], []
    for multiple in MULTIPLES:
        usable = {name: usable_at(nonlinearity, name, multiple) for name in (BN.name, PLAIN.name)}
        known = len(usable[BN.name])
        if not known:
            continue
        bn, plain = (sum(usable[name].values()) for name in (BN.name, PLAIN.name))
        sides.append(-1 if bn < plain else 1 if bn > plain and 2 * bn > known else 0)
        borne += [multiple] if sides[-1] > 0 else []
        told.append((f"× {_short(multiple)}", f"{bn} of {known}", f"{plain} of {known}"))
    ends = [(value_text(one), *_highest_texts(nonlinearity, rates, one)) for one in rows.values]
    least = percent(USABLE_ACCURACY, 0)
    findings = (
        Cases(f"Nonlinearities that end above {least} at multiples of the best rate without BN", tuple(told)),
        Cases(f"Highest rate that ends above {least} (+: the highest that was tried)", tuple(ends)),
    )
    return ClaimVerdict(ruling_of(sides), _rates_size(borne, sides), findings)


def _rates_size(borne: Sequence[float], sides: Sequence[int]) -> str:
    """Such as "At 3 and 10 times the best rate without BN more networks train with BN"."""
    if borne:
        return f"At {listed([_short(one) for one in borne])} times the best rate without BN more networks train with BN"
    return "BN bears lower rates" if any(side < 0 for side in sides) else "BN bears no higher rates"


def usable_at(sweep: Sweep, name: str, multiple: float) -> dict[Any, bool]:
    """Whether a network is above 80 % at a multiple of the best rate without BN, where the map goes that far."""
    rates, _ = side_of(sweep, "learning_rate")
    rows, _ = side_of(sweep, "nonlinearity")
    found = {}
    for row in rows.values:
        plain, own = (_along_rates(sweep, one, row) for one in (PLAIN.name, name))
        wanted = rates.values[int(np.argmax(plain))] * multiple
        near = [at for at, rate in enumerate(rates.values) if 1 / NEAR < rate / wanted < NEAR]
        if near:
            found[row] = bool(own[near[0]] > USABLE_ACCURACY)
    return found


def _along_rates(sweep: Sweep, name: str, row: Any) -> Floats:
    """A network's median at each learning rate, for one value of the other side. [n]"""
    median = np.nan_to_num(sweep.median[place_of(sweep, name)])
    return np.array([median[place] for place in cells_at(sweep, "nonlinearity", row)])


def _highest_texts(sweep: Sweep, rates: SweepAxis, row: Any) -> tuple[str, str]:
    """With BN and without, such as "30+" and "0.3"; the plus is where the map ends."""
    texts = []
    for name in (BN.name, PLAIN.name):
        usable = np.flatnonzero(_along_rates(sweep, name, row) > USABLE_ACCURACY)
        is_end = bool(usable.size) and usable[-1] == len(rates) - 1
        texts.append(f"{value_text(rates.values[usable[-1]])}{'+' if is_end else ''}" if usable.size else "none")
    return texts[0], texts[1]


# --- less care about initialization -----------------------------------------------------------------------------------


def less_care(scale: Sweep) -> ClaimVerdict:
    """How much accuracy a badly chosen initial scale costs with the rate tuned anew, and how many cells work at all."""
    axis, at = side_of(scale, "init_scale")
    lost, working, ends = {}, {}, {}
    for name in (BN.name, PLAIN.name):
        median = np.nan_to_num(scale.median[place_of(scale, name)])
        best = median.max(axis=1 - at)
        lost[name], working[name] = float(best.max() - best.min()), int((median > USABLE_ACCURACY).sum())
        ends[name] = float(best.max()), float(best.min())
    sides = [
        _compared(lost[PLAIN.name], lost[BN.name], ALIKE_POINTS),
        _compared(working[BN.name], working[PLAIN.name], 0),
    ]
    low, high = (value_text(axis.values[end]) for end in (0, -1))
    best, worst = ((percent(ends[BN.name][end]), percent(ends[PLAIN.name][end])) for end in (0, 1))
    findings = (
        Cases(
            f"Initial scales {low} to {high}, each at its best rate",
            (("The best scale", *best), ("The worst scale", *worst)),
        ),
        Cases(
            f"Of {len(scale.config.places)} pairs of rate and scale",
            ((f"end above {percent(USABLE_ACCURACY, 0)}", whole(working[BN.name]), whole(working[PLAIN.name])),),
        ),
    )
    bn, plain = (f"{points_between(*ends[name]):.1f}" for name in (BN.name, PLAIN.name))
    size = f"The worst initial scale costs {bn} points with BN, {plain} without"
    return ClaimVerdict(ruling_of(sides), size, findings)


def _compared(one: float, other: float, alike: float) -> int:
    """1 where the first is `CALM` times the other or more, -1 the other way; both within `alike` are alike."""
    if max(one, other) <= alike:
        return 0
    return 1 if one >= CALM * other else -1 if other >= CALM * one else 0
