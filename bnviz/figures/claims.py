"""The claims of the paper's introduction: for each, what records of runs here say of it, and by how much.

Source: Ioffe & Szegedy 2015, Sections 1, 3.3, 3.4 and 4.2; the claims in words stand in assets/texts/claim-<name>.md.
Every verdict is computed, and whatever involves a learning rate compares each network at the rate that suits it best.

Shapes as in `records.sweep`: k = competitors, y = rows, x = columns, s = seeds, t = moments.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from bnviz.config import BN, BN_DROPOUT, DROPOUT, PLAIN, Competitor, Nonlinearity, SweepAxis
from bnviz.figures.numbers import MINUS, number, percent, whole
from bnviz.figures.sweep_parts import value_text
from bnviz.figures.verdicts import Direction
from bnviz.figures.verdicts import verdicts as verdicts_of
from bnviz.records import SCALES, USABLE_ACCURACY, Anatomy, Floats, Run, Sweep

MARKS: Final = (0.8, 0.9)  # test accuracies whose first moment is compared, beside the best without BN
ALIKE_FACTOR: Final = 1.1
ALIKE_POINTS: Final = 0.005  # of accuracy: half of 1 %
MULTIPLES: Final = (3.0, 10.0, 30.0)  # of the best rate without BN; the paper went to 5 and 30 times its baseline's
NEAR: Final = 1.2  # a factor within which a rate of the map counts as such a multiple
CALM: Final = 2.0  # times as much spread, or as many cells that work, is a difference
UNCHANGED: Final = 0.01  # a relative change of loss or gradient that is none


class Ruling(StrEnum):
    """What the cases of a claim say together, at this scale."""

    HOLDS = "holds"
    IN_PART = "in part"
    NOT_SHOWN = "not shown"
    INVERTS = "inverts"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Cases:
    """The numbers of some cases side by side: a table of three columns.

    Attributes:
        heading: what the cases are, and what is counted of them.
        rows: the case, with BN, without BN.
    """

    heading: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class ClaimVerdict:
    """What records say of one claim.

    Attributes:
        size: what comes out and by how much, in a few words that can be read alone; empty where nothing is decided.
        findings: the numbers of every case, as tables and as sentences.
    """

    ruling: Ruling
    size: str
    findings: tuple[Cases | str, ...]


@dataclass(frozen=True)
class Claim:
    """One claim, and the records that test it.

    Attributes:
        sources: names of recordings, in the order in which `judge` takes them.
        judge: a pure function of as many runs.
    """

    sources: tuple[str, ...]
    judge: Callable[..., ClaimVerdict]


NOT_YET: Final = ClaimVerdict(Ruling.UNDECIDED, "", ("Not measured to the end yet.",))


def ruling_of(sides: Iterable[int | None]) -> Ruling:
    """All cases for the claim, most of them against it, some for it, or none. 1: for, 0: no difference, -1: against."""
    known = [side for side in sides if side is not None]
    if not known:
        return Ruling.UNDECIDED
    if all(side > 0 for side in known):
        return Ruling.HOLDS
    if 2 * sum(side < 0 for side in known) > len(known):
        return Ruling.INVERTS
    return Ruling.IN_PART if any(side > 0 for side in known) else Ruling.NOT_SHOWN


# --- sweeps -----------------------------------------------------------------------------------------------------------


def _of_sweeps(judge: Callable[..., ClaimVerdict], *names: str) -> Callable[..., ClaimVerdict]:
    """`judge` of runs that carry whole sweeps in which networks of these names take part; else nothing is decided."""

    def of_runs(*runs: Run) -> ClaimVerdict:
        sweeps = [run.sweep for run in runs if run.sweep is not None and run.sweep.is_whole]
        wanted = set(names or (PLAIN.name, BN.name))
        has_all = all(wanted <= {one.name for one in sweep.config.competitors} for sweep in sweeps)
        return judge(*sweeps) if has_all and len(sweeps) == len(runs) else NOT_YET

    return of_runs


def place_of(sweep: Sweep, name: str = BN.name) -> int:
    """Of a network, by its name."""
    return [one.name for one in sweep.config.competitors].index(name)


def side_of(sweep: Sweep, setting: str) -> tuple[SweepAxis, int]:
    """A side of the map by its setting, and which axis of [y, x] it is."""
    sides = (sweep.config.y, sweep.config.x)
    at = [side.setting for side in sides].index(setting)
    return sides[at], at


def cells_at(sweep: Sweep, setting: str, value: Any) -> Sequence[tuple[int, int]]:
    """The cells at this value of a side; all of them where the sweep has no such side."""
    if setting not in (sweep.config.y.setting, sweep.config.x.setting):
        return sweep.config.places
    axis, at = side_of(sweep, setting)
    return [place for place in sweep.config.places if axis.values[place[at]] == value]


def best_cell(sweep: Sweep, name: str, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The one of these cells where a network's median is largest, the first of equals."""
    k = place_of(sweep, name)
    return max(places, key=lambda place: float(np.nan_to_num(sweep.median[k][place])))


def best_of(sweep: Sweep, name: str, places: Sequence[tuple[int, int]]) -> Floats:
    """The accuracy of every seed at that cell. [s]"""
    seeds: Floats = np.nan_to_num(sweep.score[place_of(sweep, name)][best_cell(sweep, name, places)])
    return seeds


def _side(one: Floats, other: Floats) -> int:
    """1 where the first is larger from every seed, and its median by half a point or more; -1 the other way. [s]"""
    gap = float(np.median(one) - np.median(other))
    if abs(gap) <= ALIKE_POINTS or not (np.sign(one - other) == np.sign(gap)).all():
        return 0
    return 1 if gap > 0 else -1


def _tenths(share: float) -> float:
    """An accuracy in per cent as it is printed: differences are taken of these, so that a reader can check them."""
    return round(100 * share, 1)


def _points(one: float, other: float) -> float:
    """The difference of two accuracies as they are printed, in percentage points."""
    return round(_tenths(one) - _tenths(other), 1)


def _signed(points: float) -> str:
    """Such as "+1.3"."""
    return f"{points:+.1f}".replace("-", MINUS) if points else "0.0"


def _listed(texts: Sequence[str]) -> str:
    """Such as "500, 2,000 and 60,000"."""
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _range(values: Sequence[float], unit: Callable[[float], str]) -> str:
    """Such as "× 3 to × 10"; one of them where they read alike."""
    ends = dict.fromkeys(unit(value) for value in (min(values), max(values)))
    return " to ".join(ends)


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
    return f"BN takes {_range(won, _short)} times fewer steps to {where}"


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
        return (
            f"At {_listed([_short(one) for one in borne])} times the best rate without BN more networks train with BN"
        )
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
    bn, plain = (f"{_points(*ends[name]):.1f}" for name in (BN.name, PLAIN.name))
    size = f"The worst initial scale costs {bn} points with BN, {plain} without"
    return ClaimVerdict(ruling_of(sides), size, findings)


def _compared(one: float, other: float, alike: float) -> int:
    """1 where the first is `CALM` times the other or more, -1 the other way; both within `alike` are alike."""
    if max(one, other) <= alike:
        return 0
    return 1 if one >= CALM * other else -1 if other >= CALM * one else 0


# --- saturating nonlinearities ----------------------------------------------------------------------------------------


def saturating(nonlinearity: Sweep, depth: Sweep) -> ClaimVerdict:
    """Sigmoids by depth, and tanh: best-tuned against best-tuned."""
    layers, _ = side_of(depth, "hidden_layers")
    sigmoid = [_against(depth, BN.name, PLAIN.name, cells_at(depth, "hidden_layers", count)) for count in layers.values]
    tanh = _against(nonlinearity, BN.name, PLAIN.name, cells_at(nonlinearity, "nonlinearity", Nonlinearity.TANH))
    told = [(_layers(count), *one.texts) for count, one in zip(layers.values, sigmoid, strict=True)]
    findings = (
        Cases("Sigmoid, each at its best rate", tuple(told)),
        Cases("tanh, each at its best rate", ((_layers(nonlinearity.config.base.model.hidden_layers), *tanh.texts),)),
    )
    return ClaimVerdict(ruling_of(one.side for one in (*sigmoid, tanh)), _depths_size(layers.values, sigmoid), findings)


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count > 1 else ''}"


@dataclass(frozen=True)
class _Against:
    """Two networks, each at its best cell.

    Attributes:
        side: which of them is better, as in `ruling_of`.
        one, other: their median accuracies, in [0, 1].
    """

    side: int
    one: float
    other: float

    @property
    def points(self) -> float:
        return _points(self.one, self.other)

    @property
    def texts(self) -> tuple[str, str]:
        return percent(self.one), percent(self.other)


def _against(sweep: Sweep, one: str, other: str, places: Sequence[tuple[int, int]]) -> _Against:
    found, against = (best_of(sweep, name, places) for name in (one, other))
    return _Against(_side(found, against), float(np.median(found)), float(np.median(against)))


def _depths_size(counts: Sequence[int], cases: Sequence[_Against]) -> str:
    """Such as "From 5 layers on sigmoids train only with BN"; where both train everywhere, how far they are apart."""
    alone = [
        [one > USABLE_ACCURACY >= other for one, other in pairs]
        for pairs in ([(case.one, case.other) for case in cases], [(case.other, case.one) for case in cases])
    ]
    texts = [
        (_where(counts, which), f"sigmoids train only {name}")
        for which, name in zip(alone, ("with BN", "without BN"), strict=True)
        if any(which)
    ]
    if texts:
        joined = "; ".join(f"{where} {what}" for where, what in texts)
        return joined[0].upper() + joined[1:]
    if all(min(case.one, case.other) > USABLE_ACCURACY for case in cases):
        return f"Sigmoids train with BN and without; BN makes {_points_range(cases)} points"
    return "No depth at which sigmoids train only with BN"


def _where(counts: Sequence[int], which: Sequence[bool]) -> str:
    """Such as "from 5 layers on", or "with 2 and 5 layers"."""
    first = which.index(True)
    if all(which):
        return "at every depth"
    if all(which[first:]):
        return f"from {_layers(counts[first])} on"
    return f"with {_listed([str(count) for count, one in zip(counts, which, strict=True) if one])} layers"


def _points_range(cases: Sequence[_Against]) -> str:
    """Such as "−0.2 to +81.3"."""
    return _range([case.points for case in cases], _signed)


# --- regularization and dropout ---------------------------------------------------------------------------------------


def regularizes(training_images: Sweep) -> ClaimVerdict:
    """Test accuracy of networks that see few images, and so overfit: best-tuned against best-tuned."""
    counts, _ = side_of(training_images, "training_images")
    places = [cells_at(training_images, "training_images", count) for count in counts.values]
    cases = [_against(training_images, BN.name, PLAIN.name, one) for one in places]
    rows = tuple((f"{whole(count)} images", *one.texts) for count, one in zip(counts.values, cases, strict=True))
    finding = Cases("Test accuracy, each at its best rate", rows)
    return ClaimVerdict(ruling_of(one.side for one in cases), _images_size(counts.values, cases), (finding,))


def _images_size(counts: Sequence[int], cases: Sequence[_Against]) -> str:
    """Such as "With BN better on 500 and 2,000 images (+0.8 to +1.2 points), alike on 10,000 (−0.1)"."""
    parts = []
    for side, word in ((1, "better"), (0, "alike"), (-1, "worse")):
        of_side = [(whole(count), case) for count, case in zip(counts, cases, strict=True) if case.side == side]
        if of_side:
            points = _points_range([case for _, case in of_side])
            parts.append(f"{word} on {_listed([count for count, _ in of_side])} images ({points} points)")
    return f"With BN {', '.join(parts)}"


def less_dropout(training_images: Sweep) -> ClaimVerdict:
    """What dropout adds with BN, against what it adds without, where it adds anything: best-tuned."""
    counts, _ = side_of(training_images, "training_images")
    sides: list[int] = []
    rows, sizes = [], []
    for count in counts.values:
        bn, plain = _added_on(training_images, count)
        rows.append((f"{whole(count)} images", bn.text, plain.text))
        if plain.helps:
            sides.append(_side(plain.by_seed, bn.by_seed))
            sizes.append(
                f"On {whole(count)} images dropout adds {_signed(plain.points)} points without BN, "
                f"{_signed(bn.points)} with it"
            )
    finding = Cases("Points that dropout adds, each network at its best rate", tuple(rows))
    if not sides:
        return ClaimVerdict(Ruling.UNDECIDED, "", (finding, "Nowhere does it help without BN: no need to reduce."))
    return ClaimVerdict(ruling_of(sides), sizes[0], (finding,))


def images_where_dropout_helps(sweep: Sweep) -> list[int]:
    """The numbers of training images on which it adds something to the network without BN, ascending."""
    counts, _ = side_of(sweep, "training_images")
    return [count for count in counts.values if _added_on(sweep, count)[1].helps]


@dataclass(frozen=True)
class _Added:
    """What dropout adds to a network: seed by seed, and at the medians, in points. [s]"""

    by_seed: Floats
    points: float
    text: str

    @property
    def helps(self) -> bool:
        return self.points > 100 * ALIKE_POINTS


def _added_on(sweep: Sweep, count: int) -> tuple[_Added, _Added]:
    """With BN and without, on so many training images."""
    at = cells_at(sweep, "training_images", count)
    return _added(sweep, BN_DROPOUT, BN, at), _added(sweep, DROPOUT, PLAIN, at)


def _added(sweep: Sweep, dropout: Competitor, bare: Competitor, places: Sequence[tuple[int, int]]) -> _Added:
    """Of two networks, each at its best cell; in words such as "+0.9 (82.5 → 83.4 %)"."""
    found, before = (best_of(sweep, one.name, places) for one in (dropout, bare))
    middles = float(np.median(before)), float(np.median(found))
    points = _points(middles[1], middles[0])
    return _Added(found - before, points, f"{_signed(points)} ({_tenths(middles[0])} → {percent(middles[1])})")


# --- gradients and the scale of the weights ---------------------------------------------------------------------------


def scale_free(run: Run) -> ClaimVerdict:
    """One layer's weights times a: what becomes of the loss, and of the gradient times a, on the batch's statistics."""
    now = run.anatomy
    if now is None or now.problem or not (now.scale_loss.size and np.isfinite(now.scale_loss[0]).all()):
        return NOT_YET
    loss, gradient, running = _changes(now)
    sides = [1 if change <= UNCHANGED else 0 if change <= 10 * UNCHANGED else -1 for change in (loss, gradient)]
    low, high = (value_text(float(one)) for one in (SCALES[0], SCALES[-1]))
    findings = (
        f"Layer {now.layer} at step {whole(now.step)}, its weights times a = {low} to {high}: the loss changes by at "
        f"most {_share(loss)}, and the weights’ gradient is that at a = 1 divided by a, to {_share(gradient)}.",
        f"With running statistics, which do not follow, the loss grows up to {number(running)} times.",
    )
    size = f"Weights times {low} to {high} change the loss by at most {_share(loss)}"
    return ClaimVerdict(ruling_of(sides), size, findings)


def _changes(now: Anatomy) -> tuple[float, float, float]:
    """The largest relative changes of the loss and of a times the gradient; the largest with running statistics."""
    one = int(np.argmin(np.abs(SCALES - 1)))
    loss, running = now.scale_loss / now.scale_loss[:, one : one + 1]
    gradient = now.scale_gradient[0] * SCALES / now.scale_gradient[0, one]
    return float(np.abs(loss - 1).max()), float(np.abs(gradient - 1).max()), float(np.nanmax(running))


def _share(change: float) -> str:
    """Such as "0.03 %"."""
    return f"{number(100 * change, 1)}\N{NO-BREAK SPACE}%"


# --- covariate shift --------------------------------------------------------------------------------------------------

_SHIFT: Final = {
    "drift-net": "How far each layer’s inputs have moved",
    "ics-relative": "How much the updates below change a layer’s gradient",
}
_SIDES: Final[Mapping[Direction, tuple[int | None, ...]]] = {
    Direction.LOWER: (1,),
    Direction.HIGHER: (-1,),
    Direction.ALIKE: (0,),
    Direction.MIXED: (1, -1),
    Direction.UNDECIDED: (None,),
}
_SHIFT_WORDS: Final = {
    Direction.LOWER: "less",
    Direction.HIGHER: "more",
    Direction.ALIKE: "as much as without",
    Direction.MIXED: "more or less, by layer or step",
    Direction.UNDECIDED: "undecided",
}


def less_shift(run: Run) -> ClaimVerdict:
    """The movement of the inputs, and the change of the gradients by the layers below: two readings of one claim."""
    by_measure = {one.measure: one for one in verdicts_of(run)}
    if not by_measure:
        return NOT_YET
    found = {name: by_measure[name] for name in _SHIFT}
    sides = [side for one in found.values() for side in _SIDES[one.direction]]
    findings = tuple(f"{_SHIFT[name]}. {one.finding}" for name, one in found.items())
    inputs, gradients = (_SHIFT_WORDS[one.direction] for one in found.values())
    return ClaimVerdict(ruling_of(sides), f"With BN inputs move: {inputs}; gradients change: {gradients}", findings)


SCALE: Final = "sweep-rate_and_scale"
NONLINEARITY: Final = "sweep-rate_and_nonlinearity"
DEPTH: Final = "sweep-rate_and_depth"
TRAINING_IMAGES: Final = "sweep-rate_and_training_images"
CLAIMS: Final[Mapping[str, Claim]] = {
    "faster": Claim((SCALE, NONLINEARITY), _of_sweeps(faster)),
    "higher-rates": Claim((NONLINEARITY,), _of_sweeps(higher_rates)),
    "less-care": Claim((SCALE,), _of_sweeps(less_care)),
    "saturating": Claim((NONLINEARITY, DEPTH), _of_sweeps(saturating)),
    "regularizes": Claim((TRAINING_IMAGES,), _of_sweeps(regularizes)),
    "less-dropout": Claim(
        (TRAINING_IMAGES,), _of_sweeps(less_dropout, PLAIN.name, BN.name, DROPOUT.name, BN_DROPOUT.name)
    ),
    "scale-free": Claim(("lab",), scale_free),
    "less-shift": Claim(("shift",), less_shift),
}
"""In the order of the page."""
