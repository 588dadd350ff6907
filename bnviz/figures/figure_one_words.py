"""What the recordings of the paper's Figure 1 come to, in numbers computed from them.

Shapes as in `records.figure_one`: m = points in time, k = competitors.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bnviz.config import FIGURE_ONE_STEPS, Competitor, FigureOneConfig, View
from bnviz.figures.bands import nearest_unit
from bnviz.figures.figure_one_parts import RULES, at, is_live
from bnviz.figures.numbers import percent, setting_value, whole
from bnviz.figures.words import (
    compare_percent,
    enumerate_texts,
    first_finite,
    joined,
    names_in_turn,
)
from bnviz.records import FigureOne, Floats, Replica, Run

MARK: Final = 0.9
ALIKE_RATIO: Final = 1.15  # two numbers of steps this near each other are the same: points lie 8 % apart
ALIKE_SHARE: Final = 0.002  # of accuracy: twenty test images
LEAST_WIDTH: Final = 1e-6  # of the inputs of a unit whose weights are zero


def name_of(config: FigureOneConfig) -> str:
    """Such as "SGD, learning rate 0.5, initial scale 0.1, seed 0"."""
    return (
        f"{RULES[config.rule]}, learning rate {setting_value(config.learning_rate)}, "
        f"initial scale {setting_value(config.init_scale)}, seed {config.seed}"
    )


def steps_to(replica: Replica, mark: float = MARK) -> list[float | None]:
    """The first measured step at which each network has reached an accuracy; None if it never does."""
    found = []
    for k in range(replica.accuracy.shape[1]):
        places = np.flatnonzero(replica.accuracy[:, k] >= np.float32(mark))
        found.append(float(replica.step[places[0]]) if places.size else None)
    return found


def compared_steps(competitors: Sequence[Competitor], steps: Sequence[float | None]) -> str:
    """Such as "by step 360 with BN, 860 without", the first one first."""
    order = sorted(range(len(steps)), key=lambda k: np.inf if steps[k] is None else float(steps[k] or 0))
    names = names_in_turn([competitors[k] for k in order])
    parts: list[str] = []
    for k, name in zip(order, names, strict=True):
        reached = steps[k]
        text = "never" if reached is None else whole(reached) if parts else f"by step {whole(reached)}"
        parts.append(f"{text} {name}")
    return ", ".join(parts)


def figure_one_sentence(run: Run, view: View) -> str:
    """Who got how far, how fast, and what became of the inputs of the unit that is looked at.

    Marks: **bold**; {name} stands for the swatch of the competitor of that name, such as {bn}.
    """
    study = run.figure_one
    if study is None or study.shown is None:
        return "" if study is None else study.notice
    shown = study.shown
    opening = _of_live(run, shown) if is_live(run) else ""
    return joined(opening, _speed(shown), _seeds(study), _accuracy(shown), _spread(shown, view))


def _speed(shown: Replica) -> str:
    """How many steps each network needs, and who needs fewer, if anybody does."""
    steps = steps_to(shown)
    plain, bn = steps
    mark = percent(MARK, 0)
    if plain is None and bn is None:
        return f"Neither network reaches {mark} within {whole(FIGURE_ONE_STEPS)} steps."
    if plain is None or bn is None:
        reached, names = (
            (bn, ("{bn} with BN", "{plain} without")) if bn else (plain, ("{plain} without BN", "{bn} with it"))
        )
        return f"Recorded: {mark} by step **{whole(reached or 0)}** {names[0]}, **never** {names[1]}."
    told = f"Recorded: {mark} by step **{whole(bn)}** {{bn}} with BN, **{whole(plain)}** {{plain}} without"
    ratio = max(plain, bn) / max(min(plain, bn), 1)
    if ratio < ALIKE_RATIO:
        return f"{told}, about the same."
    times = f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
    return f"{told}, {times} times as many {'without' if plain > bn else 'with'}."


def _seeds(study: FigureOne) -> str:
    """Whether the other seeds say the same of who is faster."""
    steps = [steps_to(one) for one in study.of(study.config)]
    if len(steps) < 2:
        return ""
    first = [_faster(one) for one in steps]
    count = max(first.count(k) for k in (0, 1))
    if count == 0:
        return ""
    name = "with BN" if first.count(1) >= first.count(0) else "without BN"
    return f"Faster {name}: {count} of {len(steps)} seeds."


def _faster(steps: Sequence[float | None]) -> int | None:
    """The number of the network that reaches the mark clearly first; None if none does."""
    plain, bn = (np.inf if one is None else max(one, 1.0) for one in steps)
    if plain == bn or max(plain, bn) / min(plain, bn) < ALIKE_RATIO:
        return None
    return 0 if plain < bn else 1


def _accuracy(shown: Replica) -> str:
    """Final accuracy of each, and which ends higher by more than a few images."""
    final = at(shown, shown.accuracy, None)
    told = compare_percent(shown.competitors[::-1], final[::-1], 2)
    if not told:
        return "Neither network is left at the end."
    plain, bn = (float(one) for one in final)
    if not np.isfinite([plain, bn]).all():
        verdict = ""
    elif abs(plain - bn) < ALIKE_SHARE:
        verdict = ", as good as equal"
    else:
        verdict = f", {100 * abs(bn - plain):.2f} points more {'with' if bn > plain else 'without'} BN"
    return f"At the end {told}{verdict}."


def _spread(shown: Replica, view: View) -> str:
    """What became of the width of one unit's inputs."""
    if shown.bands is None:
        return ""
    layer = min(max(view.layer, 1), len(shown.units))
    index, unit = nearest_unit(shown.units[layer - 1], view.unit)
    told = grown(shown.competitors[::-1], shown.bands[:, ::-1, layer - 1, index].astype(np.float32))
    return f"The inputs of unit {unit} in layer {layer} end {told}." if told else ""


def grown(competitors: Sequence[Competitor], bands: Floats) -> str:
    """Such as "3.2 times as wide as they began with BN, 51 times without"; nothing of who has diverged.

    bands: [m, k, 3]; the width is that from the 15th to the 85th percentile.
    """
    width = bands[..., 2] - bands[..., 0]
    factors = [float(width[-1, k]) / max(first_finite(width[:, k]), LEAST_WIDTH) for k in range(len(competitors))]
    texts = [(f"{one:.1f}" if one < 10 else whole(one)) + " times" if np.isfinite(one) else None for one in factors]
    return enumerate_texts(competitors, texts, " as wide as they began")


def _of_live(run: Run, shown: Replica) -> str:
    """How far the live run is, and whether it comes to what was recorded."""
    step = run.history.step[-1]
    same, all_ = reproduced(run, shown)
    of_all = f" of {whole(FIGURE_ONE_STEPS)}" if step <= FIGURE_ONE_STEPS else ""  # it may have played on in the lab
    told = f"This run is at step {whole(step)}{of_all}"
    if not all_:
        return f"{told}."
    return f"{told}: {same} of {all_} test accuracies measured at the same steps are the recorded ones exactly."


def reproduced(run: Run, shown: Replica) -> tuple[int, int]:
    """How many test accuracies are equal to the recorded ones of the same step, and how many can be compared."""
    history = run.history
    known = history.has_accuracy
    places = {float(step): place for place, step in enumerate(shown.step)}
    pairs = [
        (row, places[float(step)]) for row, step in enumerate(history.step) if known[row] and float(step) in places
    ]
    equal = [
        np.array_equal(history.accuracy[row].astype(np.float32), shown.accuracy[place], equal_nan=True)
        for row, place in pairs
    ]
    return sum(equal), len(equal)
