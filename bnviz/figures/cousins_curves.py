"""Test error of the paper's scaled-down cousins, over steps and over each network's own compute time.

Shapes as in `records.cousins`.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from bnviz.config import View
from bnviz.figures.chart import Words, clear_note, line, measured_part
from bnviz.figures.cousins_parts import (
    BASELINE,
    PAPERS,
    VARIANTS,
    WAITING,
    Variant,
    cousins_chart,
    has_diverged,
    log_axis,
    mark_of,
    middle,
    milliseconds_a_step,
    of,
    progress,
    seconds_to_target,
    so_far,
    steps_to_target,
    target_accuracy,
    waiting,
)
from bnviz.figures.labels import EndLabel, end_labels
from bnviz.figures.numbers import NO_BREAK, number, percent
from bnviz.figures.theme import Spec, swatch_of
from bnviz.figures.timeline import INSIDE, axis_unit
from bnviz.figures.trials_parts import PERCENT, error_of, median
from bnviz.figures.untrained_parts import Scale, reference_label, reference_line
from bnviz.figures.words import joined
from bnviz.records import Cousins, Floats, Run

SCALE: Final = Scale(1, 100)
MARGIN: Final = {"l": 44, "r": 190, "t": 22, "b": 28}
FIRST: Final = 0.01  # share of the steps at which the logarithmic axis begins
WIDTHS: Final = (2.5, 1.5)  # px, of a baseline's line, and of the others'
TICKS: Final = {"tickvals": [1, 2, 5, 10, 20, 50, 100], "ticktext": ["1 %", "2", "5", "10", "20", "50", "100"]}
ON: Final = (
    "Share of the 10,000 test images classified wrongly at inference, median over seeds. Level line: the lowest test "
    "error of the baseline, median over seeds."
)


def cousins_curves(run: Run, view: View) -> Spec:
    """Over steps, on a logarithmic axis."""
    cousins, name, title = run.cousins, "cousins-curves", "Test error over steps"
    if cousins is None:
        return waiting(run, name, title, ON)
    last = float(cousins.config.steps)
    finding = _shares(cousins)
    axis = log_axis("y", FIRST * last, last, unifiedhovertitle={"text": "step %{x:,}"})
    spec = _curves(run, cousins, (name, title, ON), finding, axis, lambda one: cousins.steps.astype(np.float64))
    spec["layout"]["annotations"].append(axis_unit("steps"))
    spec["layout"]["meta"]["x"] = "step"
    return spec


def cousins_time(run: Run, view: View) -> Spec:
    """Over the time that the network would have taken alone."""
    cousins, name, title = run.cousins, "cousins-time", "Test error over compute time"
    how = f"{ON} Each network’s own time a step, timed alone, median of many, times its steps."
    if cousins is None:
        return waiting(run, name, title, how)
    seconds = {one: milliseconds_a_step(cousins, one) / 1e3 for one in VARIANTS}
    last = np.nanmax([one * cousins.config.steps for one in seconds.values()] + [1e-3])
    axis = log_axis("y", FIRST * last, float(last), unifiedhovertitle={"text": "%{x:.3~g} s of own compute"})
    if not np.isfinite(list(seconds.values())).any():
        axis |= {"showticklabels": False, "ticks": ""}  # no clock has been held to any of them yet
    finding = _seconds(cousins)
    spec = _curves(run, cousins, (name, title, how), finding, axis, lambda one: cousins.steps * seconds[one])
    spec["layout"]["annotations"].append(axis_unit("seconds"))
    spec["layout"]["meta"]["x"] = "seconds"
    return spec


def _curves(
    run: Run,
    cousins: Cousins,
    about: tuple[str, str, str],
    finding: str,
    axis: dict[str, Any],
    x_of: Callable[[Variant], Floats],
) -> Spec:
    """A line for each variant, over x_of(variant), [t]. `about`: name, title, how it is measured.

    Lines end at different places: the labels stand in one column behind the last, each led to by a level line.
    """
    name, title, how = about
    first, end = axis["autorangeoptions"].values()
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    labels: list[EndLabel] = []
    alt: list[str] = []
    for one in VARIANTS:
        accuracy = median(cousins.accuracy[one.k, one.x], axis=0)  # [t]
        x, error = measured_part(x_of(one), error_of(accuracy))
        shown = x >= first * INSIDE
        if not shown.any():
            continue
        data.append(_line(one, x[shown], error[shown]))
        newest = float(error[np.isfinite(error)][-1])
        text, spoken = _ending(cousins, one, newest)
        alt.append(f"{one.name} {spoken}")
        told = f"<b>{text}</b> {swatch_of(one.competitor)} {mark_of(one)} {one.name}"
        at = float(np.log10(end * INSIDE))
        labels.append(EndLabel(told, at, SCALE.label_y(newest), SCALE.place(newest), lines=1))
        if x[-1] < end * INSIDE:
            shapes.append(_lead(float(x[-1]), end, SCALE.inside(newest)))
    target = PERCENT * (1 - target_accuracy(cousins))
    annotations = end_labels(labels)
    if np.isfinite(target):
        shapes.append(reference_line(SCALE.inside(target)))
        text = f"the baseline’s best{so_far(cousins)}, {percent(target / PERCENT)}"
        annotations.append(reference_label(text, SCALE.label_y(target)))
    if not data:
        annotations.append(clear_note(WAITING))
    words = Words(title, finding, joined(f"{title}, {progress(cousins)}.", _sentence(alt), finding), how)
    axes = {"xaxis": axis, "yaxis": SCALE.axis("x") | TICKS}
    return cousins_chart(run, name, words, data, axes, annotations=annotations, shapes=shapes, margin=MARGIN)


def _line(one: Variant, x: Floats, error: Floats) -> dict[str, Any]:
    drawn = line(
        x, np.clip(error, SCALE.low, SCALE.high), name=one.name, colour=f"@{one.competitor.name}",
        hover="%{customdata:.2f} %", customdata=error,
    )  # fmt: skip
    if "line" in drawn:
        drawn["line"] |= {"width": WIDTHS[one.dash is not None]} | ({"dash": one.dash} if one.dash else {})
    return drawn


def _lead(x: float, end: float, y: float) -> dict[str, Any]:
    """From the end of a line to the column of labels: a shape named "lead"."""
    return {
        "type": "line", "name": "lead", "layer": "below",
        "xref": "x", "x0": x, "x1": end, "yref": "y", "y0": y, "y1": y,
        "line": {"color": "@axis", "width": 1, "dash": "1px,2px"},
    }  # fmt: skip


def _ending(cousins: Cousins, one: Variant, error: float) -> tuple[str, str]:
    """What stands at the end of a line, and in the text alternative."""
    failed, text = has_diverged(cousins, one), percent(error / PERCENT)
    if failed == cousins.config.seeds:
        return "× diverged", "diverged"
    part = f", diverged from {failed} of {cousins.config.seeds} seeds" if failed else ""
    return text, f"{text}{part}"


def _shares(cousins: Cousins) -> str:
    """The steps that the median run of each of the paper's variants takes to the baseline's best, of the baseline's."""
    steps = {one: middle(of(steps_to_target(cousins), one)) for one in PAPERS}
    own = steps.pop(BASELINE)
    if not np.isfinite(own) or own <= 0:
        return ""
    told = _each(steps, lambda one: f"{PERCENT * one / own:.0f}{NO_BREAK}%")
    return f"To the baseline’s best{so_far(cousins)}, as a share of its steps: {told}." if told else ""


def _seconds(cousins: Cousins) -> str:
    """When the median run of each of the paper's variants reaches the baseline's best."""
    told = _each({one: middle(seconds_to_target(cousins, one)) for one in PAPERS}, number)
    best = percent(target_accuracy(cousins))
    return f"Seconds to {best}, the baseline’s best{so_far(cousins)}: {told}." if told else ""


def _each(medians: dict[Variant, float], text_of: Callable[[float], str]) -> str:
    """Such as "BN-x5 12, BN-x30 never", of those that are known."""
    return ", ".join(
        f"{one.name} {'never' if np.isinf(median) else text_of(median)}"
        for one, median in medians.items()
        if not np.isnan(median)
    )


def _sentence(parts: list[str]) -> str:
    return f"At the end: {', '.join(parts)}." if parts else ""
