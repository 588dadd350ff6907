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

from bnviz.config import BN, BN_DROPOUT, DROPOUT, PLAIN, Nonlinearity, SweepAxis
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
class ClaimVerdict:
    """What records say of one claim.

    Attributes:
        size: by how much, in a few words; empty where nothing is decided.
        findings: the numbers of every case, a line each.
    """

    ruling: Ruling
    size: str
    findings: tuple[str, ...]


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


def _place(sweep: Sweep, name: str = BN.name) -> int:
    """Of a network, by its name."""
    return [one.name for one in sweep.config.competitors].index(name)


def _axis(sweep: Sweep, setting: str) -> tuple[SweepAxis, int]:
    """A side of the map by its setting, and which axis of [y, x] it is."""
    sides = (sweep.config.y, sweep.config.x)
    at = [side.setting for side in sides].index(setting)
    return sides[at], at


def _rows(sweep: Sweep, setting: str, value: Any) -> Sequence[tuple[int, int]]:
    """The cells at this value of a side; all of them where the sweep has no such side."""
    if setting not in (sweep.config.y.setting, sweep.config.x.setting):
        return sweep.config.places
    axis, at = _axis(sweep, setting)
    return [place for place in sweep.config.places if axis.values[place[at]] == value]


def _best(sweep: Sweep, name: str, places: Sequence[tuple[int, int]]) -> Floats:
    """The accuracy of every seed where a network's median is largest. [s]"""
    k = _place(sweep, name)
    best = max(places, key=lambda place: float(np.nan_to_num(sweep.median[k][place])))
    seeds: Floats = np.nan_to_num(sweep.score[k][best])
    return seeds


def _side(one: Floats, other: Floats) -> int:
    """1 where the first is larger from every seed, and its median by half a point or more; -1 the other way. [s]"""
    gap = float(np.median(one) - np.median(other))
    if abs(gap) <= ALIKE_POINTS or not (np.sign(one - other) == np.sign(gap)).all():
        return 0
    return 1 if gap > 0 else -1


def _points(share: float) -> str:
    """A difference of two accuracies, such as "+1.3 points"."""
    text = f"{100 * share:+.1f}".replace("-", MINUS)
    return f"{'0.0' if text.strip('+' + MINUS) == '0.0' else text} points"


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
        ("ReLU", nonlinearity, _rows(nonlinearity, "nonlinearity", Nonlinearity.RELU)),
    ):
        k_bn, k_plain = _place(sweep), _place(sweep, PLAIN.name)
        best = float(np.median(_best(sweep, PLAIN.name, places)))
        parts = []
        for mark in (*(one for one in MARKS if one < best), best):
            bn, plain = (steps_to(sweep, k, mark, places) for k in (k_bn, k_plain))
            factor = plain / bn
            sides.append(0 if 1 / ALIKE_FACTOR <= factor <= ALIKE_FACTOR else 1 if factor > 1 else -1)
            factors += [factor]
            which = " (the best without)" if mark == best else ""
            parts.append(f"{percent(mark, 0 if mark in MARKS else 1)}{which}: {_step(bn)} / {_step(plain)}")
        told.append(f"{name}, of {whole(sweep.config.steps)} steps, with BN / without: {', '.join(parts)}.")
    return ClaimVerdict(ruling_of(sides), _steps_size(factors), tuple(told))


def _step(step: float) -> str:
    return whole(step) if math.isfinite(step) else "not reached"


def _steps_size(factors: Sequence[float]) -> str:
    """Such as "1.5 to 5 times fewer steps", with at how many marks where it is not at all of them."""
    won = [factor for factor in factors if factor > ALIKE_FACTOR]
    if not won:
        return "no fewer steps"
    text = f"{_range(won, _short)} times fewer steps"
    return text if len(won) == len(factors) else f"{text} at {len(won)} of {len(factors)} marks"


def _short(factor: float) -> str:
    return f"{float(number(factor)):g}"


# --- higher learning rates --------------------------------------------------------------------------------------------


def higher_rates(nonlinearity: Sweep) -> ClaimVerdict:
    """How far above the best rate without BN each network still ends above 80 %, nonlinearity by nonlinearity."""
    rates, _ = _axis(nonlinearity, "learning_rate")
    rows, _ = _axis(nonlinearity, "nonlinearity")
    sides: list[int] = []
    borne, told = [], []
    for multiple in MULTIPLES:
        usable = {name: _usable_at(nonlinearity, name, multiple) for name in (BN.name, PLAIN.name)}
        known = len(usable[BN.name])
        if not known:
            continue
        bn, plain = (sum(usable[name].values()) for name in (BN.name, PLAIN.name))
        sides.append(-1 if bn < plain else 1 if bn > plain and 2 * bn > known else 0)
        borne += [multiple] if sides[-1] > 0 else []
        told.append(f"× {_short(multiple)}: {bn} of {known} with BN, {plain} without")
    ends = [f"{value_text(one)} {_highest_texts(nonlinearity, rates, one)}" for one in rows.values]
    least = percent(USABLE_ACCURACY, 0)
    findings = (
        f"Nonlinearities that still end above {least} at multiples of the best rate without BN: {'; '.join(told)}.",
        f"Highest rate that ends above {least}, with BN / without: {', '.join(ends)} (+: the highest that was tried).",
    )
    return ClaimVerdict(ruling_of(sides), f"up to × {_short(max(borne))}" if borne else "no higher", findings)


def _usable_at(sweep: Sweep, name: str, multiple: float) -> dict[Any, bool]:
    """Whether a network is above 80 % at a multiple of the best rate without BN, where the map goes that far."""
    rates, _ = _axis(sweep, "learning_rate")
    rows, _ = _axis(sweep, "nonlinearity")
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
    median = np.nan_to_num(sweep.median[_place(sweep, name)])
    return np.array([median[place] for place in _rows(sweep, "nonlinearity", row)])


def _highest_texts(sweep: Sweep, rates: SweepAxis, row: Any) -> str:
    """Such as "3 / 0.3", with a plus where the map ends there."""
    texts = []
    for name in (BN.name, PLAIN.name):
        usable = np.flatnonzero(_along_rates(sweep, name, row) > USABLE_ACCURACY)
        is_end = bool(usable.size) and usable[-1] == len(rates) - 1
        texts.append(f"{value_text(rates.values[usable[-1]])}{'+' if is_end else ''}" if usable.size else "none")
    return f"{texts[0]} / {texts[1]}"


# --- less care about initialization -----------------------------------------------------------------------------------


def less_care(scale: Sweep) -> ClaimVerdict:
    """How much accuracy a badly chosen initial scale costs with the rate tuned anew, and how many cells work at all."""
    axis, at = _axis(scale, "init_scale")
    lost, working, told = {}, {}, {}
    for name in (BN.name, PLAIN.name):
        median = np.nan_to_num(scale.median[_place(scale, name)])
        best = median.max(axis=1 - at)
        lost[name], working[name] = float(best.max() - best.min()), int((median > USABLE_ACCURACY).sum())
        told[name] = f"{percent(float(best.min()))} to {percent(float(best.max()))}"
    sides = [
        _compared(lost[PLAIN.name], lost[BN.name], ALIKE_POINTS),
        _compared(working[BN.name], working[PLAIN.name], 0),
    ]
    low, high = (value_text(axis.values[end]) for end in (0, -1))
    findings = (
        f"Initial scales {low} to {high}, each with the rate that suits it best: {told[BN.name]} with BN, "
        f"{told[PLAIN.name]} without.",
        f"Of {len(scale.config.places)} combinations of rate and scale {working[BN.name]} end above "
        f"{percent(USABLE_ACCURACY, 0)} with BN, {working[PLAIN.name]} without.",
    )
    size = f"{100 * lost[BN.name]:.1f} points lost, not {100 * lost[PLAIN.name]:.1f}"
    return ClaimVerdict(ruling_of(sides), size, findings)


def _compared(one: float, other: float, alike: float) -> int:
    """1 where the first is `CALM` times the other or more, -1 the other way; both within `alike` are alike."""
    if max(one, other) <= alike:
        return 0
    return 1 if one >= CALM * other else -1 if other >= CALM * one else 0


# --- saturating nonlinearities ----------------------------------------------------------------------------------------


def saturating(nonlinearity: Sweep, depth: Sweep) -> ClaimVerdict:
    """Sigmoids by depth, and tanh: best-tuned against best-tuned."""
    layers, _ = _axis(depth, "hidden_layers")
    sigmoid = [_against(depth, BN.name, PLAIN.name, _rows(depth, "hidden_layers", count)) for count in layers.values]
    tanh = _against(nonlinearity, BN.name, PLAIN.name, _rows(nonlinearity, "nonlinearity", Nonlinearity.TANH))
    told = [f"{count}: {one.text}" for count, one in zip(layers.values, sigmoid, strict=True)]
    findings = (
        f"Sigmoid by number of layers, each at its best rate, with BN / without: {', '.join(told)}.",
        f"tanh, {nonlinearity.config.base.model.hidden_layers} layers: {tanh.text}.",
    )
    cases = [*sigmoid, tanh]
    return ClaimVerdict(ruling_of(one.side for one in cases), _points_size([one.gap for one in cases]), findings)


@dataclass(frozen=True)
class _Against:
    """Two networks, each at its best cell: which of them is better, by how much at the median, and both in words."""

    side: int
    gap: float
    text: str


def _against(sweep: Sweep, one: str, other: str, places: Sequence[tuple[int, int]]) -> _Against:
    found, against = (_best(sweep, name, places) for name in (one, other))
    middles = float(np.median(found)), float(np.median(against))
    return _Against(_side(found, against), middles[0] - middles[1], " / ".join(map(percent, middles)))


def _points_size(gaps: Sequence[float]) -> str:
    """Such as "−0.2 to +81.3 points"."""
    low, high = _points(min(gaps)), _points(max(gaps))
    return low if low == high else f"{low.removesuffix(' points')} to {high}"


# --- regularization and dropout ---------------------------------------------------------------------------------------


def regularizes(training_images: Sweep) -> ClaimVerdict:
    """Test accuracy of networks that see few images, and so overfit: best-tuned against best-tuned."""
    counts, _ = _axis(training_images, "training_images")
    places = [_rows(training_images, "training_images", count) for count in counts.values]
    cases = [_against(training_images, BN.name, PLAIN.name, one) for one in places]
    told = [f"{whole(count)}: {one.text}" for count, one in zip(counts.values, cases, strict=True)]
    finding = f"Test accuracy by training images, each at its best rate, with BN / without: {', '.join(told)}."
    return ClaimVerdict(ruling_of(one.side for one in cases), _points_size([one.gap for one in cases]), (finding,))


def less_dropout(training_images: Sweep) -> ClaimVerdict:
    """What dropout adds with BN, against what it adds without, where it adds anything: best-tuned."""
    counts, _ = _axis(training_images, "training_images")
    sides: list[int] = []
    told, gains = [], []  # (with BN, without, on so many images)
    for count in counts.values:
        at = _rows(training_images, "training_images", count)
        accuracy = {one.name: _best(training_images, one.name, at) for one in (PLAIN, BN, DROPOUT, BN_DROPOUT)}
        plain, bn = accuracy[DROPOUT.name] - accuracy[PLAIN.name], accuracy[BN_DROPOUT.name] - accuracy[BN.name]
        told.append(f"{whole(count)}: {_points(float(np.median(bn)))} / {_points(float(np.median(plain)))}")
        if np.median(plain) > ALIKE_POINTS:
            sides.append(_side(plain, bn))
            gains.append((float(np.median(bn)), float(np.median(plain)), count))
    finding = f"What dropout adds by training images, each at its best rate, with BN / without: {', '.join(told)}."
    if not sides:
        return ClaimVerdict(Ruling.UNDECIDED, "", (finding, "Nowhere does it help without BN: no need to reduce."))
    with_bn, without, images = gains[0]
    size = f"dropout adds {_points(with_bn).removesuffix(' points')}, not {_points(without)}, on {whole(images)} images"
    return ClaimVerdict(ruling_of(sides), size, (finding,))


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
    return ClaimVerdict(ruling_of(sides), f"loss within {_share(loss)}", findings)


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
    Direction.ALIKE: "the same",
    Direction.MIXED: "mixed",
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
    return ClaimVerdict(ruling_of(sides), f"inputs {inputs}, gradients {gradients}", findings)


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
